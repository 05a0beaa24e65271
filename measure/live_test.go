package measure

import "testing"

func TestRecentTokensLookBackOverFullSeconds(t *testing.T) {
	s := NewSet(Config{Phases: []PhaseInfo{{Name: "stage"}}})
	for second := range int64(100) {
		s.live.add(liveSecond{number: second, tokens: second})
	}
	now := int64(100)*pointNanos + settling // 99 has just become full
	for seconds, want := range map[int]int64{1: 99, 3: 99 + 98 + 97, 60: 60 * (99 + 40) / 2, 1000: 60 * (99 + 40) / 2, 0: 0} {
		if got := s.RecentTokens(now, seconds); got != want {
			t.Errorf("%d seconds: %d, want %d", seconds, got, want)
		}
	}
	if got := s.RecentTokens(0, 5); got != 0 {
		t.Errorf("before anything: %d", got)
	}
}

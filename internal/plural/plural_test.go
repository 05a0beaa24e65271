package plural

import "testing"

func TestCounts(t *testing.T) {
	for n, want := range map[int]string{0: "0 requests", 1: "1 request", 2: "2 requests", 1000: "1000 requests"} {
		if got := Of(n, "request"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 shards were dealt", 1: "1 shard was dealt", 7: "7 shards were dealt"} {
		if got := Said(n, "# {shard was|shards were} dealt"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for sentence, want := range map[string]string{"": "", "a {b": "a ", "}": "}", "{|s}": "s"} {
		if got := Said(2, sentence); got != want {
			t.Errorf("%q: %q, want %q", sentence, got, want)
		}
	}
}

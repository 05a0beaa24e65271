package schedule

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTrialSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Int64().Draw(t, "seed")
		trial := rapid.IntRange(0, 999).Draw(t, "trial")
		got := TrialSeed(seed, trial)
		if trial == 0 && got != seed {
			t.Fatalf("the first trial has seed %d, want the test's %d", got, seed)
		}
		if trial > 0 && (got < 0 || got >= 1<<53 || got == TrialSeed(seed, trial+1) || got == TrialSeed(seed+1, trial)) {
			t.Fatalf("seed %d of trial %d", got, trial)
		}
	})
}

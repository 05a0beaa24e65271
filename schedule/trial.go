package schedule

import "github.com/stampede-bench/stampede/internal/draw"

// TrialSeed is the seed of a test's repeat, from 0. The first is the test's own run;
// every further one draws all anew: arrivals, lengths, words and nonces. So what
// differs from trial to trial is what would differ in any other run, and a trial's
// report, which has its seed in its spec, is enough to repeat that trial. Seeds are
// whole numbers below 2^53, which every reader of JSON keeps exact.
func TrialSeed(seed int64, trial int) int64 {
	if trial == 0 {
		return seed
	}
	return int64(draw.NewStream(seed, "trial", int64(trial)).At(0, 0) >> 11)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
)

const (
	lateLimit = 10e-3 // s
	keptLimit = 0.99
	fineness  = 0.05 // of the rate that is found
	firstRate = 8000
	leastRate = 250
	mostRate  = 64000
)

// search finds the highest constant rate that a tool keeps, by doubling and then
// by halving.
func search(l load, with func(load) tool) func(ctx context.Context, b *bench, dir string) (figures, error) {
	return func(ctx context.Context, b *bench, dir string) (figures, error) {
		var best figures
		low, high := 0, 0
		for rate := firstRate; ; {
			try := l
			try.Rate = rate
			f, kept, err := b.tried(ctx, with(try), &try, filepath.Join(dir, strconv.Itoa(rate)))
			if errors.Is(err, errMissing) || ctx.Err() != nil {
				return nil, err
			}
			if kept {
				low, best = rate, f
			} else {
				high = rate
			}
			switch {
			case high == 0 && low < mostRate:
				rate = 2 * low
			case high > leastRate && float64(high-low) > fineness*float64(high):
				rate = (low + high) / 2
			case best == nil:
				return nil, errors.New("no rate was kept")
			default:
				best["highest_rate_per_s"], best["late_p99_s"] = float64(low), best["schedule_error_p99_s"]
				return best, nil
			}
		}
	}
}

// tried reports whether a tool kept a rate. One that it did not is tried again: the
// machine may have been away for the 10 ms that are too many, and the search would
// look below that rate alone from then on.
func (b *bench) tried(ctx context.Context, t tool, l *load, dir string) (f figures, kept bool, err error) {
	for _, again := range []string{"", "-again"} {
		f, err = b.once(ctx, t, dir+again)
		if errors.Is(err, errMissing) || ctx.Err() != nil {
			return nil, false, err
		}
		if b.kept(f, l, err) {
			return f, true, nil
		}
	}
	return f, false, err
}

// kept reports whether a tool kept the rate of one try, and tells of it.
func (b *bench) kept(f figures, l *load, err error) bool {
	if err != nil {
		fmt.Fprintf(b.stderr, "  %d/s: %v\n", l.Rate, err)
		return false
	}
	served := f["served"] / (float64(l.Rate) * b.scaled(l.Duration).Seconds())
	kept := served >= keptLimit && f["schedule_error_p99_s"] <= lateLimit
	fmt.Fprintf(b.stderr, "  %d/s: %.1f %% served, p99 %.2f ms late, kept: %v\n", l.Rate, 100*served, 1e3*f["schedule_error_p99_s"], kept)
	return kept
}

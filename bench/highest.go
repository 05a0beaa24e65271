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
			f, err := b.once(ctx, with(try), filepath.Join(dir, strconv.Itoa(rate)))
			if errors.Is(err, errMissing) || ctx.Err() != nil {
				return nil, err
			}
			if b.kept(f, &try, err) {
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

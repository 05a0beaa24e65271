package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stampede-bench/stampede/target"
)

// A busy moment of an endpoint, a 429 or a failure of its own, ends no run: what
// was asked is asked again, up to persistTries times, with pauses that double from
// persistPause on, or as long as the endpoint says. No try begins later than
// persistPatience after the first question of a probe, which the controller waits
// for.
const (
	persistTries    = 6
	persistPause    = 200 * time.Millisecond
	persistPatience = 20 * time.Second
)

// persist asks until the answer is one to go by. try counts from 1. That it took
// several is a remark about what, if that is named.
func (p *probe) persist(ctx context.Context, what string, ask func(ctx context.Context, try int) error) error {
	before := 0
	for try := 1; ; try++ {
		err := ask(ctx, try)
		var busy *target.Error
		if !errors.As(err, &busy) || !passing(busy.HTTP) {
			if err == nil && try > 1 && what != "" {
				p.notice("%s: the endpoint answered HTTP %d before, and took it at the %s try", what, before, ordinal(try))
			}
			return err
		}
		before = busy.HTTP
		pause := persistPause << (try - 1)
		pause += rand.N(pause / 4) // so that agents do not ask in step
		said := busy.RetryAfter > 0
		if said {
			pause = busy.RetryAfter
		}
		left := persistPatience - time.Since(p.began)
		if try == persistTries || pause > left {
			return p.exhausted(busy, try, said && pause > left)
		}
		if wait(ctx, pause); ctx.Err() != nil {
			return err
		}
	}
}

// passing reports whether a status may be another one soon.
func passing(status int) bool {
	const notImplemented, wrongVersion = 501, 505
	return status == 429 || status >= 500 && status != notImplemented && status != wrongVersion
}

// exhausted is a busy endpoint's last answer, with how often it was asked.
func (p *probe) exhausted(last *target.Error, tries int, waits bool) error {
	e := *last
	times := "once"
	if tries > 1 {
		times = fmt.Sprintf("%d times", tries)
	}
	within := fmt.Sprintf(" within %v", max(time.Since(p.began).Round(100*time.Millisecond), 100*time.Millisecond))
	if waits {
		within = fmt.Sprintf(" and is to wait %v (Retry-After), longer than the %v that a probe may take", e.RetryAfter, persistPatience)
	}
	e.Message = fmt.Sprintf("asked %s%s; the last answer was %s", times, within, last.Message)
	return &e
}

func ordinal(n int) string {
	switch n {
	case 2:
		return "2nd"
	case 3:
		return "3rd"
	}
	return fmt.Sprintf("%dth", n)
}

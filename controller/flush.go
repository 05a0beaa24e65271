package controller

import (
	"fmt"
	"slices"
	"strings"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// flushPatience bounds emptying the server's prefix cache; the load does not wait
// longer.
const flushPatience = 30 * time.Second

// flushAtStart empties the prefix cache before the first phase, if asked to.
func (r *run) flushAtStart() error {
	if !r.eff.FlushCache {
		return nil
	}
	r.noteUnflushed()
	r.setState(stampedev1.State_STATE_PENDING, "emptying the endpoint's prefix cache")
	there := false
	r.emptied(true, func() { there = true })
	return r.pump(time.Time{}, func() bool { return there })
}

// noteUnflushed says between which stages nothing can be emptied, because the
// requests of one are still in flight when the next begins.
func (r *run) noteUnflushed() {
	var names []string
	for i, p := range r.phases[:len(r.phases)-1] {
		if !p.DrainFull && !p.Warmup {
			names = append(names, fmt.Sprintf("%q", r.phases[i+1].Name))
		}
	}
	if len(names) > 0 {
		r.note("flush_cache: the prefix cache is not emptied before %s, which does not wait for the stage before (drain: full does)",
			strings.Join(names, ", "))
	}
}

// emptied runs next once the endpoint's prefix cache was emptied, or could not
// be; at once when that isn't asked for or, as drained says, requests are still
// in flight.
func (r *run) emptied(drained bool, next func()) {
	if r.held != nil {
		return // it is under way
	}
	working := r.working()
	if !r.eff.FlushCache || !drained || len(working) == 0 {
		next()
		return
	}
	r.held = next
	r.ask(working[0], true)
	sequence := r.probing.sequence
	time.AfterFunc(flushPatience, func() {
		r.post(func() {
			if r.held != nil && r.probing.sequence == sequence {
				r.note("flush_cache: the endpoint did not empty its prefix cache within %v", flushPatience)
				r.goOn()
			}
		})
	})
}

// flushed goes on with the load once the endpoint has answered. A cache that can't
// be emptied is a remark.
func (r *run) flushed() {
	if r.held == nil || !r.probing.flush {
		return
	}
	if m := r.probing.result; m.GetErrorKind() != "" {
		r.note("flush_cache: %s%s", clip(orText(m.GetErrorMessage(), m.GetErrorKind()), maxReason), hintText(clip(m.GetHint(), maxReason)))
	}
	r.goOn()
}

func (r *run) goOn() {
	next := r.held
	r.held = nil
	next()
}

// note adds a remark to the report, once.
func (r *run) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.facts.notices, text) {
		r.facts.notices = append(r.facts.notices, text)
	}
}

func hintText(hint string) string {
	if hint == "" {
		return ""
	}
	return " (" + hint + ")"
}

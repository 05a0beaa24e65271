package workload

import (
	"fmt"
	"strconv"
)

// AllTurns reports whether every turn of a recorded conversation is sent.
func (s *Sessions) AllTurns() bool { return s.MultiTurn != nil && *s.MultiTurn }

// Title is the stage's own name, or says in brief what it does: "rate 10",
// "concurrency 8". It is what a report calls the stage.
func (s *Stage) Title() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Concurrency != nil:
		return fmt.Sprintf("concurrency %d", *s.Concurrency)
	case s.Func != nil:
		return "func"
	case s.Replay != nil:
		return "replay"
	case s.Rate == nil:
		return "stage"
	case s.EndRate != nil:
		return "rate " + s.Rate.plain() + " to " + s.EndRate.plain()
	}
	return "rate " + s.Rate.plain()
}

// plain writes a rate without an exponent.
func (r Rate) plain() string {
	if r.Inf() {
		return "inf"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64)
}

package agent

import (
	"strings"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// answered puts the model's reply into the conversation. The history is copied,
// because the call that was sent may still refer to it.
func (v *visit) answered(x *measure.Exchange) {
	history := make([]dataset.Message, len(v.history), len(v.history)+2)
	copy(history, v.history)
	v.history = append(history, dataset.Message{Role: "assistant", Content: string(x.Answer)})
}

// followDue is when a later turn is due: at its recorded moment, after its own
// pause, or after the time it takes to type it, but never before the turn before
// it ended.
func followDue(t *dataset.Turn, began, ended int64, wordsPerSecond float64) int64 {
	if t.OffsetNanos >= 0 {
		return max(ended, began+t.OffsetNanos)
	}
	if t.ThinkNanos != 0 {
		return ended + max(t.ThinkNanos, 0)
	}
	return ended + int64(typingTime(t, wordsPerSecond))
}

// typingTime is how long a person takes for the user's part of a turn.
func typingTime(t *dataset.Turn, wordsPerSecond float64) time.Duration {
	if wordsPerSecond <= 0 {
		return 0
	}
	words := 0
	for _, m := range t.Messages {
		if m.Role == "user" {
			words += len(strings.Fields(m.Content))
		}
	}
	return time.Duration(float64(words) / wordsPerSecond * float64(time.Second))
}

// wordsPerSecond is the typing speed a spec asks for.
func wordsPerSecond(spec *workload.Spec) float64 {
	if wps := spec.Sessions.HumanInputWPS; wps != nil {
		return *wps
	}
	return 1
}

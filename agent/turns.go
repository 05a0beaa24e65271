package agent

import (
	"strings"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// answered keeps the model's reply to the last turn that was sent.
func (v *visit) answered(x *measure.Exchange) { v.answers = append(v.answers, string(x.Answer)) }

// conversation is what is sent for a turn: all that was said and answered in its
// branch of the conversation, and then its own messages.
func (v *visit) conversation(turn int) []dataset.Message {
	turns := v.session.Turns
	if turn == 0 {
		return turns[0].Messages
	}
	var messages []dataset.Message
	for _, t := range dataset.Branch(turns, turn) {
		messages = append(messages, turns[t].Messages...)
		if t != turn {
			messages = append(messages, dataset.Message{Role: dataset.RoleAssistant, Content: v.answers[t]})
		}
	}
	return messages
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

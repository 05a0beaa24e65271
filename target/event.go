package target

import "github.com/stampede-bench/stampede/measure"

// event is what one event of a stream, or one whole reply, says. Its slices lie
// in the bytes that were scanned.
type event struct {
	done    bool     // the API's end mark
	text    [4]int32 // bytes of text by measure.ChunkKind
	answer  span     // content of the first choice
	tokens  int32    // by token ids or log probabilities; 0 unknown
	usage   measure.Usage
	counted bool // usage was there
	finish  span
	failed  bool // the event tells an error
	message span
}

var noUsage = measure.Usage{Input: -1, Output: -1, Reasoning: -1, Cached: -1}

func (e *event) reset() { *e = event{usage: noUsage} }

// kind is what the event's text counts as, and whether it has any.
func (e *event) kind() (k measure.ChunkKind, bytes int32, ok bool) {
	for _, n := range e.text {
		bytes += n
	}
	for k, n := range e.text {
		if n > 0 {
			return measure.ChunkKind(k), bytes, true
		}
	}
	return 0, 0, false
}

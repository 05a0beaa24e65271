package target

import (
	"testing"

	"github.com/stampede-bench/stampede/measure"
)

// TestEndlessStream holds that a stream without an end takes no more than so much
// memory, be it that its text is kept or not.
func TestEndlessStream(t *testing.T) {
	for _, tt := range []struct {
		name   string
		chunks int
		answer int
		kind   string
	}{
		{"the most chunks", maxChunks - 1, 0, ""},
		{"one more", maxChunks, 0, KindTooLarge},
		{"the longest answer", 0, maxWhole - 1, ""},
		{"one byte more", 0, maxWhole, KindTooLarge},
	} {
		x := &measure.Exchange{}
		x.Reset()
		x.Chunks, x.Answer = make([]measure.Chunk, tt.chunks), make([]byte, tt.answer)
		r := &reply{x: x, drv: &openAI{}, keep: true}
		r.event(sseEvent{data: []byte(`{"choices":[{"delta":{"content":"x"}}]}`)}, arrival{at: 1})
		if r.fault.kind != tt.kind || r.unwelcome != (tt.kind != "") || len(x.Chunks) > maxChunks {
			t.Errorf("%s: %s: %s, %d chunks", tt.name, r.fault.kind, r.fault.message, len(x.Chunks))
		}
	}
}

package dataset

import (
	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// batch says how many texts an embeddings or rerank request has.
type batch struct {
	texts int // beside the first
	query int // most tokens of the first, 0 for no bound
	words draw.Stream
	nonce draw.Stream
}

// queryTokens is how long a query for documents is at most.
const queryTokens = 64

// maxTexts is beyond the texts of one request.
const maxTexts = 1 << 12

// newBatch is nil for an API whose requests have one prompt.
func newBatch(spec *workload.Spec) *batch {
	b := &batch{words: draw.NewStream(spec.Seed, "words of a batch", 0), nonce: draw.NewStream(spec.Seed, "nonce of a batch", 0)}
	n := max(1, spec.Dataset.BatchSize)
	switch spec.Endpoint.API {
	case workload.APIEmbeddings:
		b.texts = n - 1
	case workload.APIRerank:
		b.texts, b.query = n, queryTokens
	default:
		return nil
	}
	return b
}

// fillBatch gives the request of session i its other texts, each of a length of
// its own.
func (s *synthetic) fillBatch(i int64, t *Turn) {
	if q := s.batch.query; q > 0 && t.InputTokens > q {
		text, _ := s.smith.text(piece{s.nonce.Sequence(i), min(s.nonces, q)}, piece{s.text.Sequence(i), q - min(s.nonces, q)})
		t.Messages[0].Content, t.InputTokens = text, q
	}
	for k := range s.batch.texts {
		at := i*maxTexts + int64(k)
		n := lengthAt(s.input, s.lengths, i, uint64(k+1))
		first := min(s.nonces, n)
		text, _ := s.smith.text(piece{s.batch.nonce.Sequence(at), first}, piece{s.batch.words.Sequence(at), n - first})
		t.Messages = append(t.Messages, Message{Role: RoleUser, Content: text})
		t.InputTokens += n
	}
}

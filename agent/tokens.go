package agent

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// openTokenizer loads the tokenizer that a spec names. The endpoint's own is not
// for agents: what it says of lengths is in the spec.
func (r *run) openTokenizer(ctx context.Context, d workload.Dataset) (err error) {
	if d.Tokenizer == "" || d.Tokenizer == workload.TokenizerServer {
		return nil
	}
	r.tokens, err = tokenizer.Shared(d.Tokenizer, d.TokenizerHash, func(hash string) ([]byte, error) {
		return r.agent.corpora.bytes(ctx, hash)
	})
	return err
}

// toolsOf are the tools that every request offers, as JSON; nil for none.
func toolsOf(d workload.Dataset) (tools, choice []byte, err error) {
	if d.Tools == "" {
		return nil, nil, nil
	}
	if tools, err = d.ToolList(); err == nil {
		choice, err = d.ToolChoiceJSON()
	}
	if err != nil {
		err = fmt.Errorf("dataset.tools: %w", err)
	}
	return tools, choice, err
}

// recount is what usage and the tokenizer say of the same answers.
type recount struct{ usage, counted atomic.Int64 }

// count holds the text of an answer against its usage, and where there is no
// usage, takes its place. It is called behind the reporting, never by what sends
// or reads. Text that is kept is content alone, so answers with other tokens are
// left out.
func (c *recount) count(t *tokenizer.Tokenizer, x *measure.Exchange) {
	if t == nil || x == nil || x.Status != measure.Succeeded || len(x.Answer) == 0 || !contentOnly(x.Chunks) {
		return
	}
	n := t.Count(string(x.Answer))
	if x.Usage.Output < 0 {
		x.Usage.Output, x.Counted = count(n), true
		return
	}
	if d := n - int(x.Usage.Output); d >= -endTokens && d <= endTokens {
		n = int(x.Usage.Output)
	}
	c.usage.Add(int64(x.Usage.Output))
	c.counted.Add(int64(n))
}

// endTokens is by how much an answer's count may differ and is still the same:
// a token that ends it has no text, and a space that begins it may be one.
const endTokens = 1

func contentOnly(chunks []measure.Chunk) bool {
	for i := range chunks {
		if chunks[i].Kind != measure.Content {
			return false
		}
	}
	return true
}

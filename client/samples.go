package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
)

// Samples are some samples of one agent.
type Samples struct {
	// Context says whose they are, and is what report.EncodeRow needs to write
	// one as a row.
	Context report.RowContext
	// Samples are what was observed of one request each, in nanoseconds from the
	// run's anchor on the agent's clock.
	Samples []measure.Sample
}

// Samples yields everything that was observed of the requests of a run that has
// ended, in no particular order.
func (c *Client) Samples(ctx context.Context, id string) iter.Seq2[Samples, error] {
	return func(yield func(Samples, error) bool) {
		r, _, err := c.Report(ctx, id)
		if err != nil {
			yield(Samples{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.rpc.StreamSamples(ctx, &stampedev1.StreamSamplesRequest{TestId: r.ID})
		for err == nil {
			var answer *stampedev1.StreamSamplesResponse
			if answer, err = stream.Recv(); err != nil {
				break
			}
			s, err := samplesFrom(r, answer)
			if !yield(s, err) || err != nil {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(Samples{}, fail(err, "get samples of %s", r.ID))
		}
	}
}

func samplesFrom(r *report.Report, answer *stampedev1.StreamSamplesResponse) (Samples, error) {
	s := Samples{
		Context: r.RowContext(answer.GetAgent(), answer.GetAnchorTime().AsTime(), answer.GetCorrectionNanos()),
		Samples: make([]measure.Sample, len(answer.GetSamples())),
	}
	s.Context.FirstStagePhase = answer.GetFirstStagePhase()
	for i, p := range answer.GetSamples() {
		if err := wire.SampleFromProto(p, &s.Samples[i]); err != nil {
			return Samples{}, fmt.Errorf("get samples of %s: %w", r.ID, err)
		}
	}
	return s, nil
}

// WriteRows writes requests_ID.jsonl of a run that has ended to w and returns
// how many rows it wrote.
func (c *Client) WriteRows(ctx context.Context, id string, w io.Writer) (rows int64, err error) {
	var buf []byte
	for s, err := range c.Samples(ctx, id) {
		if err != nil {
			return rows, err
		}
		buf = buf[:0]
		for i := range s.Samples {
			before := len(buf)
			if buf = report.EncodeRow(buf, &s.Context, &s.Samples[i]); len(buf) > before {
				rows++
			}
		}
		if _, err := w.Write(buf); err != nil {
			return rows, fmt.Errorf("write rows of %s: %w", id, err)
		}
	}
	return rows, nil
}

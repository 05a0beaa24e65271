package journal

import (
	"encoding/json"
	"fmt"
	"sort"
)

// Kind tells what a record holds. Values are part of the format.
type Kind uint8

const (
	// KindRun is a RunRecord: the first record of a segment, and there once more
	// for each time the run was resumed.
	KindRun Kind = 1
	// KindShard is a ShardRecord: it stands before the shard's first batch, and
	// again as KindRun does.
	KindShard Kind = 2
	// KindBatch is a marshalled stampede.v1.SampleBatch that holds only samples
	// whose entries had no outcome before: each entry is in a segment once.
	KindBatch Kind = 3
	// KindFinal is a marshalled stampede.v1.SampleBatch with entries that were
	// settled without a sample, at the end of the run.
	KindFinal Kind = 4
	// KindClock is a ClockRecord.
	KindClock Kind = 5
)

// RunRecord says what a segment is about.
type RunRecord struct {
	RunID           string `json:"run_id"`
	AnchorUnixNanos int64  `json:"anchor_unix_nanos"`
	FirstStagePhase int32  `json:"first_stage_phase"`
}

// ShardRecord says which agent works on an attempt at a shard.
type ShardRecord struct {
	Offset  int64  `json:"offset"`
	Stride  int64  `json:"stride"`
	Attempt int32  `json:"attempt"`
	AgentID string `json:"agent_id"`
	Agent   string `json:"agent"` // name
}

// ClockRecord says what brings an agent's offsets to the controller's clock, point
// by point in order of time. A later one for the same agent replaces it.
type ClockRecord struct {
	AgentID string       `json:"agent_id"`
	Points  []ClockPoint `json:"points,omitempty"`
	// CorrectionNanos is what older segments have in the place of points.
	CorrectionNanos int64 `json:"correction_nanos,omitempty"`
}

// ClockPoint is what to add to an offset since the run's anchor.
type ClockPoint struct {
	OffsetNanos     int64 `json:"offset_nanos"`
	CorrectionNanos int64 `json:"correction_nanos"`
}

// correctionGrain is what corrections are whole multiples of, in nanoseconds: far
// less than clocks are known to, and enough for rows to share one while a clock
// drifts.
const correctionGrain = 10_000

// At is the correction at an offset: between points by a straight line, beyond
// them as at the nearest.
func (c ClockRecord) At(offset int64) int64 {
	exact := c.at(offset)
	rest := exact % correctionGrain
	switch {
	case rest >= correctionGrain/2:
		rest -= correctionGrain
	case rest < -correctionGrain/2:
		rest += correctionGrain
	}
	return exact - rest
}

func (c ClockRecord) at(offset int64) int64 {
	i := sort.Search(len(c.Points), func(i int) bool { return c.Points[i].OffsetNanos >= offset })
	switch {
	case len(c.Points) == 0:
		return c.CorrectionNanos
	case i == 0:
		return c.Points[0].CorrectionNanos
	case i == len(c.Points):
		return c.Points[i-1].CorrectionNanos
	}
	a, b := c.Points[i-1], c.Points[i]
	share := float64(offset-a.OffsetNanos) / float64(b.OffsetNanos-a.OffsetNanos)
	return a.CorrectionNanos + int64(share*float64(b.CorrectionNanos-a.CorrectionNanos))
}

// AppendJSON appends a small record as JSON.
func (s *Segment) AppendJSON(k Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("journal record of kind %d: %w", k, err)
	}
	_, err = s.Append(k, b)
	return err
}

// Decode reads a small record that AppendJSON wrote.
func (r Record) Decode(v any) error {
	if err := json.Unmarshal(r.Payload, v); err != nil {
		return fmt.Errorf("journal record of kind %d at byte %d: %w", r.Kind, r.Offset, err)
	}
	return nil
}

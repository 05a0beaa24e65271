package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// Report is report_ID.json. Build makes it and Parse reads it; it is not changed
// afterwards. Durations are in seconds; nil is null, a figure that does not
// exist.
type Report struct {
	// Keys that readers of the original's reports know. All repeat figures below.
	RequestNum int64    `json:"request_num"` // accounting.planned
	FailRate   *float64 `json:"fail_rate"`
	TTFT       *Seed    `json:"TTFT"` // metrics.ttft
	SLOShare   *float64 `json:"SLO"`
	TPOT       *Seed    `json:"TPOT"`       // metrics.tpot
	PeakOutput *float64 `json:"Throughput"` // output tokens/s in the best 5 s
	// Keys that readers of its fork know.
	Latency          *Seed    `json:"latency"` // metrics.e2e
	TotalRequestNum  int64    `json:"Total_request_num"`
	TotalFailRate    *float64 `json:"Fail_rate"`
	TotalDurationSec *float64 `json:"Total_duration_sec"`
	RPS              *float64 `json:"RPS"` // throughput.request_throughput

	ID     string            `json:"id"` // of the run
	TestID string            `json:"test_id"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Model  string            `json:"model"`
	// State is SUCCEEDED, FAILED or CANCELLED; Reason says why it did not succeed.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`

	// Trials is there when the report is that of several trials.
	Trials     *Trials              `json:"trials,omitempty"`
	Verdict    Verdict              `json:"verdict"`
	Gates      []GateResult         `json:"gates"` // of the spec, in its order
	Accounting Accounting           `json:"accounting"`
	Metrics    Metrics              `json:"metrics"`
	SLO        SLO                  `json:"slo"`
	Throughput measure.Throughput   `json:"throughput"`
	Duration   *float64             `json:"duration"` // first sent to last last_token
	Series     Series               `json:"series"`
	Errors     []measure.ErrorGroup `json:"errors"` // most frequent first
	Agents     []AgentReport        `json:"agents"`
	Generator  Generator            `json:"generator"`
	Stages     []Stage              `json:"stages"`
	Server     Server               `json:"server"`
	// PrefixCache compares hits with what was wanted; nil when nothing was.
	PrefixCache *PrefixCache `json:"prefix_cache,omitempty"`

	Definitions map[string]Definition `json:"definitions"`
	// Spec is the effective spec, secrets masked.
	Spec            *workload.Spec `json:"spec"`
	WorkloadHash    Hash           `json:"workload_hash"`
	StartedAt       time.Time      `json:"started_at"` // the run's anchor
	EndedAt         time.Time      `json:"ended_at"`
	StampedeVersion string         `json:"stampede_version"`
}

// Hash is a workload hash in hex; empty, which is null, when it is not known.
type Hash string

// MarshalJSON implements json.Marshaler.
func (h Hash) MarshalJSON() ([]byte, error) {
	if h == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(h))
}

// Metrics are distributions by figure; nil where the figure does not exist.
type Metrics map[measure.Figure]*measure.Distribution

// Seed is a distribution in the original's shape.
type Seed struct {
	Min *float64 `json:"min"`
	Max *float64 `json:"max"`
	Avg *float64 `json:"avg"`
	Std *float64 `json:"std"`
	P95 *float64 `json:"95_percentile"`
}

// Accounting is what became of every planned request. Warmup counts apart.
type Accounting struct {
	ledger.Accounting
	Warmup ledger.Accounting `json:"warmup"`
	// UnsentByReason divides unsent; nil when there is none.
	UnsentByReason *UnsentReasons `json:"unsent_by_reason,omitempty"`
	// LostWithoutRow is how many of the lost have no row; nil when all have.
	LostWithoutRow *WithoutRow `json:"lost_without_row,omitempty"`
	// LateSamples came after the run was closed and are in no figure.
	LateSamples int64 `json:"late_samples"`
}

// UnsentReasons says why requests were never sent.
type UnsentReasons struct {
	TurnBefore int64 `json:"turn_before"` // an earlier turn of the session failed
	Stopped    int64 `json:"stopped"`     // the run was stopped
}

// WithoutRow counts requests that no row was written of, warmup included.
type WithoutRow struct {
	Count int64 `json:"count"`
	// Ranges is where they are; empty in a report of several trials.
	Ranges []RowGap `json:"ranges,omitempty"`
}

// RowGap is requests without a row among those with an index from FromIndex to
// ToIndex-1: Count of them.
type RowGap struct {
	FromIndex int64 `json:"from_index"`
	ToIndex   int64 `json:"to_index"`
	Count     int64 `json:"count"`
}

// Series is what happened along the run, as columns of equal length. Point i
// covers Interval seconds from T[i] seconds after started_at on; warmup is not in
// it.
type Series struct {
	Interval     float64    `json:"interval"`
	T            []float64  `json:"t"`
	Sent         []int64    `json:"sent"`
	Done         []int64    `json:"done"` // succeeded, by their end
	Failed       []int64    `json:"failed"`
	InFlight     []int64    `json:"in_flight"` // at T
	OutputTokens []int64    `json:"output_tokens"`
	TTFTP50      []*float64 `json:"ttft_p50"`
	TTFTP99      []*float64 `json:"ttft_p99"`
}

// PrefixCache is the share of input tokens that a prefix cache served.
type PrefixCache struct {
	Wanted float64  `json:"wanted"`
	Got    *float64 `json:"got"` // nil when the endpoint does not tell
}

// SLO says how far the objectives were met; all null without objectives.
type SLO struct {
	Attainment   *float64                  `json:"attainment"`
	GoodputRPS   *float64                  `json:"goodput_rps"`
	PerObjective map[string]ObjectiveShare `json:"per_objective"`
}

// ObjectiveShare is one objective by itself.
type ObjectiveShare struct {
	Limit      float64  `json:"limit"` // s
	Met        int64    `json:"met"`
	Attainment *float64 `json:"attainment"`
}

// Stage is one stage's part of the report.
type Stage struct {
	Name        string `json:"name"`
	Description string `json:"description"` // of its load, in words
	// Load is the stage as the spec has it.
	Load workload.Stage `json:"load"`
	// Begin and End bound its dispatch, in seconds since started_at.
	Begin      float64            `json:"begin"`
	End        float64            `json:"end"`
	Accounting ledger.Accounting  `json:"accounting"`
	FailRate   *float64           `json:"fail_rate"`
	Metrics    Metrics            `json:"metrics"`
	Throughput measure.Throughput `json:"throughput"`
	Duration   *float64           `json:"duration"`
	SLO        SLO                `json:"slo"`
}

// JSON returns report_ID.json: indented, lists of numbers on one line, keys in
// stable order.
func (r *Report) JSON() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("encode report %s: %w", r.ID, err)
	}
	return indent(buf.Bytes()), nil
}

// Parse reads a report_ID.json. Files that are no report of this program are
// refused; keys that a later version added are ignored.
func Parse(data []byte) (*Report, error) {
	var mark struct {
		ID      *string          `json:"id"`
		Verdict *json.RawMessage `json:"verdict"`
		Version *string          `json:"stampede_version"`
	}
	if err := json.Unmarshal(data, &mark); err != nil {
		return nil, fmt.Errorf("not a report: %w", err)
	}
	if mark.ID == nil || mark.Verdict == nil || mark.Version == nil {
		return nil, errors.New("not a Stampede report: it lacks id, verdict or stampede_version")
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("report %q of version %s can't be read: %w", *mark.ID, *mark.Version, err)
	}
	return &r, nil
}

// RowContext is what the rows of one agent of this run have in common. anchor is
// the run's anchor on the controller's clock and correction brings the agent's
// offsets to it, in nanoseconds.
func (r *Report) RowContext(agent string, anchor time.Time, correction int64) RowContext {
	c := RowContext{
		RunID: r.ID, Agent: agent, Model: r.Model,
		AnchorUnix: anchor.UnixNano(), Correction: correction,
	}
	if r.Spec != nil {
		c.URL, c.SLO, c.Streaming = publicURL(r.Spec.Endpoint.URL), objectives(r.Spec.SLO), r.Spec.Streaming()
		if len(r.Spec.Endpoint.Models) > 0 {
			c.Mix = r.Spec
		}
		if r.Spec.Load.Warmup != (workload.Warmup{}) {
			c.FirstStagePhase = 1
		}
	}
	return c
}

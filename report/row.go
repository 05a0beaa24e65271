package report

import (
	"github.com/stampede-bench/stampede/measure"
)

// Words of a row's columns.
const (
	phaseWarmup      = "warmup"
	phaseMeasure     = "measure"
	stampKernel      = "kernel"
	stampProcess     = "process"
	connectionNew    = "new"
	connectionReused = "reused"
)

// statusWords are the names of outcomes in rows, by measure.Status.
var statusWords = [...]string{
	measure.Succeeded: "succeeded",
	measure.Failed:    "failed",
	measure.TimedOut:  "timed_out",
	measure.Cancelled: "cancelled",
	measure.Unsent:    "unsent",
	measure.Lost:      "lost",
}

func statusWord(s measure.Status) string {
	if int(s) < len(statusWords) {
		return statusWords[s]
	}
	return ""
}

func statusOf(word string) (measure.Status, bool) {
	for s, w := range statusWords {
		if w != "" && w == word {
			return measure.Status(s), true
		}
	}
	return measure.StatusNone, false
}

// Row is one line of requests_ID.jsonl: one request. Nil is null, which means
// that there is no such value.
type Row struct {
	ID      string `json:"id"`
	Index   int64  `json:"index"`
	Session int64  `json:"session"`
	Turn    int32  `json:"turn"`
	Stage   *int32 `json:"stage"` // from 0; null in warmup
	Phase   string `json:"phase"` // warmup or measure
	Agent   string `json:"agent"`
	Model   string `json:"model"`
	URL     string `json:"url"`
	Attempt int32  `json:"attempt"`

	IntendedUnixNS    *int64 `json:"intended_unix_ns"`
	SentUnixNS        *int64 `json:"sent_unix_ns"`
	HeadersUnixNS     *int64 `json:"headers_unix_ns"`
	FirstTokenUnixNS  *int64 `json:"first_token_unix_ns"`
	FirstOutputUnixNS *int64 `json:"first_output_unix_ns"`
	LastTokenUnixNS   *int64 `json:"last_token_unix_ns"`
	EndUnixNS         *int64 `json:"end_unix_ns"`
	// IntendedOffsetNS is the nominal offset in the schedule, a pure function of
	// the spec; null in closed loop.
	IntendedOffsetNS *int64 `json:"intended_offset_ns"`

	ChunkOffsetsNS []int64 `json:"chunk_offsets_ns"` // from sent
	ChunkTokens    []int32 `json:"chunk_tokens"`
	TokenSource    *string `json:"token_source"`

	InputTokens       *int32  `json:"input_tokens"`
	OutputTokens      *int32  `json:"output_tokens"`
	OutputTokensAsked *int32  `json:"output_tokens_asked"`
	ReasoningTokens   *int32  `json:"reasoning_tokens"`
	CachedTokens      *int32  `json:"cached_tokens"`
	FinishReason      *string `json:"finish_reason"`

	Stamp              *string `json:"stamp"` // kernel or process; null without an answer
	StampUncertaintyNS int64   `json:"stamp_uncertainty_ns"`
	ReadDelayMaxNS     int64   `json:"read_delay_max_ns"`
	CoalescedChunks    int32   `json:"coalesced_chunks"`
	Connection         *string `json:"connection"` // new or reused; null when not sent

	Status     string    `json:"status"`
	HTTPStatus *int32    `json:"http_status"`
	SLOMet     *bool     `json:"slo_met"`
	Error      *RowError `json:"error"`

	ConnectNS        *int64 `json:"connect_ns"` // spent to connect for this request
	InputTokensAsked *int32 `json:"input_tokens_asked"`
	StaleConnection  bool   `json:"stale_connection"`
	DetailShed       bool   `json:"detail_shed"`
}

// RowError says how a request failed.
type RowError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Sample returns the row as the sample it was made of. anchorUnix is the run's
// anchor (the report's started_at) in nanoseconds since the Unix epoch, and
// firstStagePhase as in RowContext; the agent's clock correction stays in the
// offsets.
func (r *Row) Sample(anchorUnix int64, firstStagePhase int32) measure.Sample {
	offset := func(unix *int64) int64 {
		if unix == nil {
			return measure.Absent
		}
		return *unix - anchorUnix
	}
	status, _ := statusOf(r.Status)
	s := measure.Sample{
		Index: r.Index, Session: r.Session, Turn: r.Turn,
		Attempt: r.Attempt, Status: status,
		ScheduleOffset:    or(r.IntendedOffsetNS, measure.Absent),
		Intended:          offset(r.IntendedUnixNS),
		Sent:              offset(r.SentUnixNS),
		Headers:           offset(r.HeadersUnixNS),
		FirstToken:        offset(r.FirstTokenUnixNS),
		FirstOutput:       offset(r.FirstOutputUnixNS),
		LastToken:         offset(r.LastTokenUnixNS),
		End:               offset(r.EndUnixNS),
		ChunkOffsets:      r.ChunkOffsetsNS,
		ChunkTokens:       r.ChunkTokens,
		TokenSource:       or(r.TokenSource, ""),
		InputTokens:       or(r.InputTokens, -1),
		OutputTokens:      or(r.OutputTokens, -1),
		ReasoningTokens:   or(r.ReasoningTokens, -1),
		CachedTokens:      or(r.CachedTokens, -1),
		OutputTokensAsked: or(r.OutputTokensAsked, 0),
		InputTokensAsked:  or(r.InputTokensAsked, 0),
		FinishReason:      or(r.FinishReason, ""),
		KernelStamped:     or(r.Stamp, "") == stampKernel,
		StampUncertainty:  r.StampUncertaintyNS,
		ReadDelayMax:      r.ReadDelayMaxNS,
		CoalescedChunks:   r.CoalescedChunks,
		Reused:            or(r.Connection, "") == connectionReused,
		ConnectNanos:      or(r.ConnectNS, 0),
		HTTPStatus:        or(r.HTTPStatus, 0),
		DetailShed:        r.DetailShed,
		Stale:             r.StaleConnection,
	}
	if r.Stage != nil {
		s.Phase = firstStagePhase + *r.Stage
	}
	if r.Error != nil {
		s.ErrorKind, s.ErrorMessage = r.Error.Kind, r.Error.Message
	}
	return s
}

func or[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

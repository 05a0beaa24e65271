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

// Row is one line of requests_ID.jsonl, and one row of requests_ID.parquet: one
// request. Nil is null, which means that there is no such value.
type Row struct {
	ID      string `json:"id" parquet:"id"`
	Index   int64  `json:"index" parquet:"index"`
	Session int64  `json:"session" parquet:"session"`
	Turn    int32  `json:"turn" parquet:"turn"`
	Stage   *int32 `json:"stage" parquet:"stage,optional"` // from 0; null in warmup
	Phase   string `json:"phase" parquet:"phase,dict"`     // warmup or measure
	Agent   string `json:"agent" parquet:"agent,dict"`
	Model   string `json:"model" parquet:"model,dict"`
	URL     string `json:"url" parquet:"url,dict"`
	Attempt int32  `json:"attempt" parquet:"attempt"`

	IntendedUnixNS    *int64 `json:"intended_unix_ns" parquet:"intended_unix_ns,optional"`
	SentUnixNS        *int64 `json:"sent_unix_ns" parquet:"sent_unix_ns,optional"`
	HeadersUnixNS     *int64 `json:"headers_unix_ns" parquet:"headers_unix_ns,optional"`
	FirstTokenUnixNS  *int64 `json:"first_token_unix_ns" parquet:"first_token_unix_ns,optional"`
	FirstOutputUnixNS *int64 `json:"first_output_unix_ns" parquet:"first_output_unix_ns,optional"`
	LastTokenUnixNS   *int64 `json:"last_token_unix_ns" parquet:"last_token_unix_ns,optional"`
	EndUnixNS         *int64 `json:"end_unix_ns" parquet:"end_unix_ns,optional"`
	// IntendedOffsetNS is the nominal offset in the schedule, a pure function of
	// the spec; null in closed loop.
	IntendedOffsetNS *int64 `json:"intended_offset_ns" parquet:"intended_offset_ns,optional"`

	ChunkOffsetsNS []int64 `json:"chunk_offsets_ns" parquet:"chunk_offsets_ns,list,optional"` // from sent
	ChunkTokens    []int32 `json:"chunk_tokens" parquet:"chunk_tokens,list,optional"`
	TokenSource    *string `json:"token_source" parquet:"token_source,dict,optional"`

	InputTokens       *int32  `json:"input_tokens" parquet:"input_tokens,optional"`
	OutputTokens      *int32  `json:"output_tokens" parquet:"output_tokens,optional"`
	OutputTokensAsked *int32  `json:"output_tokens_asked" parquet:"output_tokens_asked,optional"`
	ReasoningTokens   *int32  `json:"reasoning_tokens" parquet:"reasoning_tokens,optional"`
	CachedTokens      *int32  `json:"cached_tokens" parquet:"cached_tokens,optional"`
	FinishReason      *string `json:"finish_reason" parquet:"finish_reason,dict,optional"`

	Stamp              *string `json:"stamp" parquet:"stamp,dict,optional"` // kernel or process; null without an answer
	StampUncertaintyNS int64   `json:"stamp_uncertainty_ns" parquet:"stamp_uncertainty_ns"`
	ReadDelayMaxNS     int64   `json:"read_delay_max_ns" parquet:"read_delay_max_ns"`
	CoalescedChunks    int32   `json:"coalesced_chunks" parquet:"coalesced_chunks"`
	Connection         *string `json:"connection" parquet:"connection,dict,optional"` // new or reused; null when not sent

	Status     string    `json:"status" parquet:"status,dict"`
	HTTPStatus *int32    `json:"http_status" parquet:"http_status,optional"`
	SLOMet     *bool     `json:"slo_met" parquet:"slo_met,optional"`
	Error      *RowError `json:"error" parquet:"error,optional"`

	ConnectNS        *int64 `json:"connect_ns" parquet:"connect_ns,optional"` // spent to connect for this request
	InputTokensAsked *int32 `json:"input_tokens_asked" parquet:"input_tokens_asked,optional"`
	StaleConnection  bool   `json:"stale_connection" parquet:"stale_connection"`
	ResendNS         *int64 `json:"resend_ns" parquet:"resend_ns,optional"` // from the first attempt to the one that counts
	DetailShed       bool   `json:"detail_shed" parquet:"detail_shed"`
}

// RowError says how a request failed.
type RowError struct {
	Kind    string `json:"kind" parquet:"kind,dict"`
	Message string `json:"message" parquet:"message"`
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
		ResendNanos:       or(r.ResendNS, 0),
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

package report

import (
	"strconv"
	"unicode/utf8"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// RowContext is what the rows of one agent in one run have in common. It may be
// used by many goroutines as long as nobody changes it.
type RowContext struct {
	RunID string
	Agent string
	Model string
	URL   string // without user and password
	// AnchorUnix is the run's anchor on the controller's clock, nanoseconds since
	// the Unix epoch; Correction brings this agent's offsets to that clock.
	AnchorUnix int64
	Correction int64
	// FirstStagePhase is the phase that is stage 0: 1 with a warmup, else 0.
	FirstStagePhase int32
	// SLO judges slo_met, which is null without an objective; Streaming says
	// whether replies were streamed.
	SLO       measure.SLO
	Streaming bool
	// Mix is the spec of a run that asks several models; nil: all rows are Model's.
	Mix *workload.Spec
}

// modelOf is the model that a session asked.
func (c *RowContext) modelOf(session int64) string {
	if c.Mix == nil {
		return c.Model
	}
	return c.Mix.ModelOf(session)
}

// EncodeRow appends the row of one sample and a newline to dst. A sample of an
// entry that was never sent has no row; dst is returned as it is. It allocates
// only when dst must grow.
func EncodeRow(dst []byte, c *RowContext, s *measure.Sample) []byte {
	if s.Status == measure.Unsent || s.Status == measure.StatusNone {
		return dst
	}
	e := rowEncoder{b: append(dst, '{'), shift: c.AnchorUnix + c.Correction}
	e.identity(c, s)
	e.instants(s)
	e.chunks(s)
	e.tokens(s)
	e.stamps(s)
	e.outcome(c, s)
	e.detail(s)
	return append(e.b, '}', '\n')
}

type rowEncoder struct {
	b     []byte
	shift int64 // from an offset to Unix nanoseconds
}

func (e *rowEncoder) identity(c *RowContext, s *measure.Sample) {
	e.b = append(e.b, `"id":"`...)
	e.b = appendEscaped(e.b, c.RunID)
	e.b = append(e.b, '-')
	e.b = strconv.AppendInt(e.b, s.Index, 10)
	e.b = append(e.b, '"')
	e.integer("index", s.Index)
	e.integer("session", s.Session)
	e.integer("turn", int64(s.Turn))
	if s.Phase < c.FirstStagePhase {
		e.null("stage")
		e.text("phase", phaseWarmup)
	} else {
		e.integer("stage", int64(s.Phase-c.FirstStagePhase))
		e.text("phase", phaseMeasure)
	}
	e.text("agent", c.Agent)
	e.text("model", c.modelOf(s.Session))
	e.text("url", c.URL)
	e.integer("attempt", int64(s.Attempt))
}

func (e *rowEncoder) instants(s *measure.Sample) {
	e.instant("intended_unix_ns", s.Intended)
	e.instant("sent_unix_ns", s.Sent)
	e.instant("headers_unix_ns", s.Headers)
	e.instant("first_token_unix_ns", s.FirstToken)
	e.instant("first_output_unix_ns", s.FirstOutput)
	e.instant("last_token_unix_ns", s.LastToken)
	e.instant("end_unix_ns", s.End)
	e.nullable("intended_offset_ns", s.ScheduleOffset, s.ScheduleOffset != measure.Absent)
}

func (e *rowEncoder) chunks(s *measure.Sample) {
	if len(s.ChunkOffsets) == 0 {
		e.null("chunk_offsets_ns")
		e.null("chunk_tokens")
		return
	}
	e.key("chunk_offsets_ns")
	for i, offset := range s.ChunkOffsets {
		e.b = append(e.b, opener(i))
		e.b = strconv.AppendInt(e.b, offset, 10)
	}
	e.b = append(e.b, ']')
	e.key("chunk_tokens")
	for i := range s.ChunkOffsets {
		e.b = append(e.b, opener(i))
		e.b = strconv.AppendInt(e.b, chunkTokens(s, i), 10)
	}
	e.b = append(e.b, ']')
}

// chunkTokens is the number of tokens in chunk i; one each where none are kept.
func chunkTokens(s *measure.Sample, i int) int64 {
	if i < len(s.ChunkTokens) {
		return int64(s.ChunkTokens[i])
	}
	return 1
}

func opener(i int) byte {
	if i == 0 {
		return '['
	}
	return ','
}

func (e *rowEncoder) tokens(s *measure.Sample) {
	e.word("token_source", s.TokenSource)
	e.nullable("input_tokens", int64(s.InputTokens), s.InputTokens >= 0)
	e.nullable("output_tokens", int64(s.OutputTokens), s.OutputTokens >= 0)
	e.nullable("output_tokens_asked", int64(s.OutputTokensAsked), s.OutputTokensAsked > 0)
	e.nullable("reasoning_tokens", int64(s.ReasoningTokens), s.ReasoningTokens >= 0)
	e.nullable("cached_tokens", int64(s.CachedTokens), s.CachedTokens >= 0)
	e.word("finish_reason", s.FinishReason)
}

func (e *rowEncoder) stamps(s *measure.Sample) {
	switch {
	case s.Headers == measure.Absent:
		e.null("stamp")
	case s.KernelStamped:
		e.text("stamp", stampKernel)
	default:
		e.text("stamp", stampProcess)
	}
	e.integer("stamp_uncertainty_ns", s.StampUncertainty)
	e.integer("read_delay_max_ns", s.ReadDelayMax)
	e.integer("coalesced_chunks", int64(s.CoalescedChunks))
	switch {
	case s.Sent == measure.Absent:
		e.null("connection")
	case s.Reused:
		e.text("connection", connectionReused)
	default:
		e.text("connection", connectionNew)
	}
}

func (e *rowEncoder) outcome(c *RowContext, s *measure.Sample) {
	e.text("status", statusWord(s.Status))
	e.nullable("http_status", int64(s.HTTPStatus), s.HTTPStatus != 0)
	if c.SLO.Any() && s.Status != measure.Cancelled {
		_, _, _, met := c.SLO.Met(s, c.Streaming)
		e.boolean("slo_met", met)
	} else {
		e.null("slo_met")
	}
	if s.ErrorKind == "" && s.ErrorMessage == "" {
		e.null("error")
		return
	}
	e.key("error")
	e.b = append(e.b, `{"kind":"`...)
	e.b = appendEscaped(e.b, s.ErrorKind)
	e.b = append(e.b, `","message":"`...)
	e.b = appendEscaped(e.b, s.ErrorMessage)
	e.b = append(e.b, '"', '}')
}

// detail is what a report needs beside the contract's columns to be computed
// again.
func (e *rowEncoder) detail(s *measure.Sample) {
	e.nullable("connect_ns", s.ConnectNanos, s.ConnectNanos > 0)
	e.nullable("input_tokens_asked", int64(s.InputTokensAsked), s.InputTokensAsked > 0)
	e.boolean("stale_connection", s.Stale)
	e.nullable("resend_ns", s.ResendNanos, s.ResendNanos != 0)
	e.boolean("detail_shed", s.DetailShed)
}

func (e *rowEncoder) key(name string) {
	e.b = append(e.b, ',', '"')
	e.b = append(e.b, name...)
	e.b = append(e.b, '"', ':')
}

func (e *rowEncoder) integer(name string, v int64) {
	e.key(name)
	e.b = strconv.AppendInt(e.b, v, 10)
}

func (e *rowEncoder) nullable(name string, v int64, there bool) {
	if !there {
		e.null(name)
		return
	}
	e.integer(name, v)
}

func (e *rowEncoder) instant(name string, offset int64) {
	e.nullable(name, offset+e.shift, offset != measure.Absent)
}

func (e *rowEncoder) boolean(name string, v bool) {
	e.key(name)
	e.b = strconv.AppendBool(e.b, v)
}

func (e *rowEncoder) null(name string) {
	e.key(name)
	e.b = append(e.b, "null"...)
}

func (e *rowEncoder) text(name, v string) {
	e.key(name)
	e.b = append(e.b, '"')
	e.b = appendEscaped(e.b, v)
	e.b = append(e.b, '"')
}

func (e *rowEncoder) word(name, v string) {
	if v == "" {
		e.null(name)
		return
	}
	e.text(name, v)
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends s as the inside of a JSON string. Bytes that are not
// UTF-8 become U+FFFD, as with encoding/json.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendControl(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			i++
			start = i
			continue
		}
		i += size
	}
	return append(dst, s[start:]...)
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

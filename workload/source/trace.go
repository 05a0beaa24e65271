package source

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// The traces: rows with a moment, a length of the prompt and a length of the
// reply.
var traces = []Schema{
	{
		Name: "azure", Description: "Azure LLM inference trace (TIMESTAMP, ContextTokens, GeneratedTokens)",
		needs: []string{"TIMESTAMP", "ContextTokens", "GeneratedTokens"}, timed: true,
		open: func(*Reader) mapper { return traceOf[azureRow]{} },
	},
	{
		Name: "burstgpt", Description: "BurstGPT trace (Timestamp, Model, Request tokens, Response tokens)",
		needs: []string{"Timestamp", "Request tokens", "Response tokens"}, timed: true,
		open: func(r *Reader) mapper { return burstGPT{reader: r} },
	},
	{
		Name: "bailian", Description: "Bailian usage trace (chat_id, timestamp in seconds, blocks of 16 tokens)",
		needs: []string{"chat_id", "timestamp", "input_length", "output_length"}, timed: true,
		open: func(*Reader) mapper { return traceOf[bailianRow]{} },
	},
	{
		Name: "mooncake", Description: "Mooncake trace, also in AIPerf's and vLLM's form (timestamp in ms, input_length, output_length, hash_ids)",
		needs: []string{"input_length"}, also: [][]string{{"text_input"}, {"hash_ids"}}, timed: true, open: openMooncake,
	},
	{
		Name: "timed", Description: "rows of timestamp (seconds or a date), input_tokens, output_tokens",
		needs: []string{"timestamp", "input_tokens", "output_tokens"}, timed: true,
		open: func(*Reader) mapper { return traceOf[timedRow]{} },
	},
	{
		Name: "otel", Description: "OpenTelemetry spans of GenAI calls, in OTLP's JSON",
		needs: []string{"resourceSpans"}, timed: true, open: func(r *Reader) mapper { return newSpans(r) },
	},
}

// traced is a row that says when a request came and how long it was.
type traced interface {
	record() (dataset.Record, error)
}

// fieldError is what is wrong with one column of a row.
type fieldError struct {
	column string
	err    error
}

func (f *fieldError) Error() string { return f.column + ": " + f.err.Error() }
func (f *fieldError) Unwrap() error { return f.err }

func wrong(column, format string, args ...any) error {
	return &fieldError{column, fmt.Errorf(format, args...)}
}

// place puts an error where its column stands in the row.
func (r *row) place(err error) error {
	var field *fieldError
	if !errors.As(err, &field) {
		return r.fail(0, err)
	}
	for _, c := range r.cells {
		if c.name == field.column {
			return r.fail(c.from, err)
		}
	}
	quoted := []byte(strconv.Quote(field.column))
	if at := bytes.Index(r.data, quoted); at >= 0 {
		value := at + len(quoted)
		for value < len(r.data) && (isSpace(r.data[value]) || r.data[value] == ':') {
			value++
		}
		return r.fail(value, err)
	}
	return r.fail(0, err)
}

// traceOf maps rows that are complete by themselves.
type traceOf[T traced] struct{}

func (traceOf[T]) row(one *row) ([]dataset.Record, error) {
	var parsed T
	if err := one.decode(&parsed); err != nil {
		return nil, err
	}
	record, err := parsed.record()
	if err != nil {
		return nil, one.place(err)
	}
	return []dataset.Record{record}, nil
}

func (traceOf[T]) end() ([]dataset.Record, error) { return nil, nil }

// request is a record of one request that only has lengths.
func request(at int64, turn dataset.Turn) dataset.Record {
	turn.OffsetNanos = -1
	return dataset.Record{OffsetNanos: at, Turns: []dataset.Turn{turn}}
}

// azureRow is a row of Azure's traces of 2023 and 2024.
type azureRow struct {
	Timestamp string `json:"TIMESTAMP"`
	Context   *int   `json:"ContextTokens"`
	Generated *int   `json:"GeneratedTokens"`
}

func (r azureRow) record() (dataset.Record, error) {
	at, err := moment("TIMESTAMP", r.Timestamp)
	if err != nil {
		return dataset.Record{}, err
	}
	turn, err := lengths("ContextTokens", r.Context, "GeneratedTokens", r.Generated)
	return request(at, turn), err
}

// timedRow is a row of the plainest trace.
type timedRow struct {
	Timestamp stamp `json:"timestamp"`
	Input     *int  `json:"input_tokens"`
	Output    *int  `json:"output_tokens"`
}

func (r timedRow) record() (dataset.Record, error) {
	at, err := r.Timestamp.nanos("timestamp", time.Second)
	if err != nil {
		return dataset.Record{}, err
	}
	turn, err := lengths("input_tokens", r.Input, "output_tokens", r.Output)
	return request(at, turn), err
}

// bailianRow is a row of a Bailian usage trace: every turn is a row, with all of
// its history in its blocks.
type bailianRow struct {
	Timestamp stamp   `json:"timestamp"`
	Input     *int    `json:"input_length"`
	Output    *int    `json:"output_length"`
	Blocks    []int64 `json:"hash_ids"`
}

const bailianBlock = 16

func (r bailianRow) record() (dataset.Record, error) {
	at, err := r.Timestamp.nanos("timestamp", time.Second)
	if err != nil {
		return dataset.Record{}, err
	}
	turn, err := lengths("input_length", r.Input, "output_length", r.Output)
	if err == nil {
		err = blocks(&turn, r.Blocks, bailianBlock)
	}
	return request(at, turn), err
}

// burstGPT maps rows of a BurstGPT trace.
type burstGPT struct{ reader *Reader }

const noteFailed = "requests that had failed when they were recorded, left out"

func (b burstGPT) row(one *row) ([]dataset.Record, error) {
	var parsed struct {
		Timestamp stamp `json:"Timestamp"`
		Request   *int  `json:"Request tokens"`
		Response  *int  `json:"Response tokens"`
	}
	if err := one.decode(&parsed); err != nil {
		return nil, err
	}
	if parsed.Response != nil && *parsed.Response == 0 {
		b.reader.note(noteFailed, 1)
		return nil, nil
	}
	at, err := parsed.Timestamp.nanos("Timestamp", time.Second)
	if err != nil {
		return nil, one.place(err)
	}
	turn, err := lengths("Request tokens", parsed.Request, "Response tokens", parsed.Response)
	if err != nil {
		return nil, one.place(err)
	}
	return []dataset.Record{request(at, turn)}, nil
}

func (burstGPT) end() ([]dataset.Record, error) { return nil, nil }

// lengths makes a turn of the two lengths of a row.
func lengths(in string, input *int, out string, output *int) (dataset.Turn, error) {
	turn := dataset.Turn{OffsetNanos: -1}
	for _, l := range []struct {
		column string
		value  *int
		to     *int
	}{{in, input, &turn.InputTokens}, {out, output, &turn.OutputTokens}} {
		switch {
		case l.value == nil:
			return turn, wrong(l.column, "is missing")
		case *l.value < 1 || *l.value > dataset.MaxTokens:
			return turn, wrong(l.column, "must be from 1 to %d, got %d", dataset.MaxTokens, *l.value)
		}
		*l.to = *l.value
	}
	return turn, nil
}

// blocks gives a turn the blocks of its prompt, of which the last may be cut off.
func blocks(turn *dataset.Turn, ids []int64, size int) error {
	if len(ids) == 0 {
		return nil
	}
	if most := (turn.InputTokens + size - 1) / size; len(ids) > most {
		return wrong("hash_ids", "must be at most %d blocks of %d tokens for an input_length of %d, got %d", most, size, turn.InputTokens, len(ids))
	}
	turn.Blocks, turn.BlockTokens = ids, size
	return nil
}

// stamp is a moment as a number or as a text.
type stamp string

// UnmarshalJSON accepts a number or a string.
func (s *stamp) UnmarshalJSON(data []byte) error {
	text, err := strconv.Unquote(string(data))
	if err != nil {
		text = string(data)
	}
	*s = stamp(strings.TrimSpace(text))
	return nil
}

// nanos reads a number of units, or a date.
func (s stamp) nanos(column string, unit time.Duration) (int64, error) {
	if s == "" || s == "null" {
		return 0, wrong(column, "is missing")
	}
	whole, fraction, isDecimal := strings.Cut(string(s), ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil && !strings.HasPrefix(whole, "+") {
		if at, ok := decimalNanos(n, fraction, unit); ok && (!isDecimal || fraction != "") {
			return at, s.notNegative(column, at)
		}
	}
	if f, err := strconv.ParseFloat(string(s), 64); err == nil && !math.IsNaN(f) {
		at := f * float64(unit)
		if math.Abs(at) > maxMoment {
			return 0, wrong(column, "must be at most %g, got %s", float64(maxMoment)/float64(unit), s)
		}
		return int64(math.Round(at)), s.notNegative(column, int64(at))
	}
	return moment(column, string(s))
}

// maxMoment is a moment in the year 2200, in nanoseconds since 1970.
const maxMoment = 7_258_000_000_000_000_000

func (s stamp) notNegative(column string, at int64) error {
	if at < 0 {
		return wrong(column, "must not be negative, got %s", s)
	}
	return nil
}

// decimalNanos is a decimal number of units without the error of a float.
func decimalNanos(whole int64, fraction string, unit time.Duration) (int64, bool) {
	if whole < 0 || whole > maxMoment/int64(unit) || len(fraction) > 18 {
		return 0, false
	}
	at := whole * int64(unit)
	part := int64(unit)
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, false
		}
		part /= 10
		at += int64(c-'0') * part
	}
	return at, true
}

// dateForms are the ways to write a moment; a fraction of a second may follow the
// seconds in all of them.
var dateForms = []string{"2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", time.RFC3339}

// moment reads a date with a time of day, UTC where no zone stands.
func moment(column, text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, wrong(column, "is missing")
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			if y := t.Year(); y < 1970 || y >= 2200 {
				return 0, wrong(column, "must be between the years 1970 and 2200, got %s", text)
			}
			return t.UnixNano(), nil
		}
	}
	return 0, wrong(column, "must be a number or a date such as 2023-11-16 18:15:46.68, got %.40q", text)
}

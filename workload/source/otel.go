package source

import (
	"encoding/json"
	"math"
	"reflect"
	"sort"
	"strconv"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// spans maps OTLP's JSON: each row is an export request with spans in it, those of
// GenAI calls are taken. Spans with the same gen_ai.conversation.id are the turns
// of one session.
type spans struct {
	reader *Reader
	chats  map[string][]span
	order  []string
}

func newSpans(r *Reader) *spans { return &spans{reader: r, chats: map[string][]span{}} }

// span is one GenAI call.
type span struct {
	at   int64
	turn dataset.Turn
}

const (
	noteForeign = "spans that are no GenAI calls with token counts, left out"
	noteNoReply = "GenAI calls without an answer, left out"
)

// export is what is read of an OTLP export request.
type export struct {
	ResourceSpans []struct {
		ScopeSpans []struct {
			Spans []otlpSpan `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
}

type otlpSpan struct {
	Start      wholeText `json:"startTimeUnixNano"`
	Attributes []struct {
		Key   string `json:"key"`
		Value struct {
			Int    *wholeText `json:"intValue"`
			String *string    `json:"stringValue"`
		} `json:"value"`
	} `json:"attributes"`
}

// wholeText is a 64-bit integer, which protojson writes as a text.
type wholeText int64

// UnmarshalJSON accepts a number or a string.
func (w *wholeText) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return &json.UnmarshalTypeError{Value: "string " + text, Type: reflect.TypeFor[int64]()}
	}
	*w = wholeText(n)
	return nil
}

func (s *spans) row(one *row) ([]dataset.Record, error) {
	var parsed export
	if err := one.decode(&parsed); err != nil {
		return nil, err
	}
	var records []dataset.Record
	for _, resource := range parsed.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for i := range scope.Spans {
				record, err := s.span(&scope.Spans[i])
				if err != nil {
					return nil, one.place(err)
				}
				if record != nil {
					records = append(records, *record)
				}
			}
		}
	}
	return records, nil
}

// span takes a span; one without a conversation is a record by itself.
func (s *spans) span(x *otlpSpan) (*dataset.Record, error) {
	input, output, chat := int64(-1), int64(-1), ""
	for _, a := range x.Attributes {
		switch a.Key {
		case "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens":
			input = number(a.Value.Int, input)
		case "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens":
			output = number(a.Value.Int, output)
		case "gen_ai.conversation.id":
			if a.Value.String != nil {
				chat = *a.Value.String
			}
		}
	}
	switch {
	case input < 1:
		s.reader.note(noteForeign, 1)
		return nil, nil
	case output < 1:
		s.reader.note(noteNoReply, 1)
		return nil, nil
	case input > dataset.MaxTokens || output > dataset.MaxTokens:
		return nil, wrong("attributes", "gen_ai.usage must be at most %d tokens, got %d and %d", dataset.MaxTokens, input, output)
	case x.Start <= 0 || int64(x.Start) > maxMoment:
		return nil, wrong("startTimeUnixNano", "must be nanoseconds since 1970, got %d", int64(x.Start))
	}
	turn := dataset.Turn{InputTokens: int(input), OutputTokens: int(output), OffsetNanos: -1}
	if chat == "" {
		r := request(int64(x.Start), turn)
		return &r, nil
	}
	if _, known := s.chats[chat]; !known {
		s.order = append(s.order, chat)
	}
	s.chats[chat] = append(s.chats[chat], span{int64(x.Start), turn})
	return nil, nil
}

func number(w *wholeText, unknown int64) int64 {
	if w == nil {
		return unknown
	}
	return min(int64(*w), math.MaxInt64)
}

// end returns the conversations. Their counts of input tokens have the history in
// them, as turns do; where one is shorter than that, the application had cut it.
func (s *spans) end() ([]dataset.Record, error) {
	var records []dataset.Record
	for _, name := range s.order {
		chat := s.chats[name]
		sort.SliceStable(chat, func(i, j int) bool { return chat[i].at < chat[j].at })
		record := request(chat[0].at, chat[0].turn)
		for _, x := range chat[1:] {
			x.turn.OffsetNanos = x.at - chat[0].at
			record.Turns = append(record.Turns, x.turn)
		}
		records = append(records, record)
	}
	s.chats, s.order = nil, nil
	return records, nil
}

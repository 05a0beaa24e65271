package source

import (
	"strings"
	"time"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// mooncakeBlock is how many tokens a block of the trace has.
const mooncakeBlock = 512

func openMooncake(*Reader) mapper {
	return &mooncake{sessions: newSessions()}
}

// mooncake maps rows of a Mooncake trace, and what others added to its form: texts
// and sessions, whose rows follow one another.
type mooncake struct{ sessions sessions }

type mooncakeRow struct {
	Timestamp stamp   `json:"timestamp"` // ms
	Delay     stamp   `json:"delay"`     // ms after the turn before
	Input     *int    `json:"input_length"`
	Output    *int    `json:"output_length"`
	Blocks    []int64 `json:"hash_ids"`
	Session   string  `json:"session_id"`
	Text      *string `json:"text_input"`
	Prompt    *string `json:"input_text"`
}

func (m *mooncake) row(one *row) ([]dataset.Record, error) {
	var parsed mooncakeRow
	if err := one.decode(&parsed); err != nil {
		return nil, err
	}
	turn, err := parsed.turn()
	if err != nil {
		return nil, one.place(err)
	}
	at := int64(-1)
	if parsed.Timestamp != "" && parsed.Timestamp != "null" {
		if at, err = parsed.Timestamp.nanos("timestamp", time.Millisecond); err != nil {
			return nil, one.place(err)
		}
	}
	if parsed.Session == "" {
		return []dataset.Record{request(at, turn)}, nil
	}
	if parsed.Delay != "" && parsed.Delay != "null" {
		delay, err := parsed.Delay.nanos("delay", time.Millisecond)
		if err != nil {
			return nil, one.place(err)
		}
		turn.ThinkNanos = pauseOf(delay)
	}
	m.sessions.add(parsed.Session, at, turn)
	return nil, nil
}

// pauseOf is a pause as a turn says it, where 0 is none said.
func pauseOf(nanos int64) int64 {
	if nanos == 0 {
		return -1
	}
	return nanos
}

func (r *mooncakeRow) turn() (dataset.Turn, error) {
	text := r.Text
	if text == nil {
		text = r.Prompt
	}
	if text == nil {
		one := 1
		output := r.Output
		if output == nil {
			output = &one // as AIPerf has it
		}
		turn, err := lengths("input_length", r.Input, "output_length", output)
		if err == nil {
			err = blocks(&turn, r.Blocks, mooncakeBlock)
		}
		return turn, err
	}
	turn := dataset.Turn{OffsetNanos: -1, Messages: []dataset.Message{{Role: dataset.RoleUser, Content: *text}}}
	switch {
	case strings.TrimSpace(*text) == "":
		return turn, wrong("text_input", "is empty")
	case r.Output == nil:
		return turn, nil
	case *r.Output < 1 || *r.Output > dataset.MaxTokens:
		return turn, wrong("output_length", "must be from 1 to %d, got %d", dataset.MaxTokens, *r.Output)
	}
	turn.OutputTokens = *r.Output
	return turn, nil
}

func (m *mooncake) end() ([]dataset.Record, error) { return m.sessions.records() }

// sessions gathers turns by the name of their session. It holds them until the
// end, as a session's rows may stand anywhere.
type sessions struct {
	places map[string]int
	all    []dataset.Record
}

func newSessions() sessions { return sessions{places: map[string]int{}} }

// add puts a turn behind those of its session. at is its moment, or -1.
func (s *sessions) add(name string, at int64, turn dataset.Turn) {
	i, known := s.places[name]
	if !known {
		s.places[name] = len(s.all)
		s.all = append(s.all, request(at, turn))
		return
	}
	r := &s.all[i]
	before := &r.Turns[len(r.Turns)-1]
	turn.OffsetNanos = -1
	if at >= 0 && r.OffsetNanos >= 0 && turn.ThinkNanos == 0 {
		turn.OffsetNanos = max(0, at-r.OffsetNanos)
	}
	if len(turn.Messages) == 0 && len(before.Messages) == 0 {
		// A row has the length of its own message, a turn that of all before it, too.
		turn.InputTokens = min(turn.InputTokens+before.InputTokens+before.OutputTokens, dataset.MaxTokens)
	}
	r.Turns = append(r.Turns, turn)
}

func (s *sessions) records() ([]dataset.Record, error) {
	all := s.all
	s.places, s.all = nil, nil
	return all, nil
}

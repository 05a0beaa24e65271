package source

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// remark is a message of OpenAssistant, in either of its forms.
type remark struct {
	ID      string    `json:"message_id"`
	Parent  string    `json:"parent_id"`
	Tree    string    `json:"message_tree_id"`
	Text    *string   `json:"text"`
	Role    string    `json:"role"`
	Created when      `json:"created_date"`
	Rank    *float64  `json:"rank"`
	Replies []*remark `json:"replies"`
}

func (m *remark) prompts() bool { return m.Role == "prompter" }

func (m *remark) text() string {
	if m.Text == nil {
		return ""
	}
	return *m.Text
}

// rank orders replies, the best first, those without a rank last.
func (m *remark) rank() float64 {
	if m.Rank == nil {
		return math.Inf(1)
	}
	return *m.Rank
}

// forest puts together trees whose messages are rows of their own, in any order.
// It holds them all: OpenAssistant's are some 60 MB.
type forest struct {
	reader *Reader
	all    []*remark
	byID   map[string]*remark
	bytes  int
}

// maxForest bounds the text that is held.
const maxForest = 2 << 30

func (f *forest) row(one *row) ([]dataset.Record, error) {
	m := &remark{}
	if err := one.decode(m); err != nil {
		return nil, err
	}
	switch {
	case m.ID == "" || m.Text == nil:
		return nil, one.fail(0, errors.New("the row must have message_id and text"))
	case m.Role != "prompter" && m.Role != "assistant":
		return nil, one.fail(0, fmt.Errorf("role: must be prompter or assistant, got %.40q", m.Role))
	case f.byID[m.ID] != nil:
		return nil, one.fail(0, fmt.Errorf("message_id: %.40q stands there twice", m.ID))
	}
	if f.bytes += len(m.text()); f.bytes > maxForest {
		return nil, one.fail(0, fmt.Errorf("trees of more than %d MiB of text can't be put together", maxForest>>20))
	}
	if f.byID == nil {
		f.byID = map[string]*remark{}
	}
	m.Replies = nil
	f.byID[m.ID] = m
	f.all = append(f.all, m)
	return nil, nil
}

func (f *forest) end() ([]dataset.Record, error) {
	var roots []*remark
	for _, m := range f.all {
		switch parent := f.byID[m.Parent]; {
		case m.Parent == "":
			roots = append(roots, m)
		case parent == nil:
			f.reader.note("messages that reply to one that is not there, left out", 1)
		default:
			parent.Replies = append(parent.Replies, m)
		}
	}
	var records []dataset.Record
	for i, root := range roots {
		records = append(records, planted(f.reader, root, int64(i))...)
	}
	return records, nil
}

// exported reads trees that are a row each.
type exported struct {
	reader *Reader
	n      int64
}

func (e *exported) row(one *row) ([]dataset.Record, error) {
	var r struct {
		Prompt *remark `json:"prompt"`
	}
	if err := one.decode(&r); err != nil {
		return nil, err
	}
	if r.Prompt == nil {
		return nil, one.fail(0, errors.New("the row has no prompt"))
	}
	e.n++
	return planted(e.reader, r.Prompt, e.n-1), nil
}

func (e *exported) end() ([]dataset.Record, error) { return nil, nil }

// planted makes a visit of the n-th tree: each of its prompts is a turn, in the
// order in which they were written, and replies to the turn above it. A tree
// without times comes one a second.
func planted(r *Reader, root *remark, n int64) []dataset.Record {
	sprouts := sproutsOf(root)
	record := dataset.Record{OffsetNanos: root.Created.nanos}
	timed := root.Created.given
	if !timed {
		record.OffsetNanos = n * int64(time.Second)
	}
	for _, s := range sprouts {
		t := dataset.Turn{
			Messages:    []dataset.Message{{Role: dataset.RoleUser, Content: s.said.text()}},
			OffsetNanos: -1,
		}
		if best := bestReply(s.said); best != nil {
			t.Answer = best.text()
		}
		if timed && len(record.Turns) > 0 && s.at >= record.OffsetNanos {
			t.OffsetNanos = s.at - record.OffsetNanos
		}
		if s.above != nil {
			t.Skip = len(record.Turns) - 1 - s.above.turn
			if s.heard != nil && s.heard.text() != record.Turns[s.above.turn].Answer {
				t.Heard = s.heard.text()
			}
		}
		s.turn = len(record.Turns)
		record.Turns = append(record.Turns, t)
	}
	switch err := sendable(&record); {
	case errors.Is(err, errNoHuman):
		r.note(noteNoHuman, 1)
		return nil
	case err != nil:
		r.note(noteEmpty, 1)
		return nil
	}
	return []dataset.Record{record}
}

// sprout is a prompt of a tree.
type sprout struct {
	said  *remark
	above *sprout // the prompt whose reply it follows; nil for the first
	heard *remark // that reply
	at    int64
	turn  int
}

// sproutsOf lists a tree's prompts in the order of their times; none stands before
// the one above it.
func sproutsOf(root *remark) []*sprout {
	var all []*sprout
	type place struct {
		m     *remark
		above *sprout
		heard *remark
	}
	for todo := []place{{m: root}}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.m.prompts() {
			s := &sprout{said: p.m, above: p.above, heard: p.heard, at: p.m.Created.nanos}
			if s.above != nil {
				s.at = max(s.at, s.above.at)
			}
			all = append(all, s)
			p.above, p.heard = s, nil
		} else {
			p.heard = p.m
		}
		replies := ranked(p.m.Replies)
		for _, reply := range slices.Backward(replies) {
			if p.above != nil || reply.prompts() {
				todo = append(todo, place{reply, p.above, p.heard})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *sprout) int { return cmp.Compare(a.at, b.at) })
	return all
}

func ranked(replies []*remark) []*remark {
	out := slices.DeleteFunc(slices.Clone(replies), func(m *remark) bool { return m == nil })
	slices.SortStableFunc(out, func(a, b *remark) int { return cmp.Compare(a.rank(), b.rank()) })
	return out
}

// bestReply is the assistant's answer that people liked best.
func bestReply(m *remark) *remark {
	for _, reply := range ranked(m.Replies) {
		if !reply.prompts() {
			return reply
		}
	}
	return nil
}

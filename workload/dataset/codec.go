package dataset

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// appendRecord appends a record as a corpus file holds it. Its arrival stands in
// the file's index.
func appendRecord(dst []byte, r *Record) ([]byte, error) {
	m := &stampedev1.CorpusRecord{OneRequest: r.OneRequest, Turns: make([]*stampedev1.CorpusTurn, len(r.Turns))}
	for i := range r.Turns {
		m.Turns[i] = turnProto(&r.Turns[i])
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
}

func turnProto(t *Turn) *stampedev1.CorpusTurn {
	m := &stampedev1.CorpusTurn{
		Answer: t.Answer, InputTokens: int64(t.InputTokens), OutputTokens: int64(t.OutputTokens), BlockIds: t.Blocks, BlockTokens: int32(t.BlockTokens),
		Skip: int32(t.Skip), Heard: t.Heard, ThinkNanos: t.ThinkNanos,
	}
	if t.OffsetNanos >= 0 {
		m.OffsetNanos = &t.OffsetNanos
	}
	for _, msg := range t.Messages {
		m.Messages = append(m.Messages, &stampedev1.CorpusMessage{Role: msg.Role, Content: msg.Content, Media: msg.Media})
	}
	return m
}

// parseRecord reads what appendRecord wrote, but for the arrival.
func parseRecord(data []byte) (Record, error) {
	var m stampedev1.CorpusRecord
	if err := proto.Unmarshal(data, &m); err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	if len(m.GetTurns()) == 0 {
		return Record{}, errors.New("record: has no turn")
	}
	r := Record{OffsetNanos: -1, OneRequest: m.GetOneRequest(), Turns: make([]Turn, len(m.GetTurns()))}
	for i, t := range m.GetTurns() {
		if err := checkLengths(t.GetInputTokens(), t.GetOutputTokens()); err != nil {
			return Record{}, fmt.Errorf("record: turn %d: %w", i, err)
		}
		if skip := t.GetSkip(); skip < 0 || skip > 0 && int(skip) >= i {
			return Record{}, fmt.Errorf("record: turn %d: replies to turn %d", i, i-1-int(skip))
		}
		r.Turns[i] = turnOf(t)
	}
	return r, nil
}

// MaxTokens bounds the lengths that a record may ask for.
const MaxTokens = 10_000_000

func checkLengths(in, out int64) error {
	if in < 0 || in > MaxTokens || out < 0 || out > MaxTokens {
		return fmt.Errorf("lengths must be from 0 to %d tokens, got %d and %d", MaxTokens, in, out)
	}
	return nil
}

func turnOf(m *stampedev1.CorpusTurn) Turn {
	t := Turn{
		InputTokens: int(m.GetInputTokens()), OutputTokens: int(m.GetOutputTokens()),
		OffsetNanos: -1, Answer: m.GetAnswer(), Blocks: m.GetBlockIds(), BlockTokens: int(max(m.GetBlockTokens(), 0)),
		Skip: int(m.GetSkip()), Heard: m.GetHeard(), ThinkNanos: m.GetThinkNanos(),
	}
	if m.OffsetNanos != nil {
		t.OffsetNanos = max(m.GetOffsetNanos(), -1)
	}
	if n := len(m.GetMessages()); n > 0 {
		t.Messages = make([]Message, n)
		for i, msg := range m.GetMessages() {
			t.Messages[i] = Message{Role: msg.GetRole(), Content: msg.GetContent(), Media: msg.GetMedia()}
		}
	}
	return t
}

// textless reports whether a turn has no text to send.
func (r *Record) textless() bool {
	for i := range r.Turns {
		if len(r.Turns[i].Messages) == 0 {
			return true
		}
	}
	return false
}

package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// mapped maps rows by a spec's columns.
type mapped struct{ columns workload.Columns }

func (m *mapped) row(one *row) ([]dataset.Record, error) {
	var values map[string]json.RawMessage
	if err := one.decode(&values); err != nil {
		return nil, err
	}
	r, err := m.record(values)
	if err == nil {
		err = sendable(&r)
	}
	if errors.Is(err, errNoColumn) {
		err = fmt.Errorf("%w; %s", err, one.has())
	}
	if err != nil {
		return nil, one.fail(0, err)
	}
	return []dataset.Record{r}, nil
}

func (m *mapped) end() ([]dataset.Record, error) { return nil, nil }

func (m *mapped) record(values map[string]json.RawMessage) (dataset.Record, error) {
	r := dataset.Record{OffsetNanos: -1}
	messages, err := m.messages(values)
	if err != nil {
		return r, err
	}
	r.Turns, r.OneRequest = split(messages), m.columns.Prompt != ""
	if len(r.Turns) == 0 {
		return r, errNoHuman
	}
	last := &r.Turns[len(r.Turns)-1]
	for _, field := range []struct {
		column string
		take   func(json.RawMessage) error
	}{
		{m.columns.Answer, func(v json.RawMessage) (err error) { last.Answer, err = textOf(v); return err }},
		{m.columns.InputTokens, func(v json.RawMessage) (err error) { last.InputTokens, err = lengthOf(v); return err }},
		{m.columns.OutputTokens, func(v json.RawMessage) (err error) { last.OutputTokens, err = lengthOf(v); return err }},
		{m.columns.Time, func(v json.RawMessage) (err error) { r.OffsetNanos, err = timeOf(v); return err }},
	} {
		if field.column == "" {
			continue
		}
		v, err := find(values, field.column)
		if err == nil {
			err = field.take(v)
		}
		if err != nil {
			return r, fmt.Errorf("column %s: %w", field.column, err)
		}
	}
	return r, nil
}

// messages are the row's, with what is said of the system before them.
func (m *mapped) messages(values map[string]json.RawMessage) ([]dataset.Message, error) {
	var messages []dataset.Message
	if m.columns.System != "" {
		text, err := fill(values, m.columns.System)
		if err != nil {
			return nil, err
		}
		if text != "" {
			messages = append(messages, dataset.Message{Role: dataset.RoleSystem, Content: text})
		}
	}
	if m.columns.Prompt != "" {
		text, err := fill(values, m.columns.Prompt)
		return append(messages, dataset.Message{Role: dataset.RoleUser, Content: text}), err
	}
	v, err := find(values, m.columns.Messages)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", m.columns.Messages, err)
	}
	said, err := conversationOf(v)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", m.columns.Messages, err)
	}
	said, _ = cutToHuman(said)
	return append(messages, said...), nil
}

// conversationOf reads a list of {role, content}, of {from, value}, or of texts of
// user and assistant in turn; a text may hold such a list as JSON.
func conversationOf(v json.RawMessage) ([]dataset.Message, error) {
	var text string
	if json.Unmarshal(v, &text) == nil && strings.HasPrefix(strings.TrimSpace(text), "[") {
		v = json.RawMessage(text)
	}
	var list []struct {
		utterance
		saying
	}
	if json.Unmarshal(v, &list) == nil {
		var messages []dataset.Message
		for _, l := range list {
			if l.Role == "" {
				messages = append(messages, dataset.Message{Role: roleOf(l.From), Content: l.Value})
				continue
			}
			messages = append(messages, dataset.Message{Role: l.Role, Content: l.Content.text, Media: joinParts(l.Content.parts)})
		}
		return messages, nil
	}
	var texts []string
	if json.Unmarshal(v, &texts) != nil {
		return nil, errors.New("must be a list of {role, content}, of {from, value} or of texts")
	}
	var messages []dataset.Message
	for i, t := range texts {
		role := dataset.RoleUser
		if i%2 == 1 {
			role = dataset.RoleAssistant
		}
		messages = append(messages, dataset.Message{Role: role, Content: t})
	}
	return messages, nil
}

var errNoColumn = errors.New("is not in the row")

// find returns the value of a column; a.b is the member b of column a.
func find(values map[string]json.RawMessage, column string) (json.RawMessage, error) {
	if v, there := values[column]; there {
		return v, nil
	}
	first, rest, nested := strings.Cut(column, ".")
	v, there := values[first]
	if !nested || !there {
		return nil, errNoColumn
	}
	var inner map[string]json.RawMessage
	if err := json.Unmarshal(v, &inner); err != nil {
		return nil, fmt.Errorf("%s is no object", first)
	}
	return find(inner, rest)
}

// fill is the text of a column, or of a template with columns in braces.
func fill(values map[string]json.RawMessage, template string) (string, error) {
	if !strings.Contains(template, "{") {
		template = "{" + template + "}"
	}
	var b strings.Builder
	for rest := template; rest != ""; {
		before, after, open := strings.Cut(rest, "{")
		b.WriteString(before)
		if !open {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("dataset.columns: %q has a brace that is not closed", template)
		}
		v, err := find(values, name)
		var text string
		if err == nil {
			text, err = textOf(v)
		}
		if err != nil {
			return "", fmt.Errorf("column %s: %w", name, err)
		}
		b.WriteString(text)
		rest = behind
	}
	return b.String(), nil
}

// textOf reads a text, null, or a number as it is written.
func textOf(v json.RawMessage) (string, error) {
	var text *string
	if json.Unmarshal(v, &text) == nil {
		if text == nil {
			return "", nil
		}
		return *text, nil
	}
	if v[0] == '{' || v[0] == '[' {
		return "", errors.New("must be a text")
	}
	return string(v), nil
}

func lengthOf(v json.RawMessage) (int, error) {
	text, err := textOf(v)
	var n int64
	if err != nil || json.Unmarshal([]byte(text), &n) != nil || n < 0 || n > dataset.MaxTokens {
		return 0, fmt.Errorf("must be a whole number of tokens from 0 to %d, got %.40s", dataset.MaxTokens, v)
	}
	return int(n), nil
}

func timeOf(v json.RawMessage) (int64, error) {
	var m when
	if err := json.Unmarshal(v, &m); err != nil {
		return -1, err
	}
	switch {
	case !m.given:
		return -1, errors.New("is empty")
	case m.nanos < 0: // which would count as none
		return -1, fmt.Errorf("must not be negative, nor before 1970, got %.40s", bytes.Trim(v, `"`))
	}
	return m.nanos, nil
}

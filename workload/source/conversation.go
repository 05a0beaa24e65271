package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// conversations maps rows that hold a conversation as in ShareGPT, messages as in
// an OpenAI body, or a bare prompt.
type conversations struct {
	reader *Reader
	only   bool // conversations as in ShareGPT
}

// What is noted of rows.
const (
	noteCut     = "conversations that began with a model's turn, which was left out"
	noteNoHuman = "conversations without a human turn, left out"
	noteEmpty   = "conversations with an empty first prompt, left out"
)

func (c *conversations) row(one *row) ([]dataset.Record, error) {
	var parsed chat
	if err := one.decode(&parsed); err != nil {
		return nil, err
	}
	if err := parsed.readMedia(c.reader.options.ReadFile); err != nil {
		return nil, one.fail(0, err)
	}
	if c.only && parsed.Conversations == nil {
		return nil, one.fail(0, errors.New("the row has no conversations, which data in the form of ShareGPT must have"))
	}
	record, cut, err := parsed.record()
	wild := parsed.Conversations != nil // collected in the wild, so skipped and counted
	switch {
	case wild && errors.Is(err, errNoHuman):
		c.reader.note(noteNoHuman, 1)
		return nil, nil
	case wild && errors.Is(err, errEmpty):
		c.reader.note(noteEmpty, 1)
		return nil, nil
	case errors.Is(err, errNoText):
		return nil, one.fail(0, fmt.Errorf("%w; %s", err, one.has()))
	case err != nil:
		return nil, one.fail(0, err)
	}
	if cut {
		c.reader.note(noteCut, 1)
	}
	return []dataset.Record{record}, nil
}

func (c *conversations) end() ([]dataset.Record, error) { return nil, nil }

// chat is a row in any of these forms.
type chat struct {
	Conversations *[]saying    `json:"conversations"`
	Messages      *[]utterance `json:"messages"`
	Prompt        *string      `json:"prompt"`
	System        string       `json:"system"`
	OutputTokens  *int         `json:"output_tokens"`
	MaxTokens     *int         `json:"max_tokens"`
}

// saying is one turn as ShareGPT writes it.
type saying struct {
	From  string `json:"from"`
	Value string `json:"value"`
}

// utterance is one message whose content may be in parts.
type utterance struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is text, or a list of parts, which may be pictures and sounds, too.
type content struct {
	text  string
	parts []json.RawMessage // that are no text
}

// mediaParts are the parts that are passed on as they are.
var mediaParts = []string{"image_url", "input_audio", "audio_url", "video_url"}

// UnmarshalJSON accepts a string, null, or parts.
func (c *content) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		if json.Unmarshal(data, &c.text) != nil {
			return errContent
		}
		return nil
	}
	var parts []json.RawMessage
	if json.Unmarshal(data, &parts) != nil {
		return errContent
	}
	for _, raw := range parts {
		var part struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		if json.Unmarshal(raw, &part) != nil {
			return errContent
		}
		switch {
		case part.Type == "text":
			c.text += part.Text
		case slices.Contains(mediaParts, part.Type):
			c.parts = append(c.parts, raw)
		default:
			return fmt.Errorf("messages.content: has a part of type %q, only text, %s can be sent", part.Type, strings.Join(mediaParts, ", "))
		}
	}
	return nil
}

var errContent = errors.New("messages.content: must be a string or a list of parts")

// errNoText, errEmpty and errNoHuman say why a conversation can't be sent.
var (
	errNoText  = errors.New("the row has none of prompt, messages and conversations")
	errEmpty   = errors.New("its first prompt is empty")
	errNoHuman = errors.New("no turn in it is a human's")
)

// record turns a row into a record. cut says that turns before the first human
// one were left out.
func (r *chat) record() (record dataset.Record, cut bool, err error) {
	switch given := r.given(); len(given) {
	case 1:
	case 0:
		return record, false, errNoText
	default:
		return record, false, fmt.Errorf("the row has %s, it must have only one of them", strings.Join(given, " and "))
	}
	asked, err := r.asked()
	if err != nil {
		return record, false, err
	}
	messages := r.messages()
	if r.Conversations != nil {
		messages, cut = cutToHuman(messages)
	}
	if r.System != "" {
		messages = append([]dataset.Message{{Role: dataset.RoleSystem, Content: r.System}}, messages...)
	}
	record = dataset.Record{OffsetNanos: -1, Turns: split(messages), OneRequest: r.Conversations == nil}
	if err := sendable(&record); err != nil {
		return record, cut, err
	}
	for t := range record.Turns {
		record.Turns[t].OutputTokens = asked
	}
	return record, cut, nil
}

// given lists the forms in which a row gives its text.
func (r *chat) given() []string {
	var names []string
	if r.Prompt != nil {
		names = append(names, "prompt")
	}
	if r.Messages != nil {
		names = append(names, "messages")
	}
	if r.Conversations != nil {
		names = append(names, "conversations")
	}
	return names
}

// asked is the output length that the row asks for, or 0.
func (r *chat) asked() (int, error) {
	name, n := "output_tokens", r.OutputTokens
	if n == nil {
		name, n = "max_tokens", r.MaxTokens
	}
	switch {
	case n == nil:
		return 0, nil
	case *n < 1 || *n > dataset.MaxTokens:
		return 0, fmt.Errorf("%s: must be from 1 to %d, got %d", name, dataset.MaxTokens, *n)
	}
	return *n, nil
}

// messages brings the three forms into one.
func (r *chat) messages() []dataset.Message {
	var messages []dataset.Message
	switch {
	case r.Prompt != nil:
		messages = append(messages, dataset.Message{Role: dataset.RoleUser, Content: *r.Prompt})
	case r.Messages != nil:
		messages = utterances(*r.Messages)
	default:
		for _, s := range *r.Conversations {
			messages = append(messages, dataset.Message{Role: roleOf(s.From), Content: s.Value})
		}
	}
	return messages
}

func utterances(list []utterance) []dataset.Message {
	messages := make([]dataset.Message, len(list))
	for i, u := range list {
		messages[i] = u.message()
	}
	return messages
}

func (u *utterance) message() dataset.Message {
	return dataset.Message{Role: u.Role, Content: u.Content.text, Media: joinParts(u.Content.parts)}
}

// roleOf maps ShareGPT's names; all that is neither human nor system is a model.
func roleOf(from string) string {
	switch strings.ToLower(from) {
	case "human", "user":
		return dataset.RoleUser
	case "system":
		return dataset.RoleSystem
	}
	return dataset.RoleAssistant
}

// cutToHuman drops what models say before the first human does.
func cutToHuman(messages []dataset.Message) ([]dataset.Message, bool) {
	var kept []dataset.Message
	for i, m := range messages {
		if m.Role == dataset.RoleUser {
			return append(kept, messages[i:]...), i > len(kept)
		}
		if m.Role == dataset.RoleSystem {
			kept = append(kept, m)
		}
	}
	return nil, false
}

// split makes a turn of each user message: what stands before it and after the
// reply to the turn before is said in that turn, the assistant's message after it
// is the recorded answer. Messages after the last turn that no one answers
// are left out.
func split(messages []dataset.Message) []dataset.Turn {
	var turns []dataset.Turn
	var pending []dataset.Message
	asked := false // pending ends with a user's message
	for _, m := range messages {
		switch {
		case m.Role == dataset.RoleAssistant && asked:
			turns = append(turns, dataset.Turn{Messages: pending, OffsetNanos: -1, Answer: m.Content})
			pending, asked = nil, false
		case m.Role == dataset.RoleAssistant && len(turns) > 0 && len(pending) == 0:
			turns[len(turns)-1].Answer += m.Content
		default:
			pending = append(pending, m)
			asked = m.Role == dataset.RoleUser
		}
	}
	if asked {
		turns = append(turns, dataset.Turn{Messages: pending, OffsetNanos: -1})
	}
	return turns
}

package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Roles of messages as the endpoints know them.
const (
	roleUser      = "user"
	roleAssistant = "assistant"
	roleSystem    = "system"
)

// maxOutputTokens bounds the output length that a row may ask for.
const maxOutputTokens = 10_000_000

// row is one element of a file, in any of the forms that are read: a
// conversation as in ShareGPT, messages as in an OpenAI body, or a bare prompt.
type row struct {
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

// content is text, or a list of parts that are all text.
type content string

// UnmarshalJSON accepts a string, null, or parts of type text.
func (c *content) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		if json.Unmarshal(data, (*string)(c)) != nil {
			return errContent
		}
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(data, &parts) != nil {
		return errContent
	}
	for _, part := range parts {
		if part.Type != "text" {
			return fmt.Errorf("messages.content: has a part of type %q, only text can be sent", part.Type)
		}
		*c += content(part.Text)
	}
	return nil
}

var errContent = errors.New("messages.content: must be a string or a list of parts of text")

// errEmpty and errNoHuman say why a conversation can't be sent.
var (
	errEmpty   = errors.New("its first prompt is empty")
	errNoHuman = errors.New("no turn in it is a human's")
)

// conversation turns a row into turns. cut says that turns before the first
// human one were left out.
func (r *row) conversation(multiTurn bool, tokensPerWord float64) (turns []Turn, cut bool, err error) {
	switch given := r.given(); len(given) {
	case 1:
	case 0:
		return nil, false, errors.New("the row has none of prompt, messages and conversations")
	default:
		return nil, false, fmt.Errorf("the row has %s, it must have only one of them", strings.Join(given, " and "))
	}
	asked, err := r.asked()
	if err != nil {
		return nil, false, err
	}
	messages := r.messages()
	if r.Conversations != nil {
		messages, cut = cutToHuman(messages)
	}
	if r.System != "" {
		messages = append([]Message{{roleSystem, r.System}}, messages...)
	}
	turns = split(messages)
	switch {
	case len(turns) == 0:
		return nil, cut, errNoHuman
	case multiTurn:
	case r.Conversations != nil:
		turns = turns[:1]
	default:
		turns = flatten(turns)
	}
	if m := turns[0].Messages; strings.TrimSpace(m[len(m)-1].Content) == "" {
		return nil, cut, errEmpty
	}
	for t := range turns {
		if turns[t].OutputTokens = asked; asked == 0 {
			turns[t].OutputTokens = estimate(turns[t].Answer, tokensPerWord)
		}
	}
	return turns, cut, nil
}

// given lists the forms in which a row gives its text.
func (r *row) given() []string {
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
func (r *row) asked() (int, error) {
	name, n := "output_tokens", r.OutputTokens
	if n == nil {
		name, n = "max_tokens", r.MaxTokens
	}
	switch {
	case n == nil:
		return 0, nil
	case *n < 1 || *n > maxOutputTokens:
		return 0, fmt.Errorf("%s: must be from 1 to %d, got %d", name, maxOutputTokens, *n)
	}
	return *n, nil
}

// messages brings the three forms into one.
func (r *row) messages() []Message {
	var messages []Message
	switch {
	case r.Prompt != nil:
		messages = append(messages, Message{roleUser, *r.Prompt})
	case r.Messages != nil:
		for _, u := range *r.Messages {
			messages = append(messages, Message{u.Role, string(u.Content)})
		}
	default:
		for _, s := range *r.Conversations {
			messages = append(messages, Message{roleOf(s.From), s.Value})
		}
	}
	return messages
}

// roleOf maps ShareGPT's names; all that is neither human nor system is a model.
func roleOf(from string) string {
	switch strings.ToLower(from) {
	case "human", "user":
		return roleUser
	case "system":
		return roleSystem
	}
	return roleAssistant
}

// cutToHuman drops what models say before the first human does.
func cutToHuman(messages []Message) ([]Message, bool) {
	var kept []Message
	for i, m := range messages {
		if m.Role == roleUser {
			return append(kept, messages[i:]...), i > len(kept)
		}
		if m.Role == roleSystem {
			kept = append(kept, m)
		}
	}
	return nil, false
}

// split makes a turn of each user message: what stands before it and after the
// reply to the turn before is said in that turn, the assistant's message after it
// is the recorded answer. Messages after the last turn that no one answers
// are left out.
func split(messages []Message) []Turn {
	var turns []Turn
	var pending []Message
	asked := false // pending ends with a user's message
	for _, m := range messages {
		switch {
		case m.Role == roleAssistant && asked:
			turns = append(turns, Turn{Messages: pending, OffsetNanos: -1, Answer: m.Content})
			pending, asked = nil, false
		case m.Role == roleAssistant && len(turns) > 0 && len(pending) == 0:
			turns[len(turns)-1].Answer += m.Content
		default:
			pending = append(pending, m)
			asked = m.Role == roleUser
		}
	}
	if asked {
		turns = append(turns, Turn{Messages: pending, OffsetNanos: -1})
	}
	return turns
}

// flatten makes one turn of all, with the earlier answers as history.
func flatten(turns []Turn) []Turn {
	last := turns[len(turns)-1]
	var messages []Message
	for _, t := range turns[:len(turns)-1] {
		messages = append(append(messages, t.Messages...), Message{roleAssistant, t.Answer})
	}
	last.Messages = append(messages, last.Messages...)
	return []Turn{last}
}

// estimate is the length of a text in tokens.
func estimate(text string, tokensPerWord float64) int {
	return int(math.Ceil(float64(len(strings.Fields(text))) * tokensPerWord))
}

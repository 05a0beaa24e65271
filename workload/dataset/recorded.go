package dataset

import (
	"math"
	"strings"
)

// Roles of messages as the endpoints know them.
const (
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleSystem    = "system"
)

// recorded is a corpus of conversations from a file. It wraps round.
type recorded struct {
	file          *File
	size          int64 // records in use, from the first
	multiTurn     bool
	output        output
	tokensPerWord float64
	tokens        Tokens  // nil: by words
	author        *author // nil where every turn has its text
}

func (c *recorded) Len() int64 { return c.size }

func (c *recorded) Turns(i int64) int {
	if !c.multiTurn {
		return 1
	}
	return c.file.Turns(i % c.size)
}

func (c *recorded) Offset(i int64) int64 { return c.file.Offset(i % c.size) }

func (c *recorded) EntriesBefore(i int64) int64 {
	if !c.multiTurn {
		return i
	}
	return i/c.size*c.file.TurnsBefore(c.size) + c.file.TurnsBefore(i%c.size)
}

func (c *recorded) Session(i int64) (Session, error) {
	r, err := c.file.Record(i % c.size)
	if err != nil {
		return Session{}, err
	}
	turns := r.Turns
	switch {
	case c.multiTurn:
	case r.OneRequest:
		turns = flatten(turns)
	default:
		turns = turns[:1]
	}
	for t := range turns {
		turns[t].OutputTokens = c.asked(i, t, &turns[t])
	}
	s := Session{Index: i, OffsetNanos: r.OffsetNanos, Turns: turns}
	if c.author != nil {
		s.volatile = c.author.fill(i, i/c.size, turns)
	}
	return s, nil
}

// asked is the output length to ask for: the spec's, or the row's own, or that of
// the recorded answer.
func (c *recorded) asked(i int64, t int, turn *Turn) int {
	switch {
	case c.output.given():
		return c.output.at(i, t)
	case turn.OutputTokens > 0:
		return c.output.cap(turn.OutputTokens)
	}
	if c.tokens != nil {
		return c.output.cap(c.tokens.Count(turn.Answer))
	}
	return c.output.cap(estimate(turn.Answer, c.tokensPerWord))
}

// flatten makes one turn of all, with the earlier answers as history.
func flatten(turns []Turn) []Turn {
	last := turns[len(turns)-1]
	var messages []Message
	for _, t := range turns[:len(turns)-1] {
		messages = append(append(messages, t.Messages...), Message{Role: RoleAssistant, Content: t.Answer})
	}
	last.Messages = append(messages, last.Messages...)
	last.OffsetNanos = -1
	return []Turn{last}
}

// estimate is the length of a text in tokens.
func estimate(text string, tokensPerWord float64) int {
	return int(math.Ceil(float64(len(strings.Fields(text))) * tokensPerWord))
}

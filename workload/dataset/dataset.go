// Package dataset turns a spec's dataset section and, for file data, the bytes
// of a file into a Corpus of sessions. It is pure: the same spec, bytes and seed
// give the same sessions on every host. It opens no files and no connections.
package dataset

// Message is one message of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Turn is one request of a session. What the model answered to earlier turns
// goes between the turns' messages when they are sent.
type Turn struct {
	// Messages are new in this turn: for a first turn everything up to and
	// including the user's message, later the next user message.
	Messages []Message
	// InputTokens is the prompt length the dataset asks for, 0 when it does not
	// say. OutputTokens likewise for the reply.
	InputTokens, OutputTokens int
	// OffsetNanos is the recorded moment relative to the session's begin, or -1.
	OffsetNanos int64
	// ThinkNanos is the pause between the end of the turn before and this one, where
	// OffsetNanos is -1. 0: as long as typing takes; negative: none.
	ThinkNanos int64
	// Answer is the recorded reply, if there is one.
	Answer string
}

// Session is one conversation; most have one turn.
type Session struct {
	// Index is its index in the run; data that is used again after its end
	// appears under a new index.
	Index int64
	// OffsetNanos is the recorded arrival relative to the dataset's begin, or -1.
	OffsetNanos int64
	// Turns are shared between calls: they are not to be changed.
	Turns []Turn

	volatile int // bytes at the start of the first message that stay out of the hash
}

// Corpus yields sessions by index, as a pure function. It is safe for concurrent
// use.
type Corpus interface {
	// Len is the number of distinct sessions, or -1 when there is no end.
	Len() int64
	// Turns is the number of turns of session i, without building it.
	Turns(i int64) int
	// Session builds session i. An i beyond Len wraps round.
	Session(i int64) Session
	// EntriesBefore is the number of turns in sessions 0 to i-1: the index of
	// session i's first entry.
	EntriesBefore(i int64) int64
	// Offset is the recorded arrival of session i, or -1.
	Offset(i int64) int64
}

// Package dataset turns a spec's dataset section and, for data that was recorded,
// a corpus file into a Corpus of sessions. The same spec, file and seed give the
// same sessions on every host. It reads no foreign formats (see package source)
// and opens no files and no connections; a corpus file is read through an
// io.ReaderAt as sessions are asked for, never whole.
package dataset

// Message is one message of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	// Media are parts that are no text, as JSON objects with commas between them.
	// They stand before the text.
	Media string `json:"media,omitempty"`
}

// Turn is one request of a session. What the model answered to earlier turns
// goes between the turns' messages when they are sent.
type Turn struct {
	// Messages are new in this turn: for a first turn everything up to and
	// including the user's message, later the next user message. A turn of which
	// only lengths were recorded has none.
	Messages []Message
	// InputTokens is the prompt length the dataset asks for, with all history; 0
	// when it does not say. OutputTokens likewise for the reply.
	InputTokens, OutputTokens int
	// OffsetNanos is the recorded moment relative to the session's begin, or -1.
	OffsetNanos int64
	// ThinkNanos is the pause between the end of the turn before and this one, where
	// OffsetNanos is -1. 0: as long as typing takes; negative: none.
	ThinkNanos int64
	// Answer is the recorded reply, if there is one.
	Answer string
	// Skip says which turn this one replies to: that many before the one just
	// before it. It is 0 but where a conversation branches.
	Skip int
	// Heard is the recorded reply that this turn follows, when it is not the Answer
	// of the turn it replies to.
	Heard string
	// Blocks are the ids of the blocks that this turn's message consists of, of
	// BlockTokens each but for the last: equal ids stand for equal text.
	Blocks      []int64
	BlockTokens int
}

// Record is one conversation as it was recorded, before a spec said what of it is
// sent.
type Record struct {
	// OffsetNanos is the recorded arrival, or -1. Sources give it relative to
	// whatever they like; in a corpus file the earliest is 0.
	OffsetNanos int64
	// Turns are at least one.
	Turns []Turn
	// OneRequest says that, unless all turns are wanted, they make one request with
	// earlier answers as its history. Otherwise the first turn is the request.
	OneRequest bool
}

// Session is one conversation; most have one turn.
type Session struct {
	// Index is its index in the run; data that is used again after its end
	// appears under a new index.
	Index int64
	// OffsetNanos is the recorded arrival relative to the dataset's begin, or -1.
	OffsetNanos int64
	// Turns may be shared between calls: they are not to be changed.
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
	// Session builds session i. An i beyond Len wraps round. It fails only when the
	// corpus file can't be read any more.
	Session(i int64) (Session, error)
	// EntriesBefore is the number of turns in sessions 0 to i-1: the index of
	// session i's first entry.
	EntriesBefore(i int64) int64
	// Offset is the recorded arrival of session i, or -1. For an i beyond Len it is
	// that of the session it wraps round to.
	Offset(i int64) int64
}

// Package measure turns what was observed of requests into samples, histograms,
// windows and judged objectives. It is pure: no clock, no goroutine, no I/O; one
// goroutine owns each Set. It does not count requests (package ledger) and does
// not write reports (package report).
package measure

import "math"

// Absent marks an instant that did not happen.
const Absent = math.MinInt64

// Status is what became of a request.
type Status uint8

// The outcomes of contract §6. Lost and unsent entries have no sample.
const (
	StatusNone Status = iota
	Succeeded
	Failed
	TimedOut
	Cancelled
	Unsent
	Lost
)

// ChunkKind tells what a token chunk carried.
type ChunkKind uint8

// A chunk with several kinds of text counts as content when it has any.
const (
	Content ChunkKind = iota
	Reasoning
	ToolCall
	Result // of embeddings or rerank: no tokens
)

// Chunk is one event of a reply that carried at least one token.
type Chunk struct {
	At         int64 // arrival, process-monotonic nanoseconds
	Kind       ChunkKind
	TextBytes  int32 // length of its text, for spreading usage over chunks
	Tokens     int32 // tokens by logprobs or token ids; 0 unknown
	UsageTotal int32 // completion_tokens so far by continuous usage; -1 none
}

// Usage is the endpoint's own count; -1 where it did not say.
type Usage struct {
	Input, Output, Reasoning, Cached int32
}

// Exchange is the raw record of one request, filled by package target and
// computed from by Derive. Instants are process-monotonic nanoseconds.
type Exchange struct {
	Sent, Headers, End int64
	ConnectNanos       int64 // spent to connect for this request; 0 on a ready connection
	FirstSent          int64 // Sent of the first attempt; Absent without a resend
	Attempt            int32 // 2 after the one resend
	Reused             bool
	Stale              bool // the first connection had been closed by the server
	HTTPStatus         int32

	Status       Status
	ErrorKind    string
	ErrorMessage string // secrets removed
	FinishReason string
	Usage        Usage
	Counted      bool // a tokenizer counted the output, because usage didn't say
	Chunks       []Chunk
	Answer       []byte // text of the reply, kept only when asked for (later turns)

	KernelStamped        bool
	StampUncertaintyNano int64 // widest interval of a token that shared its read
	ReadDelayMaxNano     int64
	CoalescedChunks      int32
	ClockSteps           int32
}

// Reset prepares x for another request and keeps its buffers.
func (x *Exchange) Reset() {
	*x = Exchange{
		Sent: Absent, Headers: Absent, End: Absent, FirstSent: Absent, Attempt: 1,
		Usage:  Usage{Input: -1, Output: -1, Reasoning: -1, Cached: -1},
		Chunks: x.Chunks[:0], Answer: x.Answer[:0],
	}
}

// Sample is what one agent observed of one entry: the row of contract §6 before
// it is brought to Unix time. Moments are nanoseconds since the run's anchor on
// the agent's monotonic clock, or Absent.
type Sample struct {
	Index, Session int64
	Turn           int32
	Phase          int32 // phase of the run; warmup is a phase
	Attempt        int32
	Status         Status

	ScheduleOffset int64 // nominal; Absent in closed loop
	Intended       int64
	Sent           int64
	Headers        int64
	FirstToken     int64
	FirstOutput    int64
	LastToken      int64
	End            int64

	ChunkOffsets []int64 // of each token chunk, from Sent
	ChunkTokens  []int32 // tokens in each; nil when every chunk holds one
	TokenSource  string  // usage_delta, usage, logprobs, tokenizer, chunks

	InputTokens, OutputTokens, ReasoningTokens, CachedTokens int32 // -1 unknown
	OutputTokensAsked, InputTokensAsked                      int32 // 0 not asked

	FinishReason     string
	KernelStamped    bool
	StampUncertainty int64
	ReadDelayMax     int64
	CoalescedChunks  int32
	Reused           bool
	ConnectNanos     int64
	ResendNanos      int64 // from the first attempt's Sent to Sent; 0 without a resend
	HTTPStatus       int32
	ErrorKind        string
	ErrorMessage     string
	DetailShed       bool
	Stale            bool
}

// KindTurnBefore is the ErrorKind of an Unsent sample: an earlier turn of its
// session failed.
const KindTurnBefore = "turn_before"

package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// Stamps of Record.Stamp.
const (
	stampKernel  = "kernel"
	stampProcess = "process"
)

// maxWrite bounds what one step puts into a write, so that one reply can't keep
// the scheduler from the others.
const maxWrite = 64 << 10

const never = math.MaxInt64

// action is what happens to a stream after its bytes were written.
type action uint8

const (
	again    action = iota // due again at stream.due
	complete               // the reply is whole
	endFIN                 // a fault closes the connection
	endRST                 // a fault resets it
	endAlive               // a fault ended the reply, the connection lives
	park                   // silent until the client leaves
)

// stage is how far a stream's bytes are.
type stage uint8

const (
	stageHead stage = iota
	stageTokens
	stageEnded
)

// stream is one reply on its way. It belongs to the scheduler from submit until
// done is closed; step is pure.
type stream struct {
	reply
	conn  *conn
	rec   *Record
	came  instant
	fault Fault
	done  chan struct{}

	ttft      int64 // from start to first token, ns
	early     bool  // headers before the first token
	itl       dist
	pcg       rand.PCG
	rng       *rand.Rand
	whole     []byte // the reply with its head, when it is not streamed
	wholeBody int    // where its body begins
	close     bool   // say Connection: close, and do it
	bare      bool   // without a head, which is a frame of its own over HTTP/2

	stage    stage
	due      int64 // of the next step, monotonic
	tokenDue int64 // of the next token
	firstDue int64
	sent     int  // tokens
	chunks   int  // events with tokens
	struck   bool // the fault within the reply has happened

	pending []byte       // bytes that split dribbles out, with
	after   action       // what comes behind them
	resume  action       // what comes once a write that waits is through
	waited  atomic.Int64 // bytes that such a write carried

	running bool
	over    bool
	gone    atomic.Bool // the connection's goroutine gave it up
}

// start sets the deadlines of a reply that begins now.
func (st *stream) start(now int64) {
	if st.fault.Kind == FaultSlowHeaders {
		now += int64(st.fault.Delay)
	}
	st.firstDue = now + st.ttft
	st.tokenDue = st.firstDue
	st.promptNanos = st.ttft
	if st.fault.Kind == FaultCoalesce && st.whole == nil {
		for range min(st.fault.Tokens, st.chunkCount()) - 1 {
			st.tokenDue += st.gap(st.perChunk)
		}
	}
	st.due = st.tokenDue
	if st.early && st.whole == nil {
		st.due = now
	}
}

func (st *stream) chunkCount() int { return (st.total + st.perChunk - 1) / max(st.perChunk, 1) }

// gap draws the time to a chunk of m tokens.
func (st *stream) gap(m int) int64 { return st.itl.draw(st.rng) * int64(m) }

// step appends what is due by now and says what comes after it.
func (st *stream) step(b []byte, now int64) ([]byte, action) {
	if st.stage == stageHead && st.fault.Kind == FaultReset && st.fault.Tokens == 0 {
		return b, endRST
	}
	if st.whole != nil {
		return st.stepWhole(b)
	}
	if st.stage == stageHead {
		b = st.appendHead(b)
		if st.role != "" {
			b = st.appendRole(b)
		}
		st.stage = stageTokens
		if st.due = st.tokenDue; st.due > now {
			return b, again
		}
	}
	for st.sent < st.total {
		if act, stop := st.strike(&b, now); stop {
			return b, act
		}
		if st.tokenDue > now || len(b) > maxWrite {
			st.due = max(st.tokenDue, now) // others first, when it is overdue
			return b, again
		}
		b = st.appendDue(b)
	}
	if act, stop := st.strike(&b, now); stop {
		return b, act
	}
	st.stage = stageEnded
	st.predictNanos = now - st.firstDue
	b = st.appendEnd(b, st.fault.Kind != FaultNoDone)
	if st.close || st.fault.Kind == FaultCloseAfterReply {
		return b, endFIN
	}
	return b, complete
}

// appendDue appends the chunk that is due, or those that share its write, and
// draws when the next is due.
func (st *stream) appendDue(b []byte) []byte {
	group := 1
	if st.fault.Kind == FaultCoalesce {
		group = st.fault.Tokens
	}
	for range group {
		if st.sent == st.total {
			return b
		}
		to := min(st.sent+st.perChunk, st.total)
		if st.sent < st.thinking {
			to = min(to, st.thinking)
		}
		if k := st.faultAt(); st.sent < k {
			to = min(to, k)
		}
		b = st.appendTokens(b, st.sent, to)
		st.sent = to
		st.chunks++
	}
	for range min(group, (st.total-st.sent+st.perChunk-1)/st.perChunk) {
		st.tokenDue += st.gap(min(st.perChunk, st.total-st.sent))
	}
	return b
}

// faultAt returns after how many tokens the fault strikes, or -1.
func (st *stream) faultAt() int {
	switch st.fault.Kind {
	case FaultReset, FaultTruncate, FaultStall, FaultMalformedEvent, FaultErrorEvent:
		return min(st.fault.Tokens, st.total)
	}
	return -1
}

// strike commits the fault that is due between two tokens. stop ends the step.
func (st *stream) strike(b *[]byte, now int64) (act action, stop bool) {
	if st.struck || st.sent != st.faultAt() {
		return 0, false
	}
	st.struck = true
	switch st.fault.Kind {
	case FaultReset:
		return endRST, true
	case FaultTruncate:
		return endFIN, true
	case FaultStall:
		if st.fault.Delay == 0 {
			return park, true
		}
		st.due = now + int64(st.fault.Delay)
		st.tokenDue = max(st.tokenDue, st.due)
		return again, true
	case FaultMalformedEvent:
		*b = st.appendRaw(*b, `data: {"id":"broken","choices":[{"index":0,"delta":{"content":`)
	case FaultErrorEvent:
		*b = st.appendRaw(*b, `data: {"error":{"message":"simulated failure","type":"InternalServerError","param":null,"code":500}}`)
		*b = st.appendLastChunk(st.appendRaw(*b, "data: [DONE]"))
		if st.close {
			return endFIN, true
		}
		return endAlive, true
	}
	return 0, false
}

// stepWhole writes a reply that is not streamed; the faults within a reply strike
// in the middle of its body.
func (st *stream) stepWhole(b []byte) ([]byte, action) {
	st.stage = stageTokens
	cut := st.wholeBody + (len(st.whole)-st.wholeBody)/2
	if st.struck {
		b = append(b, st.whole[cut:]...)
	} else if st.faultAt() >= 0 && st.fault.Kind != FaultMalformedEvent && st.fault.Kind != FaultErrorEvent {
		st.struck = true
		b = append(b, st.whole[:cut]...)
		switch {
		case st.fault.Kind == FaultReset:
			return b, endRST
		case st.fault.Kind == FaultTruncate:
			return b, endFIN
		case st.fault.Delay == 0:
			return b, park
		}
		st.due += int64(st.fault.Delay)
		return b, again
	} else {
		b = append(b, st.whole...)
	}
	st.stage, st.sent, st.chunks = stageEnded, st.total, min(st.total, 1)
	if st.close || st.fault.Kind == FaultCloseAfterReply {
		return b, endFIN
	}
	return b, complete
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"

func (st *stream) appendHead(b []byte) []byte {
	if st.bare {
		return b
	}
	b = append(b, streamHead...)
	if st.framed {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if st.close {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, '\r', '\n')
}

// noteTokens books in the record that tokens [from, st.sent) began to be written
// at that instant.
func (st *stream) noteTokens(from int, at, due int64) {
	r := st.rec
	unix := st.came.at(at)
	if from == 0 {
		r.FirstToken = unix
	}
	if from <= st.thinking && st.sent > st.thinking {
		r.FirstOutput = unix
	}
	r.LastToken = unix
	r.LateMax = max(r.LateMax, at-due)
	r.OutputTokens, r.Chunks = st.sent, st.chunks
	if st.kind.vectors() {
		r.OutputTokens = 0 // results are no tokens
	}
	r.ReasoningTokens = min(st.sent, st.thinking)
	if st.conn.srv.cfg.TokenTimes {
		r.TokenOffsets = slices.Grow(r.TokenOffsets, st.sent-from)
		for range st.sent - from {
			r.TokenOffsets = append(r.TokenOffsets, unix-r.Arrival)
		}
	}
}

// dribble takes the next bytes of a split write.
func (st *stream) dribble(now int64) ([]byte, action) {
	n := min(st.fault.Tokens, len(st.pending))
	b := st.pending[:n]
	if st.pending = st.pending[n:]; len(st.pending) > 0 {
		st.due = now + int64(max(st.fault.Delay, time.Microsecond))
		return b, again
	}
	if st.after == again && st.stage == stageTokens {
		st.due = st.tokenDue
	}
	return b, st.after
}

// outcome is the status of a stream that has written all it was going to.
func (st *stream) outcome() string {
	if st.stage != stageEnded || st.fault.Kind == FaultEmpty {
		return StatusFaulted
	}
	return StatusServed
}

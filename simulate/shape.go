package simulate

import (
	"encoding/json"
	"slices"
	"strconv"
)

// shape holds the parts of a reply that are the same for all requests to one API:
// what stands around the words.
type shape struct {
	chat     bool
	name     string // one of the Shape constants
	object   string // of a whole reply
	chunk    string // object of an event
	idPrefix string

	reasoningField string

	role       string // the role-only event's choice, "" when there is none
	content    string // opens a choice's text
	reasoning  string
	endText    string // closes it
	stopReason string // after finish_reason
	finish     string // the finish event's choice before its logprobs
}

func newShape(name, reasoningField string, chat bool) *shape {
	s := &shape{chat: chat, name: name, reasoningField: reasoningField, object: "text_completion", chunk: "text_completion", idPrefix: "cmpl-",
		content: `"text":"`, reasoning: `"text":"`, endText: `"`, finish: `"text":""`}
	if name == ShapeVLLM {
		s.stopReason = `,"stop_reason":null`
	}
	if !chat {
		return s
	}
	s.object, s.chunk, s.idPrefix = "chat.completion", "chat.completion.chunk", "chatcmpl-"
	s.role = `"delta":{"role":"assistant","content":""}`
	s.content, s.reasoning = `"delta":{"content":"`, `"delta":{"`+reasoningField+`":"`
	s.endText, s.finish = `"}`, `"delta":{}`
	switch name {
	case ShapeLlamaCpp:
		s.role = `"delta":{"role":"assistant","content":null}`
	case ShapeOllama:
		s.role = ""
		s.content = `"delta":{"role":"assistant","content":"`
		s.reasoning = `"delta":{"role":"assistant","content":"","` + reasoningField + `":"`
		s.finish = `"delta":{"role":"assistant","content":""}`
	}
	return s
}

// reply is what a request is answered with, and the words around it.
type reply struct {
	*shape
	common     []byte // of every event, up to its choices' first member
	seed       uint64 // of its words
	vocab      []word // which they are of
	framed     bool   // HTTP chunks around events; not for HTTP/1.0
	logprobs   bool
	tokenIDs   bool
	usageAtEnd bool
	usageEach  bool
	nullUsage  bool // "usage":null on events without one
	prompt     int
	cached     int
	cacheOn    bool
	total      int // tokens, reasoning included
	thinking   int // reasoning tokens, first
	perChunk   int
	reason     string // finish_reason
	tool       string // the tool that is called, "" for none
	kind       api
	results    int // of embeddings or rerank

	promptNanos, predictNanos int64 // the engine's own account, told by llama.cpp
}

// makeCommon sets what each event begins with.
func (r *reply) makeCommon(id, model string, created int64) {
	b := make([]byte, 0, 160+len(id)+len(model))
	b = append(b, `data: {"id":`...)
	b = appendString(b, r.idPrefix+id)
	b = append(b, `,"object":"`...)
	b = append(b, r.chunk...)
	b = append(b, `","created":`...)
	b = strconv.AppendInt(b, created, 10)
	b = append(b, `,"model":`...)
	b = appendString(b, model)
	r.common = append(b, `,"choices":[`...)
}

const chunkHead = 5 // three hexadecimal digits and CRLF

// frame makes an HTTP chunk of the event that b got from start on, where
// chunkHead bytes were left free.
func frame(b []byte, start int) []byte {
	n := len(b) - start - chunkHead
	var size [16]byte
	hex := append(strconv.AppendInt(size[:0], int64(n), 16), '\r', '\n')
	switch d := len(hex) - chunkHead; {
	case d > 0:
		b = slices.Insert(b, start, size[:d]...)
	case d < 0:
		b = append(b[:start], b[start-d:]...)
	}
	copy(b[start:], hex)
	return append(b, '\r', '\n')
}

// open begins an event.
func (r *reply) open(b []byte) ([]byte, int) {
	start := len(b)
	if r.framed {
		b = append(b, "000\r\n"...)
	}
	return b, start
}

func (r *reply) close(b []byte, start int) []byte {
	b = append(b, '\n', '\n')
	if r.framed {
		b = frame(b, start)
	}
	return b
}

// appendRole appends the role-only event, if the shape has one.
func (r *reply) appendRole(b []byte) []byte {
	if r.role == "" {
		return b
	}
	b, start := r.open(b)
	b = append(append(b, r.common...), `{"index":0,`...)
	b = append(b, r.role...)
	b = append(b, `,"logprobs":null,"finish_reason":null}]`...)
	return r.close(r.endEvent(b, 0), start)
}

// appendTokens appends the event with tokens [from, to), which are all reasoning
// or all content.
func (r *reply) appendTokens(b []byte, from, to int) []byte {
	b, start := r.open(b)
	b = append(append(b, r.common...), `{"index":0,`...)
	end := r.endText
	switch {
	case from < r.thinking:
		b = append(b, r.reasoning...)
	case r.tool != "":
		b, end = r.toolOpen(b, from == r.thinking), toolClose
	default:
		b = append(b, r.content...)
	}
	b = append(r.appendWords(b, from, to), end...)
	b = append(b, `,"logprobs":`...)
	b = r.appendLogprobs(b, from, to)
	b = append(b, `,"finish_reason":null`...)
	b = append(b, r.stopReason...)
	b = r.appendTokenIDs(b, from, to)
	return r.close(r.endEvent(append(b, '}', ']'), to), start)
}

// endEvent closes the JSON of an event after which that many tokens were sent.
func (r *reply) endEvent(b []byte, sent int) []byte {
	if r.usageEach {
		b = r.appendUsage(append(b, `,"usage":`...), sent)
	} else if r.nullUsage {
		b = append(b, `,"usage":null`...)
	}
	return append(b, '}')
}

// appendEnd appends what follows the last token: finish event, usage event, and
// [DONE] unless that is left out.
func (r *reply) appendEnd(b []byte, done bool) []byte {
	b, start := r.open(b)
	b = append(append(b, r.common...), `{"index":0,`...)
	b = append(b, r.finish...)
	b = append(b, `,"logprobs":null,"finish_reason":"`...)
	b = append(append(b, r.reason...), '"')
	b = append(b, r.stopReason...)
	b = r.close(r.endEvent(append(b, '}', ']'), r.total), start)
	if r.usageAtEnd {
		b, start = r.open(b)
		b = append(append(b, r.common...), `],"usage":`...)
		b = r.appendTimings(r.appendUsage(b, r.total))
		b = r.close(append(b, '}'), start)
	}
	if done {
		b = r.appendRaw(b, "data: [DONE]")
	}
	return r.appendLastChunk(b)
}

// appendRaw appends an event of that text.
func (r *reply) appendRaw(b []byte, text string) []byte {
	b, start := r.open(b)
	return r.close(append(b, text...), start)
}

func (r *reply) appendLastChunk(b []byte) []byte {
	if r.framed {
		b = append(b, "0\r\n\r\n"...)
	}
	return b
}

// appendUsage appends a usage object after that many tokens.
func (r *reply) appendUsage(b []byte, sent int) []byte {
	b = append(b, `{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(r.prompt), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(r.prompt+sent), 10)
	b = append(b, `,"completion_tokens":`...)
	b = strconv.AppendInt(b, int64(sent), 10)
	if r.cacheOn {
		b = append(b, `,"prompt_tokens_details":{"cached_tokens":`...)
		b = append(strconv.AppendInt(b, int64(r.cached), 10), '}')
	}
	if r.thinking > 0 {
		b = append(b, `,"completion_tokens_details":{"reasoning_tokens":`...)
		b = append(strconv.AppendInt(b, int64(min(sent, r.thinking)), 10), '}')
	}
	return append(b, '}')
}

// appendTimings appends llama.cpp's account of the request.
func (r *reply) appendTimings(b []byte) []byte {
	if r.name != ShapeLlamaCpp {
		return b
	}
	ms := func(nanos int64) float64 { return float64(nanos) / 1e6 }
	number := func(name string, v float64) {
		b = append(append(append(b, '"'), name...), `":`...)
		b = append(strconv.AppendFloat(b, v, 'f', -1, 64), ',')
	}
	b = append(b, `,"timings":{`...)
	number("prompt_n", float64(r.prompt-r.cached))
	number("prompt_ms", ms(r.promptNanos))
	number("predicted_n", float64(r.total))
	number("predicted_ms", ms(r.predictNanos))
	number("predicted_per_token_ms", ms(r.predictNanos)/float64(max(r.total, 1)))
	b[len(b)-1] = '}'
	return b
}

func (r *reply) appendLogprobs(b []byte, from, to int) []byte {
	if !r.logprobs {
		return append(b, "null"...)
	}
	if r.chat {
		b = append(b, `{"content":[`...)
	} else {
		b = append(b, `{"tokens":[`...)
	}
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		w := r.vocab[wordAt(len(r.vocab), r.seed, i)].escaped
		if r.chat {
			b = append(b, `{"token":"`...)
			b = append(append(b, w...), `","logprob":-0.5,"bytes":null,"top_logprobs":[]}`...)
		} else {
			b = append(append(append(b, '"'), w...), '"')
		}
	}
	if r.chat {
		return append(b, "]}"...)
	}
	b = append(b, `],"token_logprobs":[`...)
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = append(b, "-0.5"...)
	}
	return append(b, `],"text_offset":[],"top_logprobs":null}`...)
}

func (r *reply) appendTokenIDs(b []byte, from, to int) []byte {
	if !r.tokenIDs {
		return b
	}
	b = append(b, `,"token_ids":[`...)
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(1000+wordAt(len(r.vocab), r.seed, i)), 10)
	}
	return append(b, ']')
}

// appendWhole appends the body of a reply that is not streamed.
func (r *reply) appendWhole(b []byte, id, model string, created int64) []byte {
	if r.kind.vectors() {
		return r.appendVectors(b, r.kind, min(r.results, r.results*r.total), model, id)
	}
	b = append(b, `{"id":`...)
	b = appendString(b, r.idPrefix+id)
	b = append(append(append(b, `,"object":"`...), r.object...), `","created":`...)
	b = strconv.AppendInt(b, created, 10)
	b = appendString(append(b, `,"model":`...), model)
	b = append(b, `,"choices":[{"index":0,`...)
	if r.chat {
		b = append(b, `"message":{"role":"assistant",`...)
		if r.thinking > 0 {
			b = append(append(append(b, '"'), r.reasoningField...), `":"`...)
			b = append(r.appendWords(b, 0, min(r.thinking, r.total)), `",`...)
		}
	}
	switch {
	case r.tool != "":
		b = r.appendToolCall(b)
	case r.chat:
		b = append(r.appendWords(append(b, `"content":"`...), min(r.thinking, r.total), r.total), '"')
	default:
		b = append(r.appendWords(append(b, `"text":"`...), min(r.thinking, r.total), r.total), '"')
	}
	if r.chat {
		b = append(b, '}')
	}
	b = r.appendLogprobs(append(b, `,"logprobs":`...), min(r.thinking, r.total), r.total)
	b = append(append(append(b, `,"finish_reason":"`...), r.reason...), '"')
	b = r.appendTokenIDs(append(b, r.stopReason...), 0, r.total)
	b = append(b, '}', ']')
	if r.usageAtEnd {
		b = r.appendTimings(r.appendUsage(append(b, `,"usage":`...), r.total))
	}
	return append(b, '}')
}

func (r *reply) appendWords(b []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		b = append(b, r.vocab[wordAt(len(r.vocab), r.seed, i)].escaped...)
	}
	return b
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	if plainName(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	j, err := json.Marshal(s)
	if err != nil { // strings don't fail
		return append(b, '"', '"')
	}
	return append(b, j...)
}

package target

import "github.com/stampede-bench/stampede/measure"

// openAIScan reads an object of the OpenAI chat or completions API: a streamed
// chunk, or with whole a complete reply. It looks at what measuring needs and
// only validates the rest.
type openAIScan struct {
	scanner
	ev    *event
	whole bool
	ids   int32 // token ids of all choices
	logs  int32 // log probabilities of all choices
	first bool  // in the first choice
	buf   [32]byte
}

// scanOpenAI fills ev from data.
func scanOpenAI(data []byte, whole bool, ev *event) error {
	ev.reset()
	s := openAIScan{scanner: scanner{p: data}, ev: ev, whole: whole}
	if s.peek() != '{' {
		return errJSON
	}
	s.object()
	if !s.end() {
		return errJSON
	}
	return nil
}

func (s *openAIScan) object() {
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "choices":
			s.choices()
		case "usage":
			s.usage()
		case "error":
			s.error()
		case "object":
			s.kind()
		case "message", "detail": // vLLM's and FastAPI's errors stand at the top
			s.text(&s.ev.message)
		default:
			s.skip()
		}
	}
}

// kind notes an object that calls itself an error, as vLLM's older ones do.
func (s *openAIScan) kind() {
	var t span
	s.text(&t)
	s.ev.failed = s.ev.failed || string(t.raw) == "error"
}

// text reads a string into t, or passes over what else stands there.
func (s *openAIScan) text(t *span) {
	if s.peek() != '"' {
		s.skip()
		return
	}
	t.raw, t.escaped = s.str()
}

func (s *openAIScan) error() {
	if s.null() {
		return
	}
	s.ev.failed = true
	if s.peek() != '{' {
		s.text(&s.ev.message)
		return
	}
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		if string(s.key(&s.buf)) == "message" {
			s.text(&s.ev.message)
		} else {
			s.skip()
		}
	}
}

func (s *openAIScan) choices() {
	if s.peek() != '[' {
		s.skip()
		return
	}
	s.ev.text, s.ev.answer, s.ids, s.logs = [4]int32{}, span{}, 0, 0
	s.first = true
	for ok := s.enter('[', ']'); ok; ok = s.more(']') {
		if s.peek() == '{' {
			s.choice()
		} else {
			s.skip()
		}
		s.first = false
	}
	if s.ev.tokens = s.ids; s.ids == 0 {
		s.ev.tokens = s.logs
	}
}

func (s *openAIScan) choice() {
	before := s.ev.answer
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "delta":
			s.delta()
		case "message":
			if s.whole {
				s.delta()
			} else {
				s.skip()
			}
		case "text":
			s.content()
		case "index":
			s.first = s.integer() <= 0
		case "finish_reason":
			s.text(&s.ev.finish)
		case "logprobs":
			s.logprobs()
		case "token_ids":
			s.ids += s.count()
		default:
			s.skip()
		}
	}
	if !s.first { // its index may stand behind its text
		s.ev.answer = before
	}
}

func (s *openAIScan) delta() {
	if s.peek() != '{' {
		s.skip()
		return
	}
	var reasoning int32
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "content":
			s.content()
		case "refusal":
			s.ev.text[measure.Content] += s.length()
		case "reasoning_content", "reasoning":
			reasoning = max(reasoning, s.length()) // some send both, with the same text
		case "tool_calls":
			s.toolCalls()
		case "function_call":
			s.function()
		case "token_ids":
			s.ids += s.count()
		default:
			s.skip()
		}
	}
	s.ev.text[measure.Reasoning] += reasoning
}

// content reads a text that is the answer, if its choice is the first.
func (s *openAIScan) content() {
	if s.peek() == '[' {
		s.parts(measure.Content)
		return
	}
	var t span
	s.text(&t)
	s.ev.text[measure.Content] += t.size()
	if len(t.raw) > 0 {
		s.ev.answer = t
	}
}

// parts reads a text that comes as a list of parts, as Mistral's thinking models write
// it: what they think is a list of its own.
func (s *openAIScan) parts(kind measure.ChunkKind) {
	if s.peek() != '[' {
		s.ev.text[kind] += s.length()
		return
	}
	for ok := s.enter('[', ']'); ok; ok = s.more(']') {
		if s.peek() != '{' {
			s.skip()
			continue
		}
		for ok := s.enter('{', '}'); ok; ok = s.more('}') {
			switch key := string(s.key(&s.buf)); {
			case key == "text" && kind == measure.Content && s.peek() == '"':
				s.content()
			case key == "text":
				s.ev.text[kind] += s.length()
			case key == "thinking" && kind == measure.Content:
				s.parts(measure.Reasoning)
			default:
				s.skip()
			}
		}
	}
}

func (s *openAIScan) length() int32 {
	var t span
	s.text(&t)
	return t.size()
}

func (s *openAIScan) toolCalls() {
	if s.peek() != '[' {
		s.skip()
		return
	}
	for ok := s.enter('[', ']'); ok; ok = s.more(']') {
		if s.peek() != '{' {
			s.skip()
			continue
		}
		for ok := s.enter('{', '}'); ok; ok = s.more('}') {
			if string(s.key(&s.buf)) == "function" {
				s.function()
			} else {
				s.skip()
			}
		}
	}
}

// function reads what a call names and gives: both are tokens of the model.
func (s *openAIScan) function() {
	if s.peek() != '{' {
		s.skip()
		return
	}
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "name", "arguments":
			s.ev.text[measure.ToolCall] += s.length()
		default:
			s.skip()
		}
	}
}

// logprobs counts the tokens of chat's content and refusal, or of completions'
// tokens.
func (s *openAIScan) logprobs() {
	if s.peek() != '{' {
		s.skip()
		return
	}
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "content", "refusal", "tokens":
			s.logs += s.count()
		default:
			s.skip()
		}
	}
}

func (s *openAIScan) usage() {
	if s.peek() != '{' {
		s.skip()
		return
	}
	s.ev.counted, s.ev.usage = true, noUsage
	u := &s.ev.usage
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "prompt_tokens":
			u.Input = s.integer()
		case "completion_tokens":
			u.Output = s.integer()
		case "reasoning_tokens": // SGLang
			u.Reasoning = max(u.Reasoning, s.integer())
		case "cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens": // Moonshot, vLLM, DeepSeek
			u.Cached = max(u.Cached, s.integer())
		case "prompt_tokens_details":
			s.detail("cached_tokens", &u.Cached)
		case "completion_tokens_details":
			s.detail("reasoning_tokens", &u.Reasoning)
		default:
			s.skip()
		}
	}
}

func (s *openAIScan) detail(name string, into *int32) {
	if s.peek() != '{' {
		s.skip()
		return
	}
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		if string(s.key(&s.buf)) == name {
			*into = max(*into, s.integer())
		} else {
			s.skip()
		}
	}
}

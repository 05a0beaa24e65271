package target

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stampede-bench/stampede/measure"
)

var events = []string{
	`{"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":null}`,
	`{"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`,
	`{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"},1]},{"type":"text","text":"yes"},"x"]}}]}`,
	`{"choices":[{"delta":{"content":[{"thinking":"hm"},{"text":["no"]},{"thinking":[[{"text":"no"}],{"text":[]}]}]},"index":1}]}`,
	`{"choices":[{"delta":{"content":null,"reasoning_content":"hm \"so\" \n"}}]}`,
	`{"choices":[{"delta":{"reasoning":"a","reasoning_content":"ab"}}]}`,
	`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":""}},{"function":{"arguments":"{}"}}]}}]}`,
	`{"choices":[{"delta":{},"finish_reason":"length"}]}`,
	`{"choices":[],"usage":{"prompt_tokens":17,"completion_tokens":3,"total_tokens":20,"prompt_tokens_details":{"cached_tokens":13},"completion_tokens_details":{"reasoning_tokens":2}}}`,
	`{"choices":[{"text":"completion","logprobs":{"tokens":["a","b"],"token_logprobs":[-0.1,-2e-3]}}]}`,
	`{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":0,"top_logprobs":[{}]}]}}]}`,
	`{"choices":[{"delta":{"content":"\ud83e\uddac \ud83e \u00e9"},"token_ids":[1,2,3]}]}`,
	`{"error":{"message":"no such model","type":"invalid_request_error","code":404}}`,
	`{"object":"error","message":"overloaded","code":503}`,
	`{"error":"plain"}`, `{"error":null,"choices":[]}`, `{"detail":"Not Found"}`, `{"detail":[{"loc":["body"],"msg":"x"}]}`,
	`{"cho\u0069ces":[{"d\u0065lta":{"content":"escaped key"}}]}`,
	`{"choices":null,"usage":{"completion_tokens":1.0,"prompt_tokens":-1,"num_cached_tokens":99999999999}}`,
	`{"choices":[{"delta":{"content":{"not":"text"}}}]}`, `{}`, `[]`, `null`, `{"a":01}`, `{"a":1.}`, `{"a":"\x"}`, `{"a":tru}`, `{"a":1}}`, ``,
	"{\"choices\":[{\"delta\":{\"content\":\"\xfa\"}}]}", // found by fuzzing
	`{"choices":[{"delta":{"refusal":"no"}}],"timings":{"predicted_n":5,"prompt_ms":1.5e+2}}`,
}

// duplicates reports whether an object has a member twice: which one counts is
// not asked of the scanner.
func duplicates(dec *json.Decoder) bool {
	type frame struct {
		object bool
		key    bool
		seen   map[string]bool
	}
	var stack []frame
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		var top *frame
		if len(stack) > 0 {
			top = &stack[len(stack)-1]
		}
		if d, ok := tok.(json.Delim); ok {
			switch d {
			case '{', '[':
				if top != nil {
					top.key = true
				}
				stack = append(stack, frame{d == '{', true, map[string]bool{}})
			default:
				stack = stack[:len(stack)-1]
			}
			continue
		}
		if top == nil || !top.object {
			continue
		}
		if top.key {
			name, _ := tok.(string)
			if top.seen[name] {
				return true
			}
			top.seen[name] = true
		}
		top.key = !top.key
	}
}

// Helpers to walk a decoded value.
func obj(v any) map[string]any { m, _ := v.(map[string]any); return m }
func arr(v any) []any          { a, _ := v.([]any); return a }
func str(v any) string         { s, _ := v.(string); return s }

func count(v any) int32 {
	n, ok := v.(json.Number)
	if !ok {
		return -1
	}
	text, rest, dot := strings.Cut(string(n), ".")
	if dot && strings.ContainsAny(rest, "eE") || strings.ContainsAny(text, "eE-") {
		if !dot || strings.ContainsAny(text, "eE-") {
			return -1
		}
	}
	var i int64
	if _, err := fmt.Sscanf(text, "%d", &i); err != nil || i > 1<<31-1 || len(text) > 10 {
		return -1
	}
	return int32(i)
}

type said struct {
	Text    [4]int32
	Answer  string
	Tokens  int32
	Usage   measure.Usage
	Counted bool
	Finish  string
	Failed  bool
	Message string
}

// reference reads an event by encoding/json.
func reference(data string, whole bool) (s said, ok bool) {
	dec := json.NewDecoder(strings.NewReader(data))
	dec.UseNumber()
	var top map[string]any
	if !json.Valid([]byte(data)) || dec.Decode(&top) != nil || top == nil {
		return s, false
	}
	s.Usage = noUsage
	refChoices(&s, arr(top["choices"]), whole)
	refUsage(&s, top["usage"])
	refError(&s, top)
	return s, true
}

func refError(s *said, top map[string]any) {
	s.Failed = top["error"] != nil || str(top["object"]) == "error"
	for _, v := range []any{top["message"], top["detail"], obj(top["error"])["message"], top["error"]} {
		if t, ok := v.(string); ok {
			s.Message = t
		}
	}
}

func refChoices(s *said, choices []any, whole bool) {
	var ids, logs int
	for i, v := range choices {
		c := obj(v)
		first := i == 0
		if n, ok := c["index"]; ok {
			first = count(n) <= 0
		}
		deltas := []any{c["delta"]}
		if whole {
			deltas = append(deltas, c["message"])
		}
		answers := refTexts(s, c["text"])
		for _, v := range deltas {
			d := obj(v)
			answers = append(answers, refTexts(s, d["content"])...)
			s.Text[0] += int32(len(str(d["refusal"])))
			s.Text[1] += int32(max(len(str(d["reasoning"])), len(str(d["reasoning_content"]))))
			fns := []any{d["function_call"]}
			for _, call := range arr(d["tool_calls"]) {
				fns = append(fns, obj(call)["function"])
			}
			for _, f := range fns {
				s.Text[2] += int32(len(str(obj(f)["name"])) + len(str(obj(f)["arguments"])))
			}
			ids += len(arr(d["token_ids"]))
		}
		for _, a := range answers {
			s.Text[0] += int32(len(a))
			if first && a != "" {
				s.Answer = a
			}
		}
		ids += len(arr(c["token_ids"]))
		for _, name := range []string{"content", "refusal", "tokens"} {
			logs += len(arr(obj(c["logprobs"])[name]))
		}
		if t := str(c["finish_reason"]); t != "" {
			s.Finish = t
		}
	}
	if s.Tokens = int32(ids); ids == 0 {
		s.Tokens = int32(logs)
	}
}

// refTexts are the texts of an answer, which may come as a list of parts; what was
// thought among them counts as such.
func refTexts(s *said, v any) (texts []string) {
	for _, p := range arr(v) {
		part := obj(p)
		texts = append(texts, str(part["text"]))
		s.Text[1] += int32(len(str(part["thinking"])))
		for _, thought := range arr(part["thinking"]) {
			s.Text[1] += int32(len(str(obj(thought)["text"])))
		}
	}
	return append(texts, str(v))
}

func refUsage(s *said, v any) {
	u, ok := v.(map[string]any)
	if !ok {
		return
	}
	s.Counted = true
	s.Usage.Input, s.Usage.Output = count(u["prompt_tokens"]), count(u["completion_tokens"])
	s.Usage.Reasoning = max(count(u["reasoning_tokens"]), count(obj(u["completion_tokens_details"])["reasoning_tokens"]))
	for _, v := range []any{u["cached_tokens"], u["num_cached_tokens"], u["prompt_cache_hit_tokens"], obj(u["prompt_tokens_details"])["cached_tokens"]} {
		s.Usage.Cached = max(s.Usage.Cached, count(v))
	}
}

// scanned is what the scanner says, in the reference's terms.
func scanned(ev *event) said {
	text := func(t span) string { return string(unescape(nil, t.raw)) }
	return said{ev.text, text(ev.answer), ev.tokens, ev.usage, ev.counted, text(ev.finish), ev.failed, text(ev.message)}
}

// FuzzScan holds the scanner against encoding/json: valid is valid, and what it
// reads is what stands there. Two things are not compared: objects with a member
// twice, and which of several error messages or answers is taken.
func FuzzScan(f *testing.F) {
	for _, s := range events {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, data string, whole bool) {
		var ev event
		err := scanOpenAI([]byte(data), whole, &ev)
		want, ok := reference(data, whole)
		if (err == nil) != ok {
			t.Fatalf("%q: got error %v, but encoding/json says valid %v", data, err, ok)
		}
		if err != nil || duplicates(json.NewDecoder(strings.NewReader(data))) {
			return
		}
		got := scanned(&ev)
		if many(data, "message", "detail", "error") {
			got.Message, want.Message = "", ""
		}
		if many(data, "text", "content", "index") {
			got.Answer, want.Answer = "", ""
		}
		if many(data, "finish_reason") {
			got.Finish, want.Finish = "", ""
		}
		if !utf8.ValidString(data) { // bytes that are no text count as they came
			got.Text, want.Text = [4]int32{}, [4]int32{}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q (whole %v)\ngot  %+v\nwant %+v", data, whole, got, want)
		}
	})
}

// many reports whether the names stand in data more than once in all, or may, for
// all that escapes tell.
func many(data string, names ...string) bool {
	n := strings.Count(data, `\u`)
	for _, name := range names {
		n += strings.Count(data, name)
	}
	return n > 1
}

func TestAppendString(t *testing.T) {
	for _, s := range []string{"", "plain", "qu\"ote\\", "\n\r\t\x00\x1f\x7f", "grüße 🦬", "bad \xff\xc0 utf8", "a\xe2\x80"} {
		got := appendString(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); len([]rune(back)) != len([]rune(s)) || strings.ToValidUTF8(back, "") != back || s == want && back != s {
			t.Errorf("%q came back as %q", s, back)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	data := []byte(`{"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1700000000,"model":"mistralai/Mistral-7B-Instruct-v0.1","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null}`)
	var ev event
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := scanOpenAI(data, false, &ev); err != nil {
			b.Fatal(err)
		}
	}
}

package target

import (
	"encoding/json"
	"fmt"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// vectors speaks the APIs that answer with numbers: embeddings, whose inputs are
// the texts of the messages, and rerank, whose query is the first and whose
// documents are the others.
type vectors struct {
	rerank bool
	before map[string][]byte // `{"model":…` by model, "" for the endpoint's
	after  []byte            // extra members
}

func newVectors(e workload.Endpoint, s workload.Sampling) (driver, error) {
	d := &vectors{rerank: e.API == workload.APIRerank, before: map[string][]byte{}}
	for _, m := range append([]workload.ModelShare{{Name: e.Model}}, e.Models...) {
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, fmt.Errorf("encode model: %w", err)
		}
		d.before[m.Name] = append([]byte(`{"model":`), name...)
	}
	d.before[""] = d.before[e.Model]
	var err error
	d.after, err = extra(nil, s.ExtraBody)
	return d, err
}

func (d *vectors) path() string {
	if d.rerank {
		return "rerank"
	}
	return "embeddings"
}

func (d *vectors) body(dst []byte, in Input) ([]byte, error) {
	before, ok := d.before[in.Model]
	if !ok {
		before = d.before[""]
	}
	if len(in.Messages) == 0 {
		return nil, fmt.Errorf("there is no text to send")
	}
	dst = append(dst, before...)
	texts, key := in.Messages, `,"input":[`
	if d.rerank {
		dst = appendString(append(dst, `,"query":`...), texts[0].Content)
		if key = `,"documents":[`; len(texts) > 1 {
			texts = texts[1:]
		}
	}
	dst = appendTexts(append(dst, key...), texts)
	return append(append(dst, d.after...), '}'), nil
}

func appendTexts(dst []byte, texts []dataset.Message) []byte {
	for i, m := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.Content)
	}
	return append(dst, ']')
}

// scan reads a whole reply: its results count, what they are doesn't.
func (d *vectors) scan(data []byte, _ bool, ev *event) error {
	ev.reset()
	s := openAIScan{scanner: scanner{p: data}, ev: ev, whole: true}
	if s.peek() != '{' {
		return errJSON
	}
	total, failure := int32(-1), false
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "data", "results":
			if s.peek() == '[' {
				ev.text[measure.Result] += s.count()
			} else {
				s.skip()
			}
		case "usage":
			total = s.total()
		case "error":
			s.error()
		case "object":
			s.kind()
		case "message", "detail":
			failure = true
			s.text(&ev.message)
		default:
			s.skip()
		}
	}
	if !s.end() {
		return errJSON
	}
	if ev.counted = total >= 0; ev.counted {
		ev.usage.Input = total
	}
	ev.failed = ev.failed || failure && ev.text[measure.Result] == 0
	return nil
}

// total reads usage: prompt_tokens, or total_tokens where that is all there is.
func (s *openAIScan) total() int32 {
	if s.peek() != '{' {
		s.skip()
		return -1
	}
	prompt, total := int32(-1), int32(-1)
	for ok := s.enter('{', '}'); ok; ok = s.more('}') {
		switch string(s.key(&s.buf)) {
		case "prompt_tokens":
			prompt = s.integer()
		case "total_tokens":
			total = s.integer()
		default:
			s.skip()
		}
	}
	if prompt >= 0 {
		return prompt
	}
	return total
}

package target

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// openAI speaks the OpenAI chat and completions API and its dialects. What all
// requests have in common is encoded once.
type openAI struct {
	chat       bool
	lengthKey  string            // max_tokens or max_completion_tokens; empty when extra_body sets it
	maxTokens  int               // caps what is asked for; 0 no cap
	exact      bool              // ignore_eos and min_tokens make lengths exact
	eosSent    bool              // the spec says ignore_eos itself
	given      map[string]bool   // set by extra_body
	before     []byte            // `{"model":…,` up to the messages
	models     map[string][]byte // before, for the models of a mix
	after      []byte            // from behind the messages; begins with a comma or is empty
	sendPrompt bool              // messages or prompt are not set by extra_body
}

type member struct {
	key   string
	value any
}

func newOpenAI(cfg Config) (driver, error) {
	e, s := cfg.Endpoint, cfg.Sampling
	if !e.Generates() {
		return newVectors(e, s)
	}
	d := &openAI{lengthKey: "max_tokens", given: map[string]bool{}}
	switch e.API {
	case "", "chat":
		d.chat = true
	case "completions":
	default:
		return nil, fmt.Errorf("endpoint.api %q is not supported: choose chat, completions, embeddings or rerank", e.API)
	}
	if d.chat && ownOpenAI(e.URL) {
		d.lengthKey = "max_completion_tokens"
	}
	if s.MaxTokens != nil {
		d.maxTokens = *s.MaxTokens
	}
	exact := e.Type == "vllm" || e.Type == "sglang"
	d.exact = exact && (s.IgnoreEOS == nil || *s.IgnoreEOS)
	d.eosSent = s.IgnoreEOS != nil
	for key := range s.ExtraBody {
		d.given[key] = true
	}
	d.sendPrompt = !d.given["messages"] && !d.given["prompt"]
	return d, d.encode(cfg)
}

// ownOpenAI tells OpenAI's own service, which refuses max_tokens for new models.
func ownOpenAI(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Hostname() == "api.openai.com"
}

// encode makes the constant parts of the body.
func (d *openAI) encode(cfg Config) (err error) {
	e, s := cfg.Endpoint, cfg.Sampling
	if d.before, err = d.members(nil, []member{{"model", e.Model}}); err != nil {
		return err
	}
	d.models = make(map[string][]byte, len(e.Models))
	for _, m := range e.Models {
		if d.models[m.Name], err = d.members(nil, []member{{"model", m.Name}}); err != nil {
			return err
		}
	}
	after := []member{{"stream", streaming(e)}}
	if streaming(e) {
		options := map[string]bool{"include_usage": true}
		if e.Type == "vllm" {
			options["continuous_usage_stats"] = true
		}
		after = append(after, member{"stream_options", options})
	}
	if len(cfg.Tools) > 0 && d.chat {
		after = append(after, member{"tools", json.RawMessage(cfg.Tools)})
		if len(cfg.ToolChoice) > 0 {
			after = append(after, member{"tool_choice", json.RawMessage(cfg.ToolChoice)})
		}
	}
	after = append(after, sampling(s)...)
	if d.after, err = d.members(nil, after); err != nil {
		return err
	}
	d.after, err = extra(d.after, s.ExtraBody)
	return err
}

func streaming(e workload.Endpoint) bool { return e.Streams() }

// sampling lists what was given; what was not is not sent.
func sampling(s workload.Sampling) (m []member) {
	if s.Temperature != nil {
		m = append(m, member{"temperature", *s.Temperature})
	}
	if s.TopP != nil {
		m = append(m, member{"top_p", *s.TopP})
	}
	if s.N != nil {
		m = append(m, member{"n", *s.N})
	}
	if s.IgnoreEOS != nil {
		m = append(m, member{"ignore_eos", *s.IgnoreEOS})
	}
	return m
}

// members appends those members that extra_body does not replace.
func (d *openAI) members(dst []byte, list []member) ([]byte, error) {
	for _, m := range list {
		if d.given[m.key] {
			continue
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", m.key, err)
		}
		dst = append(appendKey(dst, m.key), value...)
	}
	return dst, nil
}

func extra(dst []byte, body workload.ExtraBody) ([]byte, error) {
	keys := make([]string, 0, len(body))
	for key := range body {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		value, err := json.Marshal(body[key])
		if err != nil {
			return nil, fmt.Errorf("encode sampling.extra_body.%s: %w", key, err)
		}
		dst = append(appendKey(dst, key), value...)
	}
	return dst, nil
}

// appendKey begins another member; its comma may turn into the opening brace.
func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',')
	dst = appendString(dst, key)
	return append(dst, ':')
}

func (d *openAI) path() string {
	if d.chat {
		return "chat/completions"
	}
	return "completions"
}

func (d *openAI) body(dst []byte, in Input) ([]byte, error) {
	begin := len(dst)
	if before, ok := d.models[in.Model]; ok {
		dst = append(dst, before...)
	} else {
		dst = append(dst, d.before...)
	}
	if d.sendPrompt {
		dst = d.prompt(dst, in.Messages)
	}
	dst = append(dst, d.after...)
	dst = d.length(dst, in.OutputTokens)
	if len(dst) == begin {
		dst = append(dst, ',')
	}
	dst[begin] = '{'
	return append(dst, '}'), nil
}

func (d *openAI) prompt(dst []byte, messages []dataset.Message) []byte {
	if !d.chat {
		dst = appendKey(dst, "prompt")
		return appendString(dst, flatten(messages))
	}
	dst = append(appendKey(dst, "messages"), '[')
	for i, m := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"role":`...)
		dst = appendString(dst, m.Role)
		dst = appendContent(append(dst, `,"content":`...), &m)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendContent appends a message's text, or its parts with the text behind them.
func appendContent(dst []byte, m *dataset.Message) []byte {
	if m.Media == "" {
		return appendString(dst, m.Content)
	}
	dst = append(append(dst, '['), m.Media...)
	if m.Content != "" {
		dst = append(appendString(append(dst, `,{"type":"text","text":`...), m.Content), '}')
	}
	return append(dst, ']')
}

// flatten makes a prompt of messages: the text alone of a single one, else lines
// of role and content, as the seed's legacy API wants them.
func flatten(messages []dataset.Message) string {
	if len(messages) == 1 {
		return messages[0].Content
	}
	lines := make([]string, len(messages))
	for i, m := range messages {
		lines[i] = m.Role + ": " + m.Content
	}
	return strings.Join(lines, "\n")
}

// length asks for an output length: the entry's own under the cap, or the cap.
func (d *openAI) length(dst []byte, asked int) []byte {
	n := asked
	if d.maxTokens > 0 && (n <= 0 || n > d.maxTokens) {
		n = d.maxTokens
	}
	if n <= 0 {
		return dst
	}
	if !d.given["max_tokens"] && !d.given["max_completion_tokens"] {
		dst = strconv.AppendInt(appendKey(dst, d.lengthKey), int64(n), 10)
	}
	if asked <= 0 || !d.exact {
		return dst
	}
	if !d.given["min_tokens"] {
		dst = strconv.AppendInt(appendKey(dst, "min_tokens"), int64(n), 10)
	}
	if !d.given["ignore_eos"] && !d.eosSent {
		dst = append(appendKey(dst, "ignore_eos"), "true"...)
	}
	return dst
}

func (d *openAI) scan(data []byte, whole bool, ev *event) error {
	if !whole && len(data) > 0 && data[0] != '{' && string(bytes.TrimSpace(data)) == "[DONE]" {
		ev.reset()
		ev.done = true
		return nil
	}
	return scanOpenAI(data, whole, ev)
}

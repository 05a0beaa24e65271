package simulate

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
)

// apiRequest is the body of a completions request, as far as it matters here.
type apiRequest struct {
	Model               string    `json:"model"`
	Messages            []message `json:"messages"`
	Prompt              textInput `json:"prompt"`
	MaxTokens           *float64  `json:"max_tokens"`
	MaxCompletionTokens *float64  `json:"max_completion_tokens"`
	MinTokens           float64   `json:"min_tokens"`
	IgnoreEOS           bool      `json:"ignore_eos"`
	N                   *float64  `json:"n"`
	Temperature         *float64  `json:"temperature"`
	Stream              bool      `json:"stream"`
	Logprobs            any       `json:"logprobs"`
	ReturnTokenIDs      bool      `json:"return_token_ids"`
	Tools               []tool    `json:"tools"`
	ToolChoice          any       `json:"tool_choice"`
	Input               textList  `json:"input"`     // embeddings
	Query               string    `json:"query"`     // rerank
	Documents           textList  `json:"documents"` // rerank
	StreamOptions       *struct {
		IncludeUsage    bool `json:"include_usage"`
		ContinuousUsage bool `json:"continuous_usage_stats"`
	} `json:"stream_options"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// textInput is a prompt of the completions API: one text or one list of token
// ids, each also alone in a list.
type textInput struct {
	text string
	ids  []int64
	set  bool
}

func (t *textInput) UnmarshalJSON(b []byte) error {
	var texts []string
	var lists [][]int64
	t.set = true
	switch {
	case string(b) == "null":
		t.set = false
		return nil
	case json.Unmarshal(b, &t.text) == nil, json.Unmarshal(b, &t.ids) == nil:
		return nil
	case json.Unmarshal(b, &texts) == nil && len(texts) == 1:
		t.text = texts[0]
		return nil
	case json.Unmarshal(b, &lists) == nil && len(lists) == 1:
		t.ids = lists[0]
		return nil
	}
	return fmt.Errorf("prompt must be one text or one list of token ids")
}

// decode reads body and refuses what no server would answer.
func (a *apiRequest) decode(body []byte, kind api) error {
	if err := json.Unmarshal(body, a); err != nil {
		return badRequest("the body is not valid: %v", err)
	}
	switch {
	case kind == apiChat && len(a.Messages) == 0:
		return badRequest("messages must not be empty")
	case kind == apiText && !a.Prompt.set:
		return badRequest("prompt must be given")
	case kind == apiEmbeddings && len(a.Input) == 0:
		return badRequest("input must not be empty")
	case kind == apiRerank && (a.Query == "" || len(a.Documents) == 0):
		return badRequest("query and documents must be given")
	case kind.vectors() && a.Stream:
		return badRequest("stream is not for %s", kind)
	case a.N != nil && *a.N != 1:
		return badRequest("n must be 1, got %v", *a.N)
	case a.StreamOptions != nil && !a.Stream:
		return badRequest("stream_options are only allowed when stream is true")
	case a.Temperature != nil && *a.Temperature < 0:
		return badRequest("temperature must not be negative, got %v", *a.Temperature)
	case a.MinTokens < 0 || a.MinTokens > math.MaxInt32 || a.MinTokens != math.Trunc(a.MinTokens):
		return badRequest("min_tokens must be a whole number of at least 0, got %v", a.MinTokens)
	}
	for _, v := range []*float64{a.MaxTokens, a.MaxCompletionTokens} {
		if v != nil && (*v < 1 || *v > math.MaxInt32 || *v != math.Trunc(*v)) {
			return badRequest("max_tokens must be a whole number of at least 1, got %v", *v)
		}
	}
	return nil
}

// asked is how many tokens the request asks for, 0 when it doesn't say.
func (a *apiRequest) asked() int {
	switch {
	case a.MaxCompletionTokens != nil:
		return int(*a.MaxCompletionTokens)
	case a.MaxTokens != nil:
		return int(*a.MaxTokens)
	}
	return 0
}

// wantsLogprobs: true for chat, any number for completions.
func (a *apiRequest) wantsLogprobs() bool { return a.Logprobs != nil && a.Logprobs != false }

// gather puts the prompt into p.
func (s *Server) gather(a *apiRequest, p *promptText, kind api) {
	p.reset()
	add := func(role, text string) {
		p.add(role, text)
		s.count(p, text)
	}
	switch kind {
	case apiChat:
		for _, m := range a.Messages {
			add(m.Role, m.Content.text)
			p.media(m.Content.media)
		}
		if len(a.Tools) > 0 {
			add("tools", toolText(a.Tools))
		}
	case apiEmbeddings:
		for _, text := range a.Input {
			add("", text)
		}
	case apiRerank:
		add("query", a.Query)
		for _, text := range a.Documents {
			add("", text)
		}
	default:
		add("", a.Prompt.text)
		p.ids = len(a.Prompt.ids)
		p.text = fingerprint(p.text, a.Prompt.ids)
	}
}

// refusal is an error in the API's own words.
type refusal struct {
	status               int
	message, kind, param string
}

func (r *refusal) Error() string { return r.message }

func wrongModel(name string) error {
	return &refusal{http.StatusNotFound, fmt.Sprintf("The model `%s` does not exist.", name), "NotFoundError", "model"}
}

func tooLong(limit, prompt, asked int) error {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(
		"This model's maximum context length is %d tokens. However, you requested %d tokens (%d in the messages, %d in the completion). Please reduce the length of the messages or completion.",
		limit, prompt+asked, prompt, asked), "BadRequestError", ""}
}

// errorBody is the API's JSON form of an error.
func errorBody(status int, text, kind, param string) []byte {
	var p any
	if param != "" {
		p = param
	}
	b, err := json.Marshal(map[string]any{"error": map[string]any{"message": text, "type": kind, "param": p, "code": status}})
	if err != nil { // strings and numbers don't fail
		return []byte(`{"error":{}}`)
	}
	return append(b, '\n')
}

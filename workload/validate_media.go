package workload

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds on what goes into one request.
const (
	maxMedia     = 64
	maxPixels    = 8192
	maxAudio     = Duration(10 * time.Minute)
	maxBatch     = 2048
	maxTools     = 1000
	maxToolBytes = 4 << 20
	maxModels    = 1000
)

// Formats of pictures.
const (
	FormatJPEG = "jpeg"
	FormatPNG  = "png"
)

func (c *checker) media(d *Dataset) {
	if i := d.Images; i != nil {
		c.between("dataset.images.count", int64(i.Count), 0, maxMedia)
		c.between("dataset.images.width", int64(i.Width), 0, maxPixels)
		c.between("dataset.images.height", int64(i.Height), 0, maxPixels)
		c.oneOf("dataset.images.format", i.Format, FormatJPEG, FormatPNG)
	}
	if a := d.Audio; a != nil {
		c.between("dataset.audio.count", int64(a.Count), 0, maxMedia)
		c.duration("dataset.audio.duration", a.Duration)
		if a.Duration > maxAudio {
			c.bad("dataset.audio.duration", "must be at most %s, got %s", maxAudio, a.Duration)
		}
	}
	for _, m := range []struct {
		path  string
		given bool
	}{{"dataset.images", d.Images != nil}, {"dataset.audio", d.Audio != nil}} {
		if m.given && !d.Synthetic() {
			c.badHint(m.path, "rows bring their own as parts of their messages", "is for synthetic data")
		}
	}
	if d.Tools != "" {
		list, err := d.ToolList()
		if c.fail("dataset.tools", err); err == nil {
			c.toolChoice(d.ToolChoice, list)
		}
	}
	c.line("dataset.tool_choice", d.ToolChoice, 200)
	if d.ToolChoice != "" && d.Tools == "" {
		c.badHint("dataset.tool_choice", "give dataset.tools", "must come with tools to choose from")
	}
	c.between("dataset.batch_size", int64(d.BatchSize), 0, maxBatch)
	if d.BatchSize > 1 && !d.Synthetic() {
		c.badHint("dataset.batch_size", "each message of a row is an input", "is for synthetic data")
	}
}

// toolChoice refuses a tool that is not there.
func (c *checker) toolChoice(choice string, list json.RawMessage) {
	var tools []struct {
		Function struct{ Name string }
	}
	if choice == "" || json.Unmarshal(list, &tools) != nil {
		return
	}
	allowed := []string{"auto", "none", "required"}
	for _, t := range tools {
		if t.Function.Name != "" {
			allowed = append(allowed, t.Function.Name)
		}
	}
	c.oneOf("dataset.tool_choice", choice, allowed...)
}

// ToolList is the list of tools as JSON: the one that is given, or made up.
func (d Dataset) ToolList() (json.RawMessage, error) {
	text := strings.TrimSpace(d.Tools)
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > maxTools {
			return nil, fmt.Errorf("must be from 1 to %d tools, got %d", maxTools, n)
		}
		return madeUpTools(n)
	}
	var list []struct {
		Type     string          `json:"type"`
		Function json.RawMessage `json:"function"`
	}
	if len(text) > maxToolBytes {
		return nil, fmt.Errorf("must have at most %d bytes, got %d", maxToolBytes, len(text))
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("must be a JSON list of tools, or how many to make up: %w", err)
	}
	if len(list) == 0 || len(list) > maxTools {
		return nil, fmt.Errorf("must be from 1 to %d tools, got %d", maxTools, len(list))
	}
	for i, t := range list {
		if t.Type == "" {
			return nil, fmt.Errorf("tool %d: has no type, such as function", i)
		}
	}
	return json.RawMessage(text), nil
}

// toolSubjects are what tools that are made up are about.
var toolSubjects = []string{"weather", "flights", "recipes", "stocks", "routes", "contacts", "orders", "books", "events", "prices"}

// madeUpTools are n definitions of functions with three parameters each.
func madeUpTools(n int) (json.RawMessage, error) {
	type property struct {
		Type        string   `json:"type"`
		Description string   `json:"description"`
		Enum        []string `json:"enum,omitempty"`
	}
	list := make([]any, n)
	for i := range list {
		subject := toolSubjects[i%len(toolSubjects)]
		name := "find_" + subject
		if i >= len(toolSubjects) {
			name += "_" + strconv.Itoa(i/len(toolSubjects)+1)
		}
		list[i] = map[string]any{"type": "function", "function": map[string]any{
			"name":        name,
			"description": "Find " + subject + " that match a query.",
			"parameters": map[string]any{
				"type": "object",
				"properties": map[string]property{
					"query": {Type: "string", Description: "What to look for."},
					"limit": {Type: "integer", Description: "How many to return at most."},
					"order": {Type: "string", Description: "What to sort by.", Enum: []string{"relevance", "date", "name"}},
				},
				"required": []string{"query"},
			},
		}}
	}
	return json.Marshal(list)
}

// ToolChoiceJSON is tool_choice as the API takes it, or nil.
func (d Dataset) ToolChoiceJSON() (json.RawMessage, error) {
	switch d.ToolChoice {
	case "":
		return nil, nil
	case "auto", "none", "required":
		return json.Marshal(d.ToolChoice)
	}
	return json.Marshal(map[string]any{"type": "function", "function": map[string]string{"name": d.ToolChoice}})
}

func (c *checker) models(e *Endpoint) {
	if len(e.Models) > maxModels {
		c.bad("endpoint.models", "must be at most %d, got %d", maxModels, len(e.Models))
	}
	seen, sum := map[string]bool{}, 0.0
	for i, m := range e.Models {
		p := at("endpoint.models", i)
		if m.Name == "" {
			c.missing(p+".name", "")
		}
		c.line(p+".name", m.Name, 500)
		if seen[m.Name] {
			c.bad(p+".name", "is given twice: %s", quote(m.Name))
		}
		seen[m.Name] = true
		c.finite(p+".weight", m.Weight, 0, 1e9)
		sum += m.Share()
	}
	if len(e.Models) > 0 && !(sum > 0) {
		c.bad("endpoint.models", "must have a weight above 0")
	}
	if len(e.Models) > 0 && e.Model != "" && e.Model != e.Models[0].Name {
		c.badHint("endpoint.model", "give one of them", "must not be given together with endpoint.models")
	}
}

// Share is the weight, 1 when it isn't said.
func (m ModelShare) Share() float64 {
	if m.Weight == nil {
		return 1
	}
	return *m.Weight
}

// forAPI refuses what an API can't carry.
func (c *checker) forAPI(s *Spec) {
	d, api := &s.Dataset, s.Endpoint.API
	chat := api == "" || api == APIChat
	for _, k := range []struct {
		path   string
		given  bool
		wanted bool
		what   string
	}{
		{"dataset.images", d.Images != nil, chat, "chat"},
		{"dataset.audio", d.Audio != nil, chat, "chat"},
		{"dataset.tools", d.Tools != "", chat, "chat"},
		{"dataset.batch_size", d.BatchSize > 1, !s.Endpoint.Generates(), "embeddings and rerank"},
		{"dataset.chat", d.Chat != nil, s.Endpoint.Generates(), "chat and completions"},
		{"dataset.output_tokens", d.OutputTokens != "", s.Endpoint.Generates(), "chat and completions"},
	} {
		if k.given && !k.wanted {
			c.bad(k.path, "is for the API %s, not for %s", k.what, orDefaultAPI(api))
		}
	}
	if s.Endpoint.Stream != nil && *s.Endpoint.Stream && !s.Endpoint.Generates() {
		c.bad("endpoint.stream", "must not be true: %s answers in one piece", api)
	}
}

func orDefaultAPI(api string) string {
	if api == "" {
		return APIChat
	}
	return api
}

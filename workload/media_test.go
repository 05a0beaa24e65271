package workload

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func mediaSpec(change func(*Spec)) *Spec {
	s := &Spec{Endpoint: Endpoint{URL: "http://h/v1"}}
	change(s)
	return s
}

func TestMediaIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Spec)
		want   string // "" when all is well
	}{
		"images":             {func(s *Spec) { s.Dataset.Images = &Images{Count: 2, Width: 64, Height: 64, Format: "png"} }, ""},
		"images by default":  {func(s *Spec) { s.Dataset.Images = &Images{} }, ""},
		"format":             {func(s *Spec) { s.Dataset.Images = &Images{Format: "gif"} }, "dataset.images.format: must be one of jpeg, png"},
		"width":              {func(s *Spec) { s.Dataset.Images = &Images{Width: 99999} }, "dataset.images.width: must be at most 8192"},
		"count":              {func(s *Spec) { s.Dataset.Images = &Images{Count: -1} }, "dataset.images.count"},
		"images for text":    {func(s *Spec) { s.Dataset.Images, s.Endpoint.API = &Images{}, APICompletions }, "dataset.images: is for the API chat, not for completions"},
		"images of a file":   {func(s *Spec) { s.Dataset = Dataset{Path: "a.jsonl", Images: &Images{}} }, "dataset.images: is for synthetic data"},
		"audio":              {func(s *Spec) { s.Dataset.Audio = &Audio{Duration: Duration(time.Second)} }, ""},
		"long audio":         {func(s *Spec) { s.Dataset.Audio = &Audio{Duration: Duration(time.Hour)} }, "dataset.audio.duration: must be at most"},
		"tools":              {func(s *Spec) { s.Dataset.Tools, s.Dataset.ToolChoice = "12", "required" }, ""},
		"no tools":           {func(s *Spec) { s.Dataset.Tools = "0" }, "dataset.tools: must be from 1 to 1000 tools"},
		"tools, no list":     {func(s *Spec) { s.Dataset.Tools = "{}" }, "dataset.tools: must be a JSON list of tools"},
		"tools, no type":     {func(s *Spec) { s.Dataset.Tools = `[{"function":{}}]` }, "dataset.tools: tool 0: has no type"},
		"choice of none":     {func(s *Spec) { s.Dataset.Tools, s.Dataset.ToolChoice = "2", "find_recipes" }, `dataset.tool_choice: must be one of auto, none, required, find_weather, find_flights, got "find_recipes"`},
		"choice alone":       {func(s *Spec) { s.Dataset.ToolChoice = "auto" }, "dataset.tool_choice: must come with tools"},
		"tools for rerank":   {func(s *Spec) { s.Dataset.Tools, s.Endpoint.API = "1", APIRerank }, "dataset.tools: is for the API chat, not for rerank"},
		"batch":              {func(s *Spec) { s.Dataset.BatchSize, s.Endpoint.API = 8, APIEmbeddings }, ""},
		"batch of chats":     {func(s *Spec) { s.Dataset.BatchSize = 8 }, "dataset.batch_size: is for the API embeddings and rerank, not for chat"},
		"streamed vectors":   {func(s *Spec) { yes := true; s.Endpoint.API, s.Endpoint.Stream = APIEmbeddings, &yes }, "endpoint.stream: must not be true"},
		"ttft of vectors":    {func(s *Spec) { s.Endpoint.API, s.SLO.TTFT = APIEmbeddings, Duration(time.Second) }, "slo.ttft: can't be judged"},
		"length of vectors":  {func(s *Spec) { s.Endpoint.API, s.Dataset.OutputTokens = APIEmbeddings, "5" }, "dataset.output_tokens: is for the API chat"},
		"mix":                {func(s *Spec) { s.Endpoint.Models = []ModelShare{{Name: "a"}, {Name: "b"}} }, ""},
		"mix and model":      {func(s *Spec) { s.Endpoint.Model, s.Endpoint.Models = "c", []ModelShare{{Name: "a"}} }, "endpoint.model: must not be given together"},
		"mix, twice":         {func(s *Spec) { s.Endpoint.Models = []ModelShare{{Name: "a"}, {Name: "a"}} }, "endpoint.models[1].name: is given twice"},
		"mix without weight": {func(s *Spec) { z := 0.0; s.Endpoint.Models = []ModelShare{{Name: "a", Weight: &z}} }, "endpoint.models: must have a weight above 0"},
		"mix, negative":      {func(s *Spec) { z := -1.0; s.Endpoint.Models = []ModelShare{{Name: "a", Weight: &z}} }, "endpoint.models[0].weight"},
	} {
		t.Run(name, func(t *testing.T) {
			err := mediaSpec(c.change).Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestMediaDefaults(t *testing.T) {
	s := mediaSpec(func(s *Spec) { s.Dataset.Images, s.Dataset.Audio = &Images{}, &Audio{} })
	d, _ := s.WithDefaults()
	if *d.Dataset.Images != (Images{1, 512, 512, "jpeg"}) || *d.Dataset.Audio != (Audio{1, Duration(5 * time.Second)}) {
		t.Errorf("%+v, %+v", *d.Dataset.Images, *d.Dataset.Audio)
	}
	if *s.Dataset.Images != (Images{}) {
		t.Error("the spec itself was changed")
	}
	v, _ := mediaSpec(func(s *Spec) { s.Endpoint.API, s.Endpoint.Models = APIRerank, []ModelShare{{Name: "m"}} }).WithDefaults()
	if v.Streaming() || *v.Endpoint.Stream || v.Dataset.OutputTokens != "" || v.Endpoint.Model != "m" {
		t.Errorf("rerank: %+v", v.Endpoint)
	}
}

// Made-up tools differ in name, and a choice is what the API takes.
func TestTools(t *testing.T) {
	list, err := Dataset{Tools: "25"}.ToolList()
	if err != nil {
		t.Fatal(err)
	}
	var tools []struct {
		Type     string
		Function struct {
			Name       string
			Parameters map[string]any
		}
	}
	if err := json.Unmarshal(list, &tools); err != nil || len(tools) != 25 {
		t.Fatalf("%d tools, %v", len(tools), err)
	}
	names := map[string]bool{}
	for _, tool := range tools {
		names[tool.Function.Name] = true
		if tool.Type != "function" || tool.Function.Parameters["type"] != "object" {
			t.Errorf("tool %+v", tool)
		}
	}
	if len(names) != 25 {
		t.Errorf("%d names, want 25", len(names))
	}
	for choice, want := range map[string]string{"": "", "auto": `"auto"`, "find_books": `{"function":{"name":"find_books"},"type":"function"}`} {
		if got, err := (Dataset{ToolChoice: choice}).ToolChoiceJSON(); err != nil || string(got) != want {
			t.Errorf("choice %q: %s, %v, want %s", choice, got, err, want)
		}
	}
}

func TestModelOf(t *testing.T) {
	three, none := 3.0, 0.0
	s := &Spec{Seed: 5, Endpoint: Endpoint{Models: []ModelShare{{Name: "never", Weight: &none}, {Name: "a"}, {Name: "b", Weight: &three}}}}
	got := map[string]int{}
	for i := range int64(4000) {
		m := s.ModelOf(i)
		if m != s.ModelOf(i) {
			t.Fatalf("session %d draws another model the second time", i)
		}
		got[m]++
	}
	if got["never"] > 0 || math.Abs(float64(got["a"])-1000) > 120 {
		t.Errorf("drawn %v, want a quarter a", got)
	}
	if m := (&Spec{Endpoint: Endpoint{Model: "m"}}).ModelOf(1); m != "m" {
		t.Errorf("model %q, want m", m)
	}
}

package target

import (
	"testing"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

func bodyOf(t *testing.T, cfg Config, in Input) (path, body string) {
	t.Helper()
	d, err := newDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.body(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	return d.path(), string(b)
}

func TestVectorBodies(t *testing.T) {
	texts := []dataset.Message{{Role: "user", Content: `a "b"`}, {Role: "user", Content: "c"}, {Role: "user", Content: "d"}}
	endpoint := workload.Endpoint{Model: "m", Models: []workload.ModelShare{{Name: "m"}, {Name: "n"}}}
	for _, c := range []struct{ api, model, path, want string }{
		{"embeddings", "", "embeddings", `{"model":"m","input":["a \"b\"","c","d"],"dimensions":8}`},
		{"embeddings", "n", "embeddings", `{"model":"n","input":["a \"b\"","c","d"],"dimensions":8}`},
		{"rerank", "", "rerank", `{"model":"m","query":"a \"b\"","documents":["c","d"],"dimensions":8}`},
	} {
		endpoint.API = c.api
		path, body := bodyOf(t, Config{Endpoint: endpoint, Sampling: workload.Sampling{ExtraBody: workload.ExtraBody{"dimensions": 8}}}, Input{Messages: texts, Model: c.model})
		if path != c.path || body != c.want {
			t.Errorf("%s: %s %s, want %s %s", c.api, path, body, c.path, c.want)
		}
	}
	endpoint.API = "rerank" // a probe has one text
	if _, body := bodyOf(t, Config{Endpoint: endpoint}, Input{Messages: texts[:1]}); body != `{"model":"m","query":"a \"b\"","documents":["a \"b\""]}` {
		t.Errorf("one text: %s", body)
	}
}

// Chat carries parts, tools and the model of a mix.
func TestChatBody(t *testing.T) {
	no := false
	cfg := Config{
		Endpoint: workload.Endpoint{Model: "m", Stream: &no, Models: []workload.ModelShare{{Name: "m"}, {Name: "lora"}}},
		Tools:    []byte(`[{"type":"function"}]`), ToolChoice: []byte(`"auto"`),
	}
	_, body := bodyOf(t, cfg, Input{Model: "lora", Messages: []dataset.Message{{Role: "user", Content: "Hi", Media: `{"type":"x"}`}, {Role: "user", Media: `{"type":"y"}`}}})
	want := `{"model":"lora","messages":[{"role":"user","content":[{"type":"x"},{"type":"text","text":"Hi"}]},{"role":"user","content":[{"type":"y"}]}],` +
		`"stream":false,"tools":[{"type":"function"}],"tool_choice":"auto"}`
	if body != want {
		t.Errorf("body %s\nwant %s", body, want)
	}
}

func TestVectorReplies(t *testing.T) {
	d, err := newDriver(Config{Endpoint: workload.Endpoint{API: "embeddings"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		reply          string
		results, input int32
		failed         bool
	}{
		{`{"object":"list","data":[{"embedding":[0.1,[2]]},{"embedding":"AAA="}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":9}}`, 2, 7, false},
		{`{"id":"r","results":[{"index":0,"relevance_score":0.5,"document":{"text":"x"}}],"usage":{"total_tokens":5}}`, 1, 5, false},
		{`{"results":[{"index":0}],"meta":{"billed_units":{"search_units":1}}}`, 1, -1, false},
		{`{"data":[]}`, 0, -1, false},
		{`{"error":{"message":"no"}}`, 0, -1, true},
		{`{"object":"error","message":"no"}`, 0, -1, true},
		{`{"detail":"Not Found"}`, 0, -1, true},
	} {
		var ev event
		if err := d.scan([]byte(c.reply), true, &ev); err != nil {
			t.Errorf("%s: %v", c.reply, err)
		}
		if ev.text[measure.Result] != c.results || ev.usage.Input != c.input || ev.failed != c.failed {
			t.Errorf("%s: %d results, input %d, failed %v; want %d, %d, %v", c.reply, ev.text[measure.Result], ev.usage.Input, ev.failed, c.results, c.input, c.failed)
		}
	}
	for _, bad := range []string{``, `[]`, `{`, `{"data":[}`, `{"data":[]} x`} {
		var ev event
		if d.scan([]byte(bad), true, &ev) == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzVectors(f *testing.F) {
	f.Add([]byte(`{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"results":[{}],"usage":{"total_tokens":1}}`))
	d, err := newDriver(Config{Endpoint: workload.Endpoint{API: "embeddings"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		var ev event
		_ = d.scan(data, true, &ev)
	})
}

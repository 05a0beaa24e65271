package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// traceForms are small traces in every form that has no test of its own here, and
// what they say.
var traceForms = map[string]struct {
	text string
	want []arrival
}{
	"burstgpt.csv": {
		"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n" +
			"5,ChatGPT,472,18,490,Conversation log\n6,GPT-4,300,0,300,API log\n7,GPT-4,109,23,132,API log\n",
		[]arrival{{at: 0, in: 472, out: 18}, {at: 2 * time.Second, in: 109, out: 23}}, // the one between had failed
	},
	"bailian.jsonl": {
		`{"chat_id": 1, "parent_chat_id": -1, "timestamp": 61.25, "input_length": 40, "output_length": 13, "type": "text", "turn": 1, "hash_ids": [7, 8, 9]}` + "\n" +
			`{"chat_id": 2, "parent_chat_id": -1, "timestamp": 62.5, "input_length": 70, "output_length": 3, "type": "text", "turn": 1, "hash_ids": [7, 8, 11, 12, 13]}` + "\n",
		[]arrival{{at: 0, in: 40, out: 13}, {at: 1250 * time.Millisecond, in: 70, out: 3}},
	},
	"timed.csv": {
		"timestamp,input_tokens,output_tokens\n2026-11-26 09:00:00.000,374,44\n2026-11-26 09:00:00.520,91,6\n",
		[]arrival{{at: 0, in: 374, out: 44}, {at: 520 * time.Millisecond, in: 91, out: 6}},
	},
	"aiperf.jsonl": {
		`{"timestamp": 1000, "input_length": 60, "output_length": 5}` + "\n" + `{"timestamp": 1800, "input_length": 20, "output_length": 9}` + "\n",
		[]arrival{{at: 0, in: 60, out: 5}, {at: 800 * time.Millisecond, in: 20, out: 9}},
	},
	"otel.json": {
		`{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"openai"},"spans":[` +
			span("1700000001000000000", "120", "30") + `,` + span("1700000001600000000", "70", "12") + `]}]}]}` + "\n",
		[]arrival{{at: 0, in: 120, out: 30}, {at: 600 * time.Millisecond, in: 70, out: 12}},
	},
}

func span(start, in, out string) string {
	return `{"traceId":"1","spanId":"1","name":"chat m","kind":3,"startTimeUnixNano":"` + start + `","attributes":[` +
		`{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},` +
		`{"key":"gen_ai.usage.input_tokens","value":{"intValue":"` + in + `"}},` +
		`{"key":"gen_ai.usage.output_tokens","value":{"intValue":"` + out + `"}}]}`
}

// TestEveryFormOfTraceAtTheServer replays each and holds what arrived against it.
func TestEveryFormOfTraceAtTheServer(t *testing.T) {
	for name, form := range traceForms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(form.text), 0o600); err != nil {
				t.Fatal(err)
			}
			sim := harness.StartSimulator(t)
			out := filepath.Join(dir, "out")
			r := harness.Stampede(t, "run", "--url", sim.URL(), "--no-progress", "--out", out, "--trace", file, "--endpoint-type", "vllm")
			if r.Code != 0 && r.Code != 3 {
				t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
			}
			a := harness.ReadArtefacts(t, out)
			got := served(t, sim, a, form.want)
			holdArrivals(t, a, got, form.want, 1)
			for i, r := range got {
				if w := form.want[i]; r.InputTokens != w.in || r.OutputAsked != w.out || r.OutputTokens != w.out {
					t.Errorf("request %d: %d tokens, %d of %d asked for; the trace says %d and %d", i, r.InputTokens, r.OutputTokens, r.OutputAsked, w.in, w.out)
				}
			}
		})
	}
}

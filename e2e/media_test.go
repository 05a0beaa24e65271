package e2e

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// What goes beside text arrives as it was asked for, by the server's own account,
// and the report says of it what is true.
func TestRequestsBesidePlainChat(t *testing.T) {
	pictures := t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 56, 56))); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.png":      picture.String(),
		"rows.jsonl": strings.Repeat(`{"messages":[{"role":"user","content":[{"type":"text","text":"what is this"},{"type":"image_url","image_url":{"url":"a.png"}}]}],"output_tokens":8}`+"\n", 3),
		"tools.json": `[{"type":"function","function":{"name":"own","parameters":{"type":"object"}}}]`,
	} {
		if err := os.WriteFile(filepath.Join(pictures, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cluster := harness.StartCluster(t, 1)
	vector := func(t *testing.T, rep *report.Report, row report.Row) {
		t.Helper()
		if row.OutputTokens != nil || row.TokenSource != nil {
			t.Errorf("%s has output tokens %v", row.ID, row.OutputTokens)
		}
		for _, name := range []measure.Figure{measure.TTFT, measure.TPOT, measure.ITL, measure.OutputTokens} {
			if d := rep.Metrics[name]; d != nil && d.Count != 0 {
				t.Errorf("%s has %d values, want none", name, d.Count)
			}
		}
		if d := rep.Metrics[measure.E2E]; d == nil || d.Count != 10 {
			t.Errorf("e2e is %+v, want 10 values", d)
		}
	}
	for name, c := range map[string]struct {
		args  []string
		check func(*simulate.Record) bool
		row   func(*testing.T, *report.Report, report.Row)
	}{
		"images": {[]string{"--images", "2:56x84:png"}, func(r *simulate.Record) bool {
			return r.Images == 2 && r.MediaTokens == 2*2*3 && r.InputTokens == 40+12
		}, nil},
		"audio":     {[]string{"--audio", "1:400ms"}, func(r *simulate.Record) bool { return r.Sounds == 1 && r.MediaTokens == 10 }, nil},
		"files":     {[]string{"--dataset", filepath.Join(pictures, "rows.jsonl")}, func(r *simulate.Record) bool { return r.Images == 1 && r.MediaTokens == 4 && r.InputTokens == 7 }, nil},
		"tools":     {[]string{"--tools", "4", "--tool-choice", "find_recipes"}, func(r *simulate.Record) bool { return r.Tools == 4 && r.ToolTokens == 8 }, toolCalls},
		"own tools": {[]string{"--tools", filepath.Join(pictures, "tools.json"), "--stream=false"}, func(r *simulate.Record) bool { return r.Tools == 1 && r.ToolTokens == 8 }, toolCalls},
		"embeddings": {[]string{"--api", "embeddings", "--batch-size", "3"}, func(r *simulate.Record) bool {
			return r.Path == "/v1/embeddings" && r.Inputs == 3 && r.InputTokens == 120 && r.OutputTokens == 0
		}, vector},
		"rerank": {[]string{"--api", "rerank", "--batch-size", "5"}, func(r *simulate.Record) bool { return r.Path == "/v1/rerank" && r.Inputs == 5 && r.InputTokens == 240 }, vector},
	} {
		t.Run(name, func(t *testing.T) {
			sim := harness.StartSimulator(t, "--ttft", "2ms")
			out := t.TempDir()
			args := []string{"run", "--controller", cluster.GRPC, "--url", sim.URL(), "--input-tokens", "40", "--requests", "10", "--rate", "40", "--no-preflight", "--no-progress", "--out", out}
			if name != "embeddings" && name != "rerank" {
				args = append(args, "--output-tokens", "8")
			}
			ran(t, append(args, c.args...)...)
			served, got := sim.Account(t), harness.ReadArtefacts(t, out)
			if len(served) != 10 || len(got.Rows) != 10 {
				t.Fatalf("%d requests at the server, %d rows, want 10", len(served), len(got.Rows))
			}
			for _, row := range got.Rows {
				r := served[row.ID]
				if len(r) != 1 || !c.check(&r[0]) {
					t.Fatalf("%s: the server saw %+v", row.ID, r)
				}
				if row.InputTokens == nil || int(*row.InputTokens) != r[0].InputTokens {
					t.Errorf("%s: input tokens %v, the server counted %d", row.ID, row.InputTokens, r[0].InputTokens)
				}
				if c.row != nil {
					c.row(t, got.Report, row)
				}
			}
		})
	}
}

func toolCalls(t *testing.T, _ *report.Report, row report.Row) {
	t.Helper()
	if row.FinishReason == nil || *row.FinishReason != "tool_calls" || row.OutputTokens == nil || *row.OutputTokens != 8 {
		t.Errorf("%s: finish %v, %v output tokens", row.ID, row.FinishReason, row.OutputTokens)
	}
}

// Each session asks the model that it drew, on any number of agents; rows say
// which.
func TestModelMix(t *testing.T) {
	sim := harness.StartSimulator(t, "--lora", "sql,poems")
	var hashes []string
	for _, agents := range []string{"1", "3"} {
		out := t.TempDir()
		ran(t, "run", "--url", sim.URL(), "--model-mix", "stampede-sim=2,sql=1,poems=1", "--agents", agents, "--input-tokens", "20", "--output-tokens", "4",
			"--requests", "60", "--rate", "200", "--no-progress", "--out", out)
		served, got := sim.Account(t), harness.ReadArtefacts(t, out)
		models := map[string]int{}
		for _, row := range got.Rows {
			models[row.Model]++
			if r := served[row.ID]; len(r) != 1 || r[0].Model != row.Model {
				t.Errorf("%s: the row says %s, the server saw %+v", row.ID, row.Model, r)
			}
		}
		if len(models) != 3 || models["stampede-sim"] < 18 {
			t.Errorf("models %v, want half of them stampede-sim", models)
		}
		hashes = append(hashes, got.Hash)
	}
	if hashes[0] != hashes[1] || hashes[0] == "" {
		t.Errorf("hashes %q, want the same", hashes)
	}
}

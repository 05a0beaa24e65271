package main

import (
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/report/plot"
	"github.com/stampede-bench/stampede/simulate"
)

// No prompt that the server has seen, in the warmup, the preflight or a
// calibration, is ever sent again by a measured stage.
func TestWarmupPromptsAreNotReused(t *testing.T) {
	server, url := simulated(t, simulate.Config{PrefixCacheBlocks: 4096})
	rep, dir := bench(t, "--url", url, "--warmup", "20", "--concurrency", "2,4", "--requests", "20", "--output-tokens", "2", "--calibrate", "--agents", "2")
	phases := map[string]string{}
	for _, row := range rows(t, dir, rep) {
		phases[row["id"].(string)] = row["phase"].(string)
	}
	seen := map[string]string{}
	warmup, measured := 0, 0
	for _, r := range server.Account() {
		if before, again := seen[r.PromptHash]; again {
			t.Errorf("%s has the prompt of %s", r.ID, before)
		}
		seen[r.PromptHash] = r.ID
		switch phases[r.ID] {
		case "warmup":
			warmup++
		case "measure":
			measured++
		default:
			if !strings.HasPrefix(r.ID, rep.ID+"-preflight") && !strings.HasPrefix(r.ID, rep.ID+"-calibrate-") {
				t.Errorf("what is %s?", r.ID)
			}
		}
	}
	if warmup != 20 || measured != 40 {
		t.Errorf("%d warmup requests and %d measured ones, want 20 and 40", warmup, measured)
	}
	if sum := server.Summary(); sum.CachedTokens != 0 {
		t.Errorf("%d tokens came from the cache", sum.CachedTokens)
	}
	if noticed(rep, "prefix cache") {
		t.Errorf("notices %q", rep.Verdict.Notices)
	}
}

// The same prompts again are found in the cache, and the report says so, unless
// each run has its own.
func TestCachedTokensAreNoticed(t *testing.T) {
	load := []string{"--concurrency", "2", "--requests", "30", "--output-tokens", "2"}
	for _, tt := range []struct {
		name  string
		flags []string
		want  bool
	}{
		{"the same seed", nil, true},
		{"no nonce", []string{"--nonce", "none"}, true},
		{"a nonce of each run", []string{"--nonce", "run"}, false},
		{"a cache that is emptied", []string{"--flush-cache"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, url := simulated(t, simulate.Config{PrefixCacheBlocks: 4096})
			args := append(append([]string{"--url", url}, load...), tt.flags...)
			first, _ := bench(t, args...)
			second, _ := bench(t, args...)
			if noticed(first, "prefix cache, over 5 %") {
				t.Errorf("the first run: %q", first.Verdict.Notices)
			}
			if got := noticed(second, "prefix cache, over 5 %"); got != tt.want {
				t.Errorf("the second run: %q", second.Verdict.Notices)
			}
			if cached := server.Summary().CachedTokens > 0; cached != tt.want {
				t.Errorf("the server took %d tokens from its cache", server.Summary().CachedTokens)
			}
		})
	}
}

// nonce: run changes every prompt and stays out of the workload's hash.
func TestNonceOfRunKeepsTheHash(t *testing.T) {
	server, url := simulated(t, simulate.Config{})
	load := []string{"--url", url, "--concurrency", "2", "--requests", "10", "--output-tokens", "2", "--no-preflight", "--model", "stampede-sim"}
	for nonce, repeated := range map[string]int{"run": 0, "seed": 10, "none": 10} {
		before := len(server.Account())
		first, _ := bench(t, append(load, "--nonce", nonce)...)
		second, _ := bench(t, append(load, "--nonce", nonce)...)
		if first.WorkloadHash == "" || first.WorkloadHash != second.WorkloadHash {
			t.Errorf("nonce %s: the hashes are %s and %s", nonce, first.WorkloadHash, second.WorkloadHash)
		}
		seen := map[string]bool{}
		again := 0
		for _, r := range server.Account()[before:] {
			if seen[r.PromptHash] {
				again++
			}
			seen[r.PromptHash] = true
		}
		if again != repeated {
			t.Errorf("nonce %s: %d prompts were sent again, want %d", nonce, again, repeated)
		}
	}
}

func TestDatasetThatWrapsRoundIsNoticed(t *testing.T) {
	_, url := simulated(t, simulate.Config{})
	file := filepath.Join(t.TempDir(), "three.jsonl")
	lines := `{"messages":[{"role":"user","content":"What is a stampede?"}]}
{"messages":[{"role":"user","content":"And a herd?"}]}
{"messages":[{"role":"user","content":"Who runs?"}]}
`
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[string]bool{"3": false, "7": true} {
		rep, _ := bench(t, "--url", url, "--dataset", file, "--concurrency", "1", "--requests", n, "--max-tokens", "2")
		if got := noticed(rep, "the dataset wrapped round: 7 sessions were sent from 3"); got != want {
			t.Errorf("%s requests: notices %q", n, rep.Verdict.Notices)
		}
	}
}

// With a calibration the server counts what was asked for; a rerun of the report
// takes the factor as it is.
func TestCalibratedLengths(t *testing.T) {
	server, url := simulated(t, simulate.Config{TokensPerWord: 1.37})
	rep, dir := bench(t, "--url", url, "--concurrency", "2", "--requests", "10", "--isl", "300", "--osl", "3", "--calibrate")
	if got := *rep.Metrics["input_tokens"].Mean; math.Abs(got-300) > 3 {
		t.Errorf("%v input tokens, want 300", got)
	}
	if f := rep.Spec.Dataset.TokensPerWord; f == nil || math.Abs(*f-1.37) > 0.01 || !noticed(rep, "calibrated: 1.37 tokens a word") {
		t.Errorf("factor %v, notices %q", f, rep.Verdict.Notices)
	}
	before := len(server.Account())
	again, _ := bench(t, "-f", filepath.Join(dir, "report_"+rep.ID+".json"))
	if *again.Spec.Dataset.TokensPerWord != *rep.Spec.Dataset.TokensPerWord || again.WorkloadHash != rep.WorkloadHash {
		t.Errorf("the rerun has the factor %v and the hash %s", *again.Spec.Dataset.TokensPerWord, again.WorkloadHash)
	}
	if n := len(server.Account()) - before; n != 11 {
		t.Errorf("the rerun sent %d requests, want the preflight and 10", n)
	}
}

func TestFlushBetweenStages(t *testing.T) {
	server, url := simulated(t, simulate.Config{PrefixCacheBlocks: 4096})
	rep, _ := bench(t, "--url", url, "--concurrency", "1,2,4", "--requests", "6", "--output-tokens", "2", "--flush-cache")
	if n := server.Summary().CacheResets; n != 3 || noticed(rep, "flush_cache") {
		t.Errorf("flushed %d times, want 3; notices %q", n, rep.Verdict.Notices)
	}
}

func TestPlotsAreDrawnWhenAskedFor(t *testing.T) {
	_, url := simulated(t, simulate.Config{})
	load := []string{"--url", url, "--concurrency", "2", "--requests", "10", "--output-tokens", "4"}
	if _, dir := bench(t, load...); len(images(t, dir)) != 0 {
		t.Errorf("images that nobody asked for")
	}
	rep, dir := bench(t, append(load, "--plots")...)
	for _, name := range []string{"rs_" + rep.ID, "tp_" + rep.ID, "rs_" + rep.TestID, "tp_" + rep.TestID} {
		checkImage(t, filepath.Join(dir, name+".png"))
	}
	if code, _, errs := cli(append([]string{"run", "--plots", "--out", ""}, load...)...); code != exitUsage || !strings.Contains(errs, "--plots writes files") {
		t.Errorf("without a folder: %d %s", code, errs)
	}
}

func images(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func checkImage(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if c, err := png.DecodeConfig(f); err != nil || c.Width != plot.Width || c.Height != plot.Height {
		t.Errorf("%s: %v, %v", name, c, err)
	}
}

// What was asked for and what came stand beside each other.
func TestLengthsAskedAndGot(t *testing.T) {
	_, url := simulated(t, simulate.Config{EOS: "20"})
	rep, _ := bench(t, "--url", url, "--concurrency", "2", "--requests", "10", "--osl", "40")
	asked, got := rep.Metrics["output_tokens_asked"], rep.Metrics["output_tokens"]
	if *asked.Mean != 40 || *got.Mean != 20 || !noticed(rep, "replies held 20.0 output tokens on average where 40.0 were asked for, off by 50 %") {
		t.Errorf("asked %v, got %v, notices %q", *asked.Mean, *got.Mean, rep.Verdict.Notices)
	}
	var text strings.Builder
	if err := report.Text(&text, rep, report.TextOptions{}); err != nil || !strings.Contains(text.String(), "where 40.0 were asked for") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

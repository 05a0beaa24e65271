package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

var rewrite = flag.Bool("rewrite", false, "rewrite golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		must(os.MkdirAll("testdata", 0o755))
		must(os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -rewrite and look at the change\ngot:\n%s", path, got)
	}
}

// troubled is a run in which much went wrong.
func troubled() *fixture {
	f := makeFixture(fixtureSpec(`
name: step up
endpoint: {url: "http://127.0.0.1:8001/v1", model: sim}
load: {stages: [{rate: 10, arrival: constant, duration: 20s}, {rate: 25, arrival: constant, duration: 20s}, {concurrency: 8, duration: 20s}]}
slo: {ttft: 300ms, e2e: 400ms}
`), func(i int, s *measure.Sample) {
		switch {
		case i%23 == 5:
			breakIt(s, measure.Failed, "http_status", "429 Too Many Requests: \x1b[31mslow down", 429)
		case i%101 == 7:
			breakIt(s, measure.TimedOut, "timeout", "no first token after 50ms", 0)
		case i%97 == 11:
			s.Status = measure.Lost
		case i >= 300 && i < 330:
			for _, at := range []*int64{&s.Sent, &s.Headers, &s.FirstToken, &s.FirstOutput, &s.LastToken, &s.End} {
				*at += 25 * ms
			}
		}
	})
	f.in.Agents[1].Loss = &Loss{At: f.in.Anchor.Add(12 * time.Second), Requests: 9}
	f.in.Agents[1].Audit = nil
	f.in.Notices = []string{"no dataset given: synthetic prompts, 256 input tokens, 128 output tokens"}
	return f
}

// hopeless is a run in which not one request succeeded.
func hopeless() *fixture {
	f := makeFixture(fixtureSpec(`
endpoint: {url: "http://127.0.0.1:9/v1", model: sim}
load: {stages: [{rate: 10, arrival: constant, duration: 20s}]}
`), func(_ int, s *measure.Sample) {
		breakIt(s, measure.Failed, "refused", "dial tcp 127.0.0.1:9: connect: connection refused", 0)
	})
	f.in.State, f.in.Reason = "FAILED", "not one of 200 requests succeeded"
	return f
}

func TestTextGolden(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    *fixture
		o    TextOptions
	}{
		{"steady.txt", steady(), TextOptions{Files: []string{"results/report_9f2c6a1e.json", "results/requests_9f2c6a1e.jsonl"}}},
		{"steady_color.txt", steady(), TextOptions{Color: true}},
		{"steady_60.txt", steady(), TextOptions{Width: 60}},
		{"troubled.txt", troubled(), TextOptions{}},
		{"troubled_80.txt", troubled(), TextOptions{Width: 80}},
		{"troubled_120.txt", troubled(), TextOptions{Width: 120, Color: true}},
		{"hopeless.txt", hopeless(), TextOptions{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Text(&b, build(t, tt.f), tt.o); err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name, b.Bytes())
			limit := max(tt.o.Width, 60)
			if tt.o.Width == 0 {
				limit = 100
			}
			for _, line := range strings.Split(stripANSI(b.String()), "\n") {
				if width(line) > limit {
					t.Errorf("a line of %d columns, want at most %d: %q", width(line), limit, line)
				}
			}
		})
	}
}

func stripANSI(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}

// An API whose answers hold no tokens has no figures of tokens, not even 0.
func TestFiguresThatDoNotExistAreLeftOut(t *testing.T) {
	f := makeFixture(fixtureSpec(`
endpoint: {url: "http://127.0.0.1:8001/v1", model: sim, api: embeddings}
load: {stages: [{concurrency: 1, duration: 20s}, {concurrency: 2, duration: 20s}]}
`), func(_ int, s *measure.Sample) {
		s.FirstToken, s.FirstOutput, s.OutputTokens, s.ChunkOffsets = measure.Absent, measure.Absent, 0, nil
	})
	r := build(t, f)
	for path, v := range map[string]*float64{
		"output_throughput": r.Throughput.OutputThroughput, "peak_output_throughput": r.Throughput.PeakOutputThroughput,
		"total_token_throughput": r.Throughput.TotalTokenThroughput, "Throughput": r.PeakOutput, "stages[0]": r.Stages[0].Throughput.OutputThroughput,
	} {
		if v != nil {
			t.Errorf("%s is %g, want none", path, *v)
		}
	}
	if r.Throughput.RequestThroughput == nil {
		t.Error("the rate of requests is missing")
	}
	var out bytes.Buffer
	if err := Text(&out, r, TextOptions{Width: 120}); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"tokens/s", "ttft", "tpot", "TTFT"} {
		if strings.Contains(out.String(), word) {
			t.Errorf("%q stands in\n%s", word, &out)
		}
	}
}

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"pgregory.net/rapid"
)

// rows writes all rows of a run as a client would.
func rows(f *fixture, r *Report) []byte {
	var b []byte
	for agent, samples := range f.samples {
		c := r.RowContext(agent, f.in.Anchor, 1234)
		for i := range samples {
			b = EncodeRow(b, &c, &samples[i])
		}
	}
	return b
}

func TestRowGolden(t *testing.T) {
	f := troubled()
	r := build(t, f)
	warm := steady()
	c := build(t, warm).RowContext("agent \"1\"", f.in.Anchor, 0)
	b := EncodeRow(nil, &c, &warm.samples["agent-1"][0])
	b = EncodeRow(b, &c, &warm.samples["agent-2"][20])
	c = r.RowContext("agent-2", f.in.Anchor, -500)
	b = EncodeRow(b, &c, &f.samples["agent-2"][2]) // the first that failed
	golden(t, "rows.jsonl", b)
}

// contractColumns are the columns of contract §6 in their order.
const contractColumns = `id index session turn stage phase agent model url attempt
 intended_unix_ns sent_unix_ns headers_unix_ns first_token_unix_ns first_output_unix_ns last_token_unix_ns end_unix_ns intended_offset_ns
 chunk_offsets_ns chunk_tokens token_source
 input_tokens output_tokens output_tokens_asked reasoning_tokens cached_tokens finish_reason
 stamp stamp_uncertainty_ns read_delay_max_ns coalesced_chunks connection
 status http_status slo_met error`

func TestRowHasTheContractsColumnsInOrder(t *testing.T) {
	f := steady()
	c := build(t, f).RowContext("a", f.in.Anchor, 0)
	dec := json.NewDecoder(bytes.NewReader(EncodeRow(nil, &c, &f.samples["agent-1"][30])))
	var keys []string
	depth := 0
	for dec.More() || depth > 0 {
		tok, err := dec.Token()
		must(err)
		switch v := tok.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
			} else {
				depth--
			}
		case string:
			if depth == 1 {
				keys = append(keys, v)
				var skip json.RawMessage
				must(dec.Decode(&skip))
			}
		}
		if depth == 0 {
			break
		}
	}
	want := strings.Fields(contractColumns)
	if len(keys) < len(want) || !reflect.DeepEqual(keys[:len(want)], want) {
		t.Errorf("columns %v, want %v first", keys, want)
	}
}

// TestReportIsRecomputedFromRows reads a run's rows and folds them again: every
// figure of the report comes out the same.
func TestReportIsRecomputedFromRows(t *testing.T) {
	for _, f := range []*fixture{steady(), troubled(), hopeless()} {
		r := build(t, f)
		again := f.in
		cfg := measure.Config{SLO: objectives(r.Spec.SLO), TimeTolerance: 100 * ms, Streaming: r.Spec.Streaming()}
		for _, p := range f.in.Phases {
			cfg.Phases = append(cfg.Phases, measure.PhaseInfo{Name: p.Name, Warmup: p.Warmup, Closed: p.Closed, Judged: p.Judged})
		}
		again.Set = measure.NewSet(cfg)
		first := int32(len(f.in.Phases) - len(r.Stages))
		for i, s := range r.Stages {
			again.Set.Window(first+int32(i), int64(time.Duration(s.Begin*1e9)), int64(time.Duration(s.End*1e9)))
		}
		count, met := int64(0), int64(0)
		for row, err := range ReadRows(bytes.NewReader(rows(f, r))) {
			if err != nil {
				t.Fatal(err)
			}
			s := row.Sample(r.StartedAt.UnixNano()+1234, first)
			again.Set.Fold(row.Agent, &s)
			if row.Phase == phaseMeasure {
				count++
				if row.SLOMet != nil && *row.SLOMet {
					met++
				}
			}
		}
		if a := r.Accounting; count != a.Planned-a.Unsent-a.Lost {
			t.Errorf("%d rows of %d planned", count, a.Planned)
		}
		if r.SLO.Attainment != nil && met != again.Set.Judged(measure.Measured).Good {
			t.Errorf("slo_met in %d rows, the report counts %d", met, again.Set.Judged(measure.Measured).Good)
		}
		got, want := build(t, &fixture{in: again}), r
		// Floating sums depend on the order of folding in their last digits.
		if a, b := rounded(t, got), rounded(t, want); a != b {
			t.Errorf("recomputed:\n%s\nreported:\n%s", a, b)
		}
	}
}

// rounded is a report's JSON with all numbers to 9 digits.
func rounded(t *testing.T, r *Report) string {
	t.Helper()
	m := decode(t, r)
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case float64:
			return fmt.Sprintf("%.9g", v)
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k])
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		}
		return v
	}
	data, err := json.MarshalIndent(walk(m), "", " ")
	must(err)
	return string(data)
}

func instantGen() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Just[int64](measure.Absent), rapid.Int64Range(-1<<40, 1<<60))
}

func sampleGen(t *rapid.T) measure.Sample {
	known := rapid.Int32Range(-1, 1<<30)
	s := measure.Sample{
		Index: rapid.Int64Range(0, 1<<40).Draw(t, "index"), Session: rapid.Int64Range(0, 1<<40).Draw(t, "session"),
		Turn: rapid.Int32Range(0, 9).Draw(t, "turn"), Phase: rapid.Int32Range(1, 5).Draw(t, "phase"), Attempt: 1,
		Status:         rapid.SampledFrom([]measure.Status{measure.Succeeded, measure.Failed, measure.TimedOut, measure.Cancelled, measure.Lost}).Draw(t, "status"),
		ScheduleOffset: instantGen().Draw(t, "offset"), Intended: instantGen().Draw(t, "intended"), Sent: instantGen().Draw(t, "sent"),
		Headers: instantGen().Draw(t, "headers"), FirstToken: instantGen().Draw(t, "first"), FirstOutput: instantGen().Draw(t, "output"),
		LastToken: instantGen().Draw(t, "last"), End: instantGen().Draw(t, "end"),
		ChunkOffsets: rapid.SliceOfN(rapid.Int64(), 0, 5).Draw(t, "chunks"), TokenSource: rapid.String().Draw(t, "source"),
		InputTokens: known.Draw(t, "in"), OutputTokens: known.Draw(t, "out"), ReasoningTokens: known.Draw(t, "reasoning"), CachedTokens: known.Draw(t, "cached"),
		OutputTokensAsked: rapid.Int32Range(0, 1<<30).Draw(t, "asked"), InputTokensAsked: rapid.Int32Range(0, 1<<30).Draw(t, "inAsked"),
		FinishReason: rapid.String().Draw(t, "finish"), StampUncertainty: rapid.Int64().Draw(t, "uncertainty"), ReadDelayMax: rapid.Int64().Draw(t, "delay"),
		CoalescedChunks: rapid.Int32().Draw(t, "coalesced"), ConnectNanos: rapid.Int64Range(0, 1<<60).Draw(t, "connect"), ResendNanos: rapid.Int64Range(0, 1<<60).Draw(t, "resend"),
		HTTPStatus: rapid.Int32Range(0, 999).Draw(t, "http"), ErrorKind: rapid.String().Draw(t, "kind"), ErrorMessage: rapid.String().Draw(t, "message"),
		DetailShed: rapid.Bool().Draw(t, "shed"), Stale: rapid.Bool().Draw(t, "stale"),
	}
	if len(s.ChunkOffsets) == 0 {
		s.ChunkOffsets = nil
	}
	for range s.ChunkOffsets {
		s.ChunkTokens = append(s.ChunkTokens, rapid.Int32Range(0, 100).Draw(t, "tokens"))
	}
	s.KernelStamped = s.Headers != measure.Absent && rapid.Bool().Draw(t, "kernel")
	s.Reused = s.Sent != measure.Absent && rapid.Bool().Draw(t, "reused")
	return s
}

func TestRowsKeepEverySample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sampleGen(t)
		c := RowContext{
			RunID: rapid.String().Draw(t, "run"), Agent: rapid.String().Draw(t, "agent"), Model: rapid.String().Draw(t, "model"),
			AnchorUnix: rapid.Int64Range(0, 1<<61).Draw(t, "anchor"), Correction: rapid.Int64Range(-1<<40, 1<<40).Draw(t, "correction"),
			FirstStagePhase: 1, SLO: measure.SLO{TTFT: 5}, Streaming: true,
		}
		line := EncodeRow(nil, &c, &s)
		if !json.Valid(line) || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("not one line of JSON: %q", line)
		}
		n := 0
		for row, err := range ReadRows(bytes.NewReader(line)) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if got := row.Sample(c.AnchorUnix+c.Correction, 1); !reflect.DeepEqual(got, s) {
				t.Fatalf("got %+v\nwant %+v", got, s)
			}
		}
		if n != 1 {
			t.Fatalf("%d rows, want 1", n)
		}
	})
}

func TestRowsOfUnsentEntriesDontExist(t *testing.T) {
	c := RowContext{}
	if b := EncodeRow([]byte("x"), &c, &measure.Sample{Status: measure.Unsent}); string(b) != "x" {
		t.Errorf("got %q", b)
	}
}

func TestSLOMet(t *testing.T) {
	c := RowContext{RunID: "r", SLO: measure.SLO{TTFT: 300 * ms}, Streaming: true}
	ok := steady().samples["agent-1"][30]
	slow := ok
	slow.FirstToken += 200 * ms
	for _, tt := range []struct {
		name string
		s    measure.Sample
		slo  measure.SLO
		want string
	}{
		{"met", ok, c.SLO, `"slo_met":true`},
		{"missed", slow, c.SLO, `"slo_met":false`},
		{"no objectives", ok, measure.SLO{}, `"slo_met":null`},
		{"failed", measure.Sample{Status: measure.Failed}, c.SLO, `"slo_met":false`},
		{"cancelled", measure.Sample{Status: measure.Cancelled}, c.SLO, `"slo_met":null`},
	} {
		c.SLO = tt.slo
		if line := EncodeRow(nil, &c, &tt.s); !bytes.Contains(line, []byte(tt.want)) {
			t.Errorf("%s: %s, want %s", tt.name, line, tt.want)
		}
	}
}

func TestReadRowsNamesTheLine(t *testing.T) {
	good := `{"id":"r-0","phase":"measure","stage":0,"status":"succeeded"}`
	for _, bad := range []string{
		`{`, `[]`, `{"id":""}`, `{"id":"r-1","status":"unknown","phase":"measure","stage":0}`,
		`{"id":"r-1","status":"failed","phase":"warmup","stage":0}`, `{"id":"r-1","status":"failed","phase":"measure","stage":null}`,
		`{"id":"r-1","status":"failed","phase":"measure","stage":0,"chunk_offsets_ns":[1],"chunk_tokens":[1,2]}`,
	} {
		var last error
		for _, err := range ReadRows(strings.NewReader(good + "\n\n" + bad + "\n")) {
			last = err
		}
		if last == nil || !strings.HasPrefix(last.Error(), "line 3: ") {
			t.Errorf("%s: got %v", bad, last)
		}
	}
}

func FuzzReadRows(f *testing.F) {
	c, s := RowContext{RunID: "r", Agent: "a", URL: "http://h"}, measure.Sample{Status: measure.TimedOut, ErrorKind: "timeout", Headers: 7, ChunkOffsets: []int64{1, 2}}
	f.Add(EncodeRow(EncodeRow(nil, &c, &s), &c, &s))
	f.Add([]byte(`{"id":"r-0","phase":"measure","stage":0,"status":"succeeded","chunk_offsets_ns":[1,2]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for row, err := range ReadRows(bytes.NewReader(data)) {
			if err != nil {
				return
			}
			s := row.Sample(0, 1)
			c := RowContext{RunID: "r", FirstStagePhase: 1}
			if line := EncodeRow(nil, &c, &s); s.Status != measure.Unsent && !json.Valid(line) {
				t.Fatalf("not JSON: %q", line)
			}
		}
	})
}

func BenchmarkEncodeRow(b *testing.B) {
	f := steady()
	c := build(b, f).RowContext("agent-1", f.in.Anchor, 0)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = EncodeRow(dst[:0], &c, &f.samples["agent-1"][0])
	}
}

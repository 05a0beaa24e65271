package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

// conversations writes a file of n recorded conversations with so many turns each,
// a second apart when they are stamped.
func conversations(t *testing.T, n, turns int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		for k := range turns {
			fmt.Fprintf(&b, `{"session_id": "s%d", "text_input": "question %d of conversation %d", "output_length": 4`, i, k, i)
			if k == 0 {
				fmt.Fprintf(&b, `, "timestamp": %d`, 200*i)
			} else {
				b.WriteString(`, "delay": 100`)
			}
			b.WriteString("}\n")
		}
	}
	name := filepath.Join(t.TempDir(), "chats.jsonl")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// bySession groups the rows of requests that were sent by session, in the order of
// their turns.
func bySession(rows []report.Row) map[int64][]report.Row {
	m := map[int64][]report.Row{}
	for _, r := range rows {
		m[r.Session] = append(m[r.Session], r)
	}
	for _, turns := range m {
		slices.SortFunc(turns, func(a, b report.Row) int { return int(a.Turn - b.Turn) })
	}
	return m
}

// TestVisitsInEveryLoad sends conversations of three turns by a replay, at a rate,
// by a function and in closed loops: each turn leaves after the answer to the one
// before and its pause, from the same agent, and carries that answer.
func TestVisitsInEveryLoad(t *testing.T) {
	t.Parallel()
	file := conversations(t, 6, 3)
	for name, load := range map[string][]string{
		"replay":   {"--trace", file},
		"rate":     {"--dataset", file, "--multi-turn", "--rate", "10", "--requests", "18"},
		"func":     {"--dataset", file, "--multi-turn", "--func", "lambda t: 6 if t < 1 else None"},
		"requests": {"--dataset", file, "--multi-turn", "--concurrency", "3", "--requests", "18"},
		"sessions": {"--dataset", file, "--concurrency", "3", "--requests", "18", "--concurrency-of", "sessions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
			out := t.TempDir()
			args := append([]string{"run", "--url", sim.URL(), "--agents", "2", "--no-progress", "--out", out}, load...)
			if r := harness.Stampede(t, args...); r.Code != 0 && r.Code != 3 {
				t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
			}
			a := harness.ReadArtefacts(t, out)
			account := sim.Account(t)
			harness.MatchAccount(t, a.Rows, account)
			harness.AddsUp(t, a.Report)
			visits := bySession(a.Rows)
			if len(visits) != 6 || a.Report.Accounting.Succeeded != 18 {
				t.Fatalf("%d sessions, %+v", len(visits), a.Report.Accounting)
			}
			for session, turns := range visits {
				for k, turn := range turns[1:] {
					before := turns[k]
					served, earlier := account[turn.ID][0], account[before.ID][0]
					if pause := time.Duration(*turn.SentUnixNS - *before.EndUnixNS); pause < 99*time.Millisecond || turn.Agent != before.Agent {
						t.Errorf("session %d: turn %d left %v after the answer, from %s after %s", session, k+1, pause, turn.Agent, before.Agent)
					}
					if served.Arrival < earlier.LastToken {
						t.Errorf("session %d: turn %d arrived before the answer to turn %d was written", session, k+1, k)
					}
					// Five words are asked, some answered (a token may be part of one), five asked.
					if n := served.InputTokens - earlier.InputTokens - 5; n < 1 || n > earlier.OutputTokens {
						t.Errorf("session %d: turn %d carries %d words of the answer of %d tokens", session, k+1, n, earlier.OutputTokens)
					}
				}
			}
		})
	}
}

// TestVisitsEndWithTheirFirstFailure: what follows is unsent, with the reason.
func TestVisitsEndWithTheirFirstFailure(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--fault", "status=500@0.3", "--seed", "5")
	out := t.TempDir()
	r := harness.Stampede(t, "run", "--url", sim.URL(), "--trace", conversations(t, 20, 4), "--time-scale", "5", "--no-preflight", "--model", "stampede-sim", "--agents", "2", "--no-progress", "--out", out)
	if r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	a := harness.ReadArtefacts(t, out)
	harness.MatchAccount(t, a.Rows, sim.Account(t))
	harness.AddsUp(t, a.Report)
	left := int64(0)
	for session, turns := range bySession(a.Rows) {
		for k, turn := range turns {
			if failed := turn.Status != "succeeded"; failed != (k == len(turns)-1 && len(turns) < 4) && k < 3 {
				t.Errorf("session %d: turn %d of %d that were sent is %s", session, k, len(turns), turn.Status)
			}
		}
		left += int64(4 - len(turns))
	}
	acc := a.Report.Accounting
	if acc.Planned != 80 || left == 0 || acc.Unsent != left || acc.UnsentByReason == nil || acc.UnsentByReason.TurnBefore != left || acc.UnsentByReason.Stopped != 0 {
		t.Errorf("%d turns were never sent; %+v, by reason %+v", left, acc, acc.UnsentByReason)
	}
	if !strings.Contains(r.Out, fmt.Sprintf("%d unsent (%d after a failed turn)", left, left)) {
		t.Errorf("the report does not say why:\n%s", r.Out)
	}
}

// TestIdleTimeIsCutWhenNoVisitIsUnderWay: a gap of half a minute is cut down, but
// not while a visit is only thinking.
func TestIdleTimeIsCutWhenNoVisitIsUnderWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gap.jsonl")
	const rows = `{"session_id": "a", "timestamp": 0, "input_length": 5, "output_length": 2}
{"session_id": "a", "delay": 4000, "input_length": 5, "output_length": 2}
{"session_id": "b", "timestamp": 30000, "input_length": 5, "output_length": 2}
`
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	sim := harness.StartSimulator(t)
	out := t.TempDir()
	begun := time.Now()
	if r := harness.Stampede(t, "run", "--url", sim.URL(), "--trace", file, "--skip-idle-min", "2s", "--no-progress", "--out", out); r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	took := time.Since(begun)
	a := harness.ReadArtefacts(t, out)
	harness.MatchAccount(t, a.Rows, sim.Account(t))
	visits := bySession(a.Rows)
	if len(visits[0]) != 2 || len(visits[1]) != 1 {
		t.Fatalf("rows %+v", a.Rows)
	}
	gap := time.Duration(*visits[1][0].SentUnixNS - *visits[0][1].EndUnixNS)
	if gap < 1900*time.Millisecond || gap > 8*time.Second || took > 20*time.Second {
		t.Errorf("the next visit came %v after the one before had ended, want about 2 s; the run took %v", gap, took)
	}
	if *visits[1][0].IntendedOffsetNS != int64(30*time.Second) {
		t.Errorf("the schedule moved: %v", time.Duration(*visits[1][0].IntendedOffsetNS))
	}
}

// TestWantedCacheHits holds the wanted rate of hits, by the report, against what
// the simulator's prefix cache served.
func TestWantedCacheHits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cache, rate string
		low, high   float64
		notice      string
	}{
		{"100000", "0.6", 0.57, 0.63, ""},
		{"0", "0.6", 0, 0, "60 % of input tokens were to come from the endpoint's prefix cache, but it does not tell how many do"},
		{"40", "0.6", 0, 0.5, "of input tokens came from the endpoint's prefix cache where 60 % were wanted"},
	} {
		sim := harness.StartSimulator(t, "--prefix-cache-blocks", tt.cache)
		out := t.TempDir()
		r := harness.Stampede(t, "run", "--url", sim.URL(), "--endpoint-type", "vllm", "--concurrency", "8", "--requests", "400", "--agents", "2",
			"--input-tokens", "uniform:200:600", "--output-tokens", "uniform:2:6", "--cache-hit-rate", tt.rate, "--no-progress", "--out", out)
		if r.Code != 0 && r.Code != 3 {
			t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
		}
		a := harness.ReadArtefacts(t, out)
		input, cached := 0, 0
		account := sim.Account(t)
		harness.MatchAccount(t, a.Rows, account)
		for _, row := range a.Rows {
			served := account[row.ID][0]
			input, cached = input+served.InputTokens, cached+served.CachedTokens
			if served.InputTokens != int(*row.InputTokensAsked) || served.OutputTokens != int(*row.OutputTokensAsked) {
				t.Errorf("%s: %d tokens in and %d out, asked for %d and %d", row.ID, served.InputTokens, served.OutputTokens, *row.InputTokensAsked, *row.OutputTokensAsked)
			}
		}
		got := float64(cached) / float64(input)
		c := a.Report.PrefixCache
		if got < tt.low || got > tt.high || c == nil || c.Wanted != 0.6 || c.Got != nil && (*c.Got-got > 0.001 || got-*c.Got > 0.001) {
			t.Errorf("cache of %s blocks: the server served %.3f of the input from it, the report says %+v", tt.cache, got, c)
		}
		told := slices.ContainsFunc(a.Report.Verdict.Notices, func(n string) bool { return tt.notice != "" && strings.Contains(n, tt.notice) })
		if told != (tt.notice != "") {
			t.Errorf("cache of %s blocks: notices %q", tt.cache, a.Report.Verdict.Notices)
		}
	}
}

// TestSeparatedTurnsCarryTheRecordedAnswers looks at the very texts that the server
// got: turns apart, in the range that was asked for, with what was recorded before.
func TestSeparatedTurnsCarryTheRecordedAnswers(t *testing.T) {
	t.Parallel()
	const rows = `{"conversations": [{"from": "human", "value": "One?"}, {"from": "gpt", "value": "Two."}, {"from": "human", "value": "Three?"}, {"from": "gpt", "value": "Four."}]}
{"conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Five?"}, {"from": "gpt", "value": "Six."}, {"from": "human", "value": "Seven?"}, {"from": "gpt", "value": "Eight."}]}
`
	file := filepath.Join(t.TempDir(), "chats.jsonl")
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	prompts := [][]string{
		{"user", "One?"},
		{"user", "One?", "assistant", "Two.", "user", "Three?"},
		{"system", "Be brief.", "user", "Five?"},
		{"system", "Be brief.", "user", "Five?", "assistant", "Six.", "user", "Seven?"},
	}
	sim := harness.StartSimulator(t)
	out := t.TempDir()
	if r := harness.Stampede(t, "run", "--url", sim.URL(), "--dataset", file, "--separate-turns", "--range", "1:", "--rate", "20", "--arrival", "constant", "--requests", "3", "--agents", "3", "--no-progress", "--out", out); r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	a := harness.ReadArtefacts(t, out)
	account := sim.Account(t)
	harness.MatchAccount(t, a.Rows, account)
	if len(a.Rows) != 3 {
		t.Fatalf("%d rows, want 3", len(a.Rows))
	}
	for _, row := range a.Rows {
		want := sha256.Sum256([]byte(strings.Join(prompts[1+row.Index], "\x00") + "\x00"))
		if got := account[row.ID][0].PromptHash; got != hex.EncodeToString(want[:]) || row.Turn != 0 {
			t.Errorf("request %d is not %q", row.Index, prompts[1+row.Index])
		}
	}
}

// TestVisitsBranch sends trees of real conversations: each prompt carries what was
// said in its own branch, answered by the model, and nothing of the others.
func TestVisitsBranch(t *testing.T) {
	t.Parallel()
	path, err := filepath.Abs(traceFile("oasst_trees.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	trees := recordsOf(t, path, "oasst1")
	sim := harness.StartSimulator(t)
	out := t.TempDir()
	spec := harness.WriteSpec(t, `{endpoint: {url: "`+sim.URL()+`"}, dataset: {name: oasst1, path: "`+path+`"}, sampling: {max_tokens: 6},
 load: {stages: [{replay: {}}]}, sessions: {human_input_wps: 1000, compression_ratio: 10}}`)
	if r := harness.Stampede(t, "run", "-f", spec, "--agents", "2", "--no-progress", "--out", out); r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	a := harness.ReadArtefacts(t, out)
	account := sim.Account(t)
	harness.MatchAccount(t, a.Rows, account)
	branched := 0
	for session, sent := range bySession(a.Rows) {
		turns := trees[session].Turns
		if len(sent) != len(turns) {
			t.Fatalf("session %d: %d of %d turns were sent", session, len(sent), len(turns))
		}
		for k := range turns {
			said, answers, least := 0, 0, 0
			for _, step := range dataset.Branch(turns, k) {
				for _, m := range turns[step].Messages {
					said += len(strings.FieldsFunc(m.Content, func(r rune) bool { return r <= ' ' }))
				}
				if step != k {
					answers, least = answers+account[sent[step].ID][0].OutputTokens, least+1
				}
			}
			if turns[k].Skip > 0 {
				branched++
			}
			if n := account[sent[k].ID][0].InputTokens - said; n < least || n > answers {
				t.Errorf("session %d: turn %d carries %d words beside the %d of its branch, want those of %d answers of %d tokens in all", session, k, n, said, least, answers)
			}
		}
	}
	if branched == 0 {
		t.Error("no conversation branches, so the test shows nothing")
	}
}

// recordsOf reads a file of a known form.
func recordsOf(t *testing.T, path, schema string) []dataset.Record {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := source.NewReader([]source.Input{{Name: path, Data: bytes.NewReader(data), Size: int64(len(data))}}, source.Options{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	var all []dataset.Record
	for one, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

package controller

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/report/parquet"
)

const (
	endpoint = `endpoint: {url: "http://127.0.0.1:1/v1", model: m}` + "\n"
	openSpec = endpoint + `load: {stages: [{rate: 20, arrival: constant, duration: 5s}]}`
)

// once checks that every entry 0..n-1 was served by one agent once and has a row.
func (r *rig) once(id string, n int, agents ...*fake) {
	r.t.Helper()
	rows := r.samples(id)
	if len(rows) != n {
		r.t.Errorf("%d rows, want %d", len(rows), n)
	}
	for i := range int64(n) {
		served := 0
		for _, a := range agents {
			served += a.served[i]
		}
		if served != 1 || rows[i] == nil {
			r.t.Errorf("entry %d was served %d times, row %v", i, served, rows[i] != nil)
		}
	}
}

func wantState(t *testing.T, got *stampedev1.Test, want stampedev1.State) {
	t.Helper()
	if got.GetState() != want {
		t.Fatalf("ended %v, want %v: %s", got.GetState(), want, got.GetReason())
	}
}

// books checks the sum of contract §6 against what is expected of each term.
func books(t *testing.T, got *stampedev1.Test, planned, succeeded, cancelled, lost int64) {
	t.Helper()
	p := got.GetProgress()
	if p.GetPlannedCount() != planned || p.GetSucceededCount() != succeeded || p.GetCancelledCount() != cancelled || p.GetLostCount() != lost || p.GetFailedCount() != 0 {
		t.Errorf("planned %d, succeeded %d, cancelled or unsent %d, lost %d, failed %d; want %d, %d, %d, %d, 0",
			p.GetPlannedCount(), p.GetSucceededCount(), p.GetCancelledCount(), p.GetLostCount(), p.GetFailedCount(), planned, succeeded, cancelled, lost)
	}
	if sum := p.GetSucceededCount() + p.GetFailedCount() + p.GetCancelledCount() + p.GetLostCount(); sum != p.GetPlannedCount() {
		t.Errorf("the outcomes add up to %d, planned are %d", sum, p.GetPlannedCount())
	}
}

func TestOpenLoop(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d agents", n), func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				var agents []*fake
				for i := range n {
					agents = append(agents, r.agent(fmt.Sprintf("agent-%d", i)).join())
				}
				end := r.finished(r.run(openSpec))
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				books(t, end, 100, 100, 0, 0)
				r.once(end.GetRunId(), 100, agents...)
				for _, a := range agents {
					r.settled()
					if len(a.forgot) != 1 || len(a.served) < 100/n {
						t.Errorf("agent %s served %d, forgot %v", a.name, len(a.served), a.forgot)
					}
				}
			})
		})
	}
}

func TestClosedLoop(t *testing.T) {
	for _, tc := range []struct {
		name, stage string
		agents, min int
	}{
		{"by count on one agent", "{concurrency: 4, requests: 42}", 1, 42},
		{"by count on three agents", "{concurrency: 4, requests: 1000}", 3, 1000},
		{"by time on one agent", "{concurrency: 4, duration: 3s}", 1, 200},
		{"by time on three agents", "{concurrency: 8, duration: 3s}", 3, 300},
		{"fewer slots than agents", "{concurrency: 2, requests: 20}", 3, 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				var agents []*fake
				for i := range tc.agents {
					a := r.agent(fmt.Sprintf("agent-%d", i))
					a.latency += time.Duration(i) * 20 * time.Millisecond // not in step
					agents = append(agents, a.join())
				}
				end := r.finished(r.run(endpoint + "load: {stages: [" + tc.stage + "]}"))
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				rows, served := r.samples(end.GetRunId()), 0
				for _, a := range agents {
					served += len(a.served)
					for index, n := range a.served {
						if n != 1 || rows[index] == nil {
							t.Errorf("entry %d was served %d times, row %v", index, n, rows[index] != nil)
						}
					}
				}
				books(t, end, int64(served), int64(served), 0, 0)
				if served < tc.min || len(rows) != served {
					t.Errorf("served %d, rows %d, want at least %d", served, len(rows), tc.min)
				}
			})
		})
	}
}

func TestPhasesFollowOneAnother(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a, b := r.agent("a").join(), r.agent("b").join()
		b.latency = 120 * time.Millisecond
		end := r.finished(r.run(endpoint + `
load:
  warmup: {requests: 10}
  stages:
    - {concurrency: 4, requests: 30, drain: full}
    - {rate: 10, arrival: constant, duration: 2s}
    - {rate: 20, arrival: constant, duration: 1s}
    - {concurrency: 3, duration: 1s}
    - {rate: 10, arrival: constant, duration: 1s}
`))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		rows := r.samples(end.GetRunId())
		perPhase := map[int32]int{}
		seen := map[int64]bool{}
		for _, s := range rows {
			perPhase[s.GetPhase()]++
			seen[s.GetSession()] = true
		}
		if perPhase[0] != 10 || perPhase[1] != 30 || perPhase[2] != 20 || perPhase[3] != 20 || perPhase[4] == 0 || perPhase[5] != 10 {
			t.Errorf("entries by phase: %v", perPhase)
		}
		if len(seen) != len(rows) || len(a.served)+len(b.served) != len(rows) {
			t.Errorf("%d rows, %d sessions, %d + %d served", len(rows), len(seen), len(a.served), len(b.served))
		}
		if p := end.GetProgress(); p.GetWarmupCount() != 10 || p.GetPlannedCount() != int64(len(rows)-10) {
			t.Errorf("progress %v for %d rows", p, len(rows))
		}
		// Stage 1 drains before stage 2: nothing of 2 is sent before 1 has ended.
		lastEnd, firstSent := int64(0), int64(1<<62)
		for _, s := range rows {
			switch s.GetPhase() {
			case 1:
				lastEnd = max(lastEnd, s.GetEndNanos())
			case 2:
				firstSent = min(firstSent, s.GetSentNanos())
			}
		}
		if firstSent < lastEnd {
			t.Errorf("stage 2 began %d ns before stage 1 had drained", lastEnd-firstSent)
		}
	})
}

func TestPendingSaysWhy(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		id := r.register(openSpec + "\nagents: 3")
		run := r.start(id)
		expect := func(reason string) {
			t.Helper()
			r.settled()
			if got := r.get(id); got.GetState() != stampedev1.State_STATE_PENDING || got.GetReason() != reason {
				t.Errorf("%v: %q, want %q", got.GetState(), got.GetReason(), reason)
			}
		}
		expect("waiting for 3 agents, 0 connected")
		r.agent("a").join()
		b := r.agent("b").join()
		expect("waiting for 3 agents, 2 connected")
		b.cut()
		expect("waiting for 3 agents, 1 connected")
		if err := b.connect(); err != nil {
			t.Fatal(err)
		}
		r.agent("c").join()
		r.agent("d").join()
		end := r.finished(run)
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		if len(end.GetAgents()) != 3 {
			t.Errorf("agents %v", end.GetAgents())
		}
	})
}

func TestPreparingCanFail(t *testing.T) {
	for _, tc := range []struct {
		name   string
		break_ func(*fake)
		want   []string
	}{
		{"the endpoint refuses the key", func(f *fake) {
			f.probe = &stampedev1.ProbeResult{ErrorKind: "http_401", ErrorMessage: "401 Unauthorized", Hint: "set --api-key-env"}
		}, []string{"401 Unauthorized", "hint: set --api-key-env"}},
		{"an agent can't prepare", func(f *fake) { f.refuse = "no way to the endpoint" }, []string{"agent a could not prepare: no way to the endpoint"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				f := r.agent("a")
				tc.break_(f)
				f.join()
				end := r.finished(r.run(openSpec))
				wantState(t, end, stampedev1.State_STATE_FAILED)
				for _, want := range tc.want {
					if !strings.Contains(end.GetReason(), want) {
						t.Errorf("reason %q lacks %q", end.GetReason(), want)
					}
				}
				_, err := r.tests.GetReport(r.ctx, &stampedev1.GetReportRequest{TestId: end.GetRunId()})
				wantCode(t, err, "FailedPrecondition", "has no report")
			})
		})
	}
}

func TestModelIsResolvedOnce(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		end := r.finished(r.run(`
endpoint: {url: "http://127.0.0.1:1/v1"}
load: {stages: [{rate: 5, duration: 1s}]}`))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		if raw := r.report(end.GetRunId()); !strings.Contains(raw, "first-model") {
			t.Errorf("the report does not name the model: %.300s", raw)
		}
	})
}

func (r *rig) report(id string) string {
	r.t.Helper()
	resp, err := r.tests.GetReport(r.ctx, &stampedev1.GetReportRequest{TestId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	return string(resp.GetReportJson())
}

func TestTestsRunBesideOneAnother(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		r.agent("b").join()
		var runs []string
		for range 3 {
			runs = append(runs, r.run(openSpec))
		}
		for _, id := range runs {
			end := r.finished(id)
			wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
			books(t, end, 100, 100, 0, 0)
		}
	})
}

// sameRows holds the two files of a run's rows against each other.
func sameRows(t *testing.T, lines, columns []byte) {
	t.Helper()
	var want []report.Row
	for row, err := range report.ReadRows(bytes.NewReader(lines)) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, row)
	}
	n := 0
	for row, err := range parquet.ReadRows(bytes.NewReader(columns), int64(len(columns))) {
		if err != nil || n >= len(want) || !reflect.DeepEqual(row, want[n]) {
			t.Fatalf("row %d: %+v, %v", n, row, err)
		}
		n++
	}
	if n != 100 || len(want) != 100 {
		t.Errorf("%d rows in lines, %d in columns, want 100", len(want), n)
	}
}

func TestArtefacts(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		end := r.finished(r.run(openSpec))
		for _, id := range []string{end.GetTestId(), end.GetRunId()} {
			var lines []byte
			for _, f := range []struct{ kind, ending string }{{"report", ".json"}, {"workload_hash", ".txt"}, {"requests", ".jsonl"}, {"requests", ".parquet"}} {
				raw, err := os.ReadFile(r.c.files.artefact(end.GetTestId(), f.kind, id, f.ending))
				if err != nil {
					t.Error(err)
					continue
				}
				switch f.kind + f.ending {
				case "report.json":
					if string(raw) != r.report(id) {
						t.Error("GetReport differs from the file")
					}
				case "workload_hash.txt":
					if len(raw) != 65 {
						t.Errorf("hash %q", raw)
					}
				case "requests.jsonl":
					lines = raw
				default:
					sameRows(t, lines, raw)
				}
			}
		}
		resp, err := r.tests.DeleteTest(r.ctx, &stampedev1.DeleteTestRequest{TestId: end.GetTestId()})
		if err != nil || len(resp.GetDeletedFiles()) != 9 {
			t.Errorf("deleted %v, %v", resp.GetDeletedFiles(), err)
		}
		_, err = r.tests.GetTest(r.ctx, &stampedev1.GetTestRequest{TestId: end.GetTestId()})
		wantCode(t, err, "NotFound", end.GetTestId())
	})
}

func TestAJournalThatFailsEndsNoRun(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		id := r.register(openSpec)
		// A file where the test's folder should be.
		if err := os.WriteFile(r.c.files.test(id), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		end := r.finished(r.start(id))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		books(t, end, 100, 100, 0, 0)
		if raw := r.report(id); !strings.Contains(raw, "the journal was not written") {
			t.Error("the report does not say that the journal was not written")
		}
		_, err := mustRecv(r.tests.StreamSamples(r.ctx, &stampedev1.StreamSamplesRequest{TestId: id}))
		wantCode(t, err, "FailedPrecondition", "were not kept")
	})
}

func TestAnAgentThatNeverGetsReady(t *testing.T) {
	inBubble(t, Config{PrepareTimeout: time.Minute}, func(r *rig) {
		r.agent("good").join()
		f := r.agent("stuck")
		f.hang = true
		f.join()
		end := r.finished(r.run(openSpec))
		wantState(t, end, stampedev1.State_STATE_FAILED)
		if end.GetReason() != "not ready within 1m0s: stuck" {
			t.Errorf("reason %q", end.GetReason())
		}
	})
}

func TestAnAgentThatDiesWhilePreparing(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		f := r.agent("gone")
		f.hang = true
		f.join()
		id := r.run(openSpec)
		r.sleep(3 * time.Second)
		if got := r.get(id); got.GetReason() != "preparing: 0 of 1 agent ready" {
			t.Errorf("reason %q", got.GetReason())
		}
		f.kill()
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_FAILED)
		if !strings.Contains(end.GetReason(), "agent gone went silent while the run was being prepared") {
			t.Errorf("reason %q", end.GetReason())
		}
	})
}

// TestAClosedLoopEndsAtTheBoundReachedFirst: its stretch of dispatch, which rates
// are divided by, ends with its last request where that comes before its time.
func TestAClosedLoopEndsAtTheBoundReachedFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		stage    string
		from, to float64
	}{
		"requests": {"{concurrency: 4, requests: 40, duration: 60s}", 0.2, 20},
		"duration": {"{concurrency: 4, requests: 100000, duration: 3s}", 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				r.agent("a").join()
				end := r.finished(r.run(endpoint + "load: {stages: [" + tc.stage + ", {concurrency: 1, requests: 3, duration: 9s}]}"))
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				stages := r.parsed(end.GetRunId()).Stages
				if d := stages[0].End - stages[0].Begin; d < tc.from || d > tc.to || stages[1].Begin < stages[0].End || stages[1].End-stages[1].Begin > 8 {
					t.Errorf("stages from %v to %v and %v to %v, want the first to last %v to %v s", stages[0].Begin, stages[0].End, stages[1].Begin, stages[1].End, tc.from, tc.to)
				}
				if w := *r.parsed(end.GetRunId()).Throughput.DispatchWindow; w > tc.to+8 {
					t.Errorf("dispatch took %v s", w)
				}
			})
		})
	}
}

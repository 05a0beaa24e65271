package measure

import (
	"fmt"
	"math"
	"testing"
)

// goldenSet is a run small enough to be computed by hand: warmup until 1 s, then
// a stage from 1 s to 3 s and, after a drain of 1 s, one from 4 s to 6 s.
//
//	request  stage  intended  sent  tokens at              end   status
//	A        0      1000      1000  1100 1200 1300         1310  succeeded, 10 in
//	B        0      1500      1510  1600 1700, 3 in it     1700  succeeded, 20 in
//	C        0      2000      2000  2500                   2600  failed
//	D        0      2900      2910  3100 3500              3500  succeeded, 30 in
//	E        1      4000      4000  4200                   4200  succeeded, 40 in
//	F        1      5000      5400  5500 5900              5950  succeeded, 50 in
//	G        1      5900      -     -                      -     cancelled, not sent
func goldenSet() *Set {
	set := NewSet(Config{
		Phases: []PhaseInfo{{Name: "warmup", Warmup: true}, {Name: "one", Judged: true}, {Name: "two", Judged: true}},
		SLO:    SLO{TTFT: 150 * ms, TPOT: 100 * ms, E2E: 450 * ms}, TimeTolerance: 100 * ms, Streaming: true,
	})
	set.Fold("a", golden(0, Succeeded, 0, 0, 5, 900, 100, 200))
	set.Fold("a", golden(1, Succeeded, 1000, 1000, 10, 1310, 1100, 1200, 1300))
	b := golden(1, Succeeded, 1500, 1510, 20, 1700, 1600, 1700)
	b.OutputTokens, b.ChunkTokens = 4, []int32{1, 3}
	set.Fold("b", b)
	c := golden(1, Failed, 2000, 2000, -1, 2600, 2500)
	c.ErrorKind, c.ErrorMessage, c.HTTPStatus = "truncated", "gone", 200
	set.Fold("a", c)
	set.Fold("b", golden(1, Succeeded, 2900, 2910, 30, 3500, 3100, 3500))
	set.Fold("a", golden(2, Succeeded, 4000, 4000, 40, 4200, 4200))
	set.Fold("b", golden(2, Succeeded, 5000, 5400, 50, 5950, 5500, 5900))
	g := golden(2, Cancelled, 5900, 0, -1, 0)
	g.Sent, g.End = Absent, Absent
	set.Fold("b", g)
	set.Window(0, 0, 1000*ms)
	set.Window(1, 1000*ms, 3000*ms)
	set.Window(2, 4000*ms, 6000*ms)
	return set
}

// golden is a request of one token at each of the given milliseconds.
func golden(phase int32, status Status, intended, sent int64, input int32, end int64, tokens ...int64) *Sample {
	s := &Sample{
		Phase: phase, Status: status, Index: intended, Intended: intended * ms, Sent: sent * ms, Headers: Absent,
		FirstToken: Absent, FirstOutput: Absent, LastToken: Absent, End: end * ms, KernelStamped: true,
		InputTokens: input, OutputTokens: int32(len(tokens)), ReasoningTokens: -1, CachedTokens: -1,
	}
	for _, at := range tokens {
		s.ChunkOffsets = append(s.ChunkOffsets, (at-sent)*ms)
	}
	if n := len(tokens); n > 0 {
		s.FirstToken, s.FirstOutput, s.LastToken = tokens[0]*ms, tokens[0]*ms, tokens[n-1]*ms
	}
	return s
}

func show(v *float64) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprintf("%.6g", *v)
}

func TestGoldenThroughput(t *testing.T) {
	set := goldenSet()
	type row struct {
		name string
		get  func(Throughput) *float64
		want [3]string // all stages, first, second
	}
	rows := []row{
		// First sent 1.0 s, last last_token 5.9 s; stage one to 3.5 s; stage two from 4.0 s.
		{"duration", func(t Throughput) *float64 { return t.Duration }, [3]string{"4.9", "2.5", "1.9"}},
		{"request_throughput", func(t Throughput) *float64 { return t.RequestThroughput }, [3]string{"1.02041", "1.2", "1.05263"}},
		{"input_throughput", func(t Throughput) *float64 { return t.InputThroughput }, [3]string{"30.6122", "24", "47.3684"}},
		// 3 + 4 + 2 tokens, and 1 + 2.
		{"output_throughput", func(t Throughput) *float64 { return t.OutputThroughput }, [3]string{"2.44898", "3.6", "1.57895"}},
		{"total_token_throughput", func(t Throughput) *float64 { return t.TotalTokenThroughput }, [3]string{"33.0612", "27.6", "48.9474"}},
		// From 1 s to 6 s, with the drain; the stages' own 2 s each. D's tokens and end
		// lie in the drain.
		{"steady_request_throughput", func(t Throughput) *float64 { return t.SteadyRequestThroughput }, [3]string{"1", "1", "1"}},
		{"steady_input_throughput", func(t Throughput) *float64 { return t.SteadyInputThroughput }, [3]string{"30", "15", "45"}},
		{"steady_output_throughput", func(t Throughput) *float64 { return t.SteadyOutputThroughput }, [3]string{"2.4", "3.5", "1.5"}},
		{"steady_total_token_throughput", func(t Throughput) *float64 { return t.SteadyTotalTokenThroughput }, [3]string{"32.4", "18.5", "46.5"}},
		// No more than 5 s: all tokens there over the duration.
		{"peak_output_throughput", func(t Throughput) *float64 { return t.PeakOutputThroughput }, [3]string{"2.44898", "3.6", "1.57895"}},
		{"dispatch_window", func(t Throughput) *float64 { return t.DispatchWindow }, [3]string{"4", "2", "2"}},
		{"achieved_rate", func(t Throughput) *float64 { return t.AchievedRate }, [3]string{"1.5", "2", "1"}},
		// Requests lasted 310 + 190 + 600 + 590 ms, and 200 + 550 ms.
		{"in_flight_mean", func(t Throughput) *float64 { return t.InFlightMean }, [3]string{"0.492929", "0.676", "0.384615"}},
		{"in_flight_peak", func(t Throughput) *float64 { return t.InFlightPeak }, [3]string{"1", "1", "1"}},
	}
	for i, sc := range []Scope{Measured, 1, 2} {
		th := set.Throughput(sc)
		for _, r := range rows {
			if got := show(r.get(th)); got != r.want[i] {
				t.Errorf("scope %d: %s = %s, want %s", sc, r.name, got, r.want[i])
			}
		}
		if th.OfferedRate != nil {
			t.Errorf("scope %d: an offered rate, though nobody told what was planned", sc)
		}
	}
	if th := set.Throughput(Measured); th.TokensOfFailed != 1 || th.Sent != 6 || th.OutputTokens != 12 || th.InputTokens != 150 {
		t.Errorf("%+v", th)
	}
}

func TestGoldenDistributions(t *testing.T) {
	set := goldenSet()
	for _, c := range []struct {
		figure               Figure
		count                int64
		min, max, mean, p50v float64 // in ms, or as they are
		scale                float64
	}{
		{TTFT, 5, 90, 200, 136, 100, 1e3},                                             // 100 90 190 200 100
		{TTFO, 5, 90, 200, 136, 100, 1e3},                                             //
		{TTST, 4, 100, 400, 250, 100, 1e3},                                            // 100 100 400 400
		{TPOT, 4, 100. / 3, 400, (100 + 100./3 + 400 + 400) / 4, 100, 1e3},            // 100 33.3 400 400
		{ITL, 7, 100. / 3, 400, 1100. / 7, 100, 1e3},                                  // 100 100, 3 of 33.3, 400, 400
		{ICL, 5, 100, 400, 220, 100, 1e3},                                             // 100 100 100 400 400
		{E2E, 5, 190, 590, (300 + 190 + 590 + 200 + 500) / 5., 300, 1e3},              //
		{NTPOT, 5, 47.5, 295, (100 + 47.5 + 295 + 200 + 250) / 5., 200, 1e3},          //
		{TTFTFromSchedule, 5, 100, 500, (100 + 100 + 200 + 200 + 500) / 5., 200, 1e3}, //
		{E2EFromSchedule, 5, 200, 900, (300 + 200 + 600 + 200 + 900) / 5., 300, 1e3},  //
		{Lateness, 6, 0, 400, 70, 0, 1e3},                                             // 0 10 0 10 0 400, the failed one too
		{TokensPerSecond, 4, 2.5, 30, (10 + 30 + 2.5 + 2.5) / 4, 2.5, 1},              //
		{InputTokens, 5, 10, 50, 30, 30, 1},                                           //
		{OutputTokens, 5, 1, 4, 12. / 5, 2, 1},                                        //
		{StampUncertainty, 10, 0, 0, 0, 0, 1e3}, {ReadDelay, 5, 0, 0, 0, 0, 1e3},      // nothing shared a read
		{OutputAsked, 0, 0, 0, 0, 0, 1}, {CachedTokens, 0, 0, 0, 0, 0, 1}, {Connect, 0, 0, 0, 0, 0, 1}, {ReasoningTokens, 0, 0, 0, 0, 0, 1},
	} {
		d := set.Distribution(Measured, c.figure)
		if d.Count != c.count {
			t.Errorf("%s: count %d, want %d", c.figure, d.Count, c.count)
			continue
		}
		if c.count == 0 {
			if d.Mean != nil || d.P99 != nil {
				t.Errorf("%s: values, though there are none", c.figure)
			}
			continue
		}
		near(t, c.figure, "min", *d.Min*c.scale, c.min, 1e-5)
		near(t, c.figure, "max", *d.Max*c.scale, c.max, 1e-5)
		near(t, c.figure, "mean", *d.Mean*c.scale, c.mean, 1e-5)
		near(t, c.figure, "p50", *d.P50*c.scale, c.p50v, 1e-3)
	}
}

func near(t *testing.T, f Figure, what string, got, want, precision float64) {
	t.Helper()
	if math.Abs(got-want) > precision*math.Max(math.Abs(want), 1e-3) {
		t.Errorf("%s: %s %g, want %g", f, what, got, want)
	}
}

func TestGoldenObjectives(t *testing.T) {
	set := goldenSet()
	// ttft ≤ 150 ms: A B F; tpot ≤ 100 ms: A B and E with its one token; e2e ≤ 450
	// ms: A B E. F was sent 400 ms late.
	if got, want := set.Judged(Measured), (Judged{Good: 2, OnTime: 4, TTFT: 3, TPOT: 3, E2E: 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := set.Judged(2), (Judged{Good: 0, OnTime: 1, TTFT: 1, TPOT: 1, E2E: 1}); got != want {
		t.Errorf("stage two: %+v, want %+v", got, want)
	}
}

func TestGoldenAgentsAndErrors(t *testing.T) {
	set := goldenSet()
	a, b := set.Agent("a"), set.Agent("b")
	if a.Requests != 3 || a.Sent != 3 || a.Succeeded != 2 || a.Failed != 1 || a.OutputTokens != 4 || *a.KernelStamped != 1 {
		t.Errorf("a: %+v", a)
	}
	if b.Requests != 4 || b.Sent != 3 || b.Cancelled != 1 || b.Lateness.Count != 3 {
		t.Errorf("b: %+v", b)
	}
	groups := set.Errors()
	if len(groups) != 1 || groups[0].Kind != "truncated" || groups[0].Count != 1 || groups[0].Message != "gone" || *groups[0].FirstSeen != 2.6 {
		t.Errorf("%+v", groups)
	}
	if set.Warmup() != 1 {
		t.Errorf("%d of warmup, want 1", set.Warmup())
	}
}

func TestGoldenSeries(t *testing.T) {
	want := []struct{ sent, done, failed, inFlight, tokens int64 }{
		{0, 0, 0, 0, 0}, {2, 2, 0, 1, 7}, {2, 0, 1, 1, 0}, {0, 1, 0, 1, 2}, {1, 1, 0, 1, 1}, {1, 1, 0, 0, 2},
	}
	got := goldenSet().Series()
	if len(got) != len(want) {
		t.Fatalf("%d seconds, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.T != float64(i) || g.Sent != w.sent || g.Done != w.done || g.Failed != w.failed || g.InFlight != w.inFlight || g.OutputTokens != w.tokens {
			t.Errorf("second %d: %+v, want %+v", i, g, w)
		}
	}
	if got[0].TTFTP50 != nil || got[1].TTFTP50 == nil || math.Abs(*got[1].TTFTP50-0.09) > 0.002 {
		t.Errorf("ttft of seconds 0 and 1: %s %s", show(got[0].TTFTP50), show(got[1].TTFTP50))
	}
}

package workload

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDurationNotations(t *testing.T) {
	for _, tt := range []struct {
		text        string
		want        time.Duration
		human, wire string
	}{
		{"500ms", 500 * time.Millisecond, "500ms", `"0.5s"`},
		{"0.5s", 500 * time.Millisecond, "500ms", `"0.5s"`},
		{"1h30m", 90 * time.Minute, "1h30m", `"5400s"`},
		{"1h", time.Hour, "1h", `"3600s"`},
		{"90s", 90 * time.Second, "1m30s", `"90s"`},
		{"10m", 10 * time.Minute, "10m", `"600s"`},
		{"30", 30 * time.Second, "30s", `"30s"`},
		{"0.1", 100 * time.Millisecond, "100ms", `"0.1s"`},
		{"-3s", -3 * time.Second, "-3s", `"-3s"`},
		{"1ns", 1, "1ns", `"0.000000001s"`},
		{"0", 0, "0s", `"0s"`},
	} {
		d, err := ParseDuration(tt.text)
		if err != nil || d.D() != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", tt.text, d, err, tt.want)
		}
		wire, err := json.Marshal(d)
		if d.String() != tt.human || string(wire) != tt.wire || err != nil {
			t.Errorf("%q prints %s and marshals to %s, want %s and %s", tt.text, d, wire, tt.human, tt.wire)
		}
	}
	for _, text := range []string{"", "soon", "1 day", "0x10", "NaN", "inf", "1e300", "5s5"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, d)
		}
	}
}

func TestDurationRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Range(-int64(maxDuration), int64(maxDuration)).Draw(t, "nanoseconds"))
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var again Duration
		if err := json.Unmarshal(data, &again); err != nil || again != d {
			t.Fatalf("%s became %v, %v", data, again, err)
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d {
			t.Fatalf("%s became %v, %v", d, again, err)
		}
	})
}

func TestRate(t *testing.T) {
	for text, want := range map[string]float64{"10": 10, "0.5": 0.5, "inf": math.Inf(1), "Infinity": math.Inf(1), " +Inf ": math.Inf(1), "1e3": 1000, "-3": -3} {
		r, err := ParseRate(text)
		if err != nil || float64(r) != want {
			t.Errorf("ParseRate(%q) = %v, %v", text, r, err)
		}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again Rate
		if err := json.Unmarshal(data, &again); err != nil || again != r {
			t.Errorf("%s became %v, %v", data, again, err)
		}
	}
	for _, text := range []string{"", "fast", "nan", "-inf", "0x1p4", "1_000"} {
		if r, err := ParseRate(text); err == nil {
			t.Errorf("ParseRate(%q) = %v, want an error", text, r)
		}
	}
}

func TestParseDist(t *testing.T) {
	for text, want := range map[string]Dist{
		"550":               {Kind: DistFixed, A: 550},
		"fixed:550":         {Kind: DistFixed, A: 550},
		"uniform:100:200":   {Kind: DistUniform, A: 100, B: 200},
		"normal:550:150":    {Kind: DistNormal, A: 550, B: 150},
		"lognormal:550:150": {Kind: DistLognormal, A: 550, B: 150},
		"none":              {Kind: DistNone},
	} {
		d, err := ParseDist(text)
		if err != nil || d != want {
			t.Errorf("ParseDist(%q) = %v, %v, want %v", text, d, err, want)
		}
		if again, err := ParseDist(d.String()); err != nil || again != d {
			t.Errorf("%v prints %q, which becomes %v, %v", d, d.String(), again, err)
		}
	}
	for _, text := range []string{"", "0", "-5", "5.5", "x", "normal", "normal:5", "normal:5:6:7", "uniform:20:10", "uniform:0:10", "uniform:1.5:3",
		"normal:-1:2", "normal:0:2", "normal:a:2", "normal:1:NaN", "pareto:1:2", "1e30", "none:1", "uniform::"} {
		if d, err := ParseDist(text); err == nil {
			t.Errorf("ParseDist(%q) = %v, want an error", text, d)
		}
	}
}

// TestDistGoldens holds lengths that every CPU must draw.
func TestDistGoldens(t *testing.T) {
	for _, tt := range []struct {
		dist   string
		u1, u2 float64
		want   int
	}{
		{"550", 0.9, 0.9, 550},
		{"uniform:100:200", 0, 0, 100},
		{"uniform:100:200", 0.999999, 0, 200},
		{"uniform:100:200", 0.5, 0, 150},
		{"normal:550:150", 0.5, 0, 727},
		{"normal:550:150", 0.5, 0.5, 373},
		{"normal:550:150", 0.25, 0.125, 630},
		{"lognormal:550:150", 0.5, 0, 727},
		{"lognormal:550:150", 0.5, 0.5, 387},
		{"normal:10:500", 0.999, 0.5, 1},
		{"none", 0.5, 0.5, 0},
	} {
		d, err := ParseDist(tt.dist)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.At(tt.u1, tt.u2); got != tt.want {
			t.Errorf("%s at %g, %g = %d, want %d", tt.dist, tt.u1, tt.u2, got, tt.want)
		}
	}
}

// TestDistMoments holds mean and deviation to what the notation says, on a grid
// of draws.
func TestDistMoments(t *testing.T) {
	const n = 300
	for text, want := range map[string][2]float64{"uniform:100:200": {150, 29.2}, "normal:550:50": {550, 50}, "lognormal:550:150": {550, 150}} {
		d, err := ParseDist(text)
		if err != nil {
			t.Fatal(err)
		}
		var sum, squares float64
		for i := range n {
			for j := range n {
				v := float64(d.At((float64(i)+0.5)/n, (float64(j)+0.5)/n))
				sum, squares = sum+v, squares+v*v
			}
		}
		mean := sum / (n * n)
		deviation := math.Sqrt(squares/(n*n) - mean*mean)
		if math.Abs(mean-want[0]) > 0.01*want[0] || math.Abs(deviation-want[1]) > 0.03*want[1] {
			t.Errorf("%s has mean %g and deviation %g, want %v", text, mean, deviation, want)
		}
	}
}

func TestDistNeverLeavesItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Dist{Kind: rapid.SampledFrom([]string{DistFixed, DistUniform, DistNormal, DistLognormal}).Draw(t, "kind"),
			A: rapid.Float64Range(1, maxTokens).Draw(t, "a"), B: rapid.Float64Range(0, maxTokens).Draw(t, "b")}
		got := d.At(rapid.Float64Range(0, 1).Draw(t, "u1"), rapid.Float64Range(0, 1).Draw(t, "u2"))
		if got < 1 || got > maxTokens {
			t.Fatalf("%v gave %d", d, got)
		}
	})
}

func TestParseGate(t *testing.T) {
	for text, want := range map[string]Gate{
		"ttft.p99<500ms":               {"ttft.p99", "<", 0.5, "500ms"},
		"slo.attainment>=0.99":         {"slo.attainment", ">=", 0.99, "0.99"},
		" fail_rate <= 1% ":            {"fail_rate", "<=", 0.01, "1%"},
		"slo.attainment>=99.9%":        {"slo.attainment", ">=", 0.999, "99.9%"},
		"fail_rate<=.7%":               {"fail_rate", "<=", 0.007, ".7%"},
		"fail_rate<=7e-1%":             {"fail_rate", "<=", 0.007, "7e-1%"},
		"e2e.p99<=1118ms":              {"e2e.p99", "<=", 1.118, "1118ms"},
		"stages[1].ttft.p50 > 1e-3":    {"stages[1].ttft.p50", ">", 0.001, "1e-3"},
		"accounting.lost==0":           {"accounting.lost", "==", 0, "0"},
		"metrics.tpot.mean!=1m30s":     {"metrics.tpot.mean", "!=", 90, "1m30s"},
		"throughput.output-tokens>100": {"throughput.output-tokens", ">", 100, "100"},
	} {
		g, err := ParseGate(text)
		if err != nil || g != want {
			t.Errorf("ParseGate(%q) = %+v, %v, want %+v", text, g, err, want)
		}
		if again, err := ParseGate(g.String()); err != nil || again != g {
			t.Errorf("%v prints %q, which becomes %v, %v", g, g.String(), again, err)
		}
	}
	for _, text := range []string{"", "ttft", "ttft.p99", "<500ms", "ttft.p99<", "ttft.p99=<5", "ttft.p99<fast", "ttft p99<5", "ttft.p99<5<6", "a<NaN", "a<inf", "a<0x1"} {
		if g, err := ParseGate(text); err == nil {
			t.Errorf("ParseGate(%q) = %+v, want an error", text, g)
		}
	}
}

func TestGateHolds(t *testing.T) {
	for op, want := range map[string][3]bool{"<": {true, false, false}, "<=": {true, true, false}, ">": {false, false, true}, ">=": {false, true, true},
		"==": {false, true, false}, "!=": {true, false, true}, "?": {}} {
		g := Gate{Op: op, Value: 5}
		if got := [3]bool{g.Holds(4), g.Holds(5), g.Holds(6)}; got != want {
			t.Errorf("%s holds for 4, 5, 6: %v, want %v", op, got, want)
		}
	}
	if (Gate{Op: "<", Value: 5}).Holds(math.NaN()) {
		t.Error("a figure that is no number must not meet a gate")
	}
}

func TestSlice(t *testing.T) {
	for _, tt := range []struct {
		text     string
		from, to int64
	}{
		{":", 0, 10}, {"2:5", 2, 5}, {":3", 0, 3}, {"7:", 7, 10}, {"-3:", 7, 10}, {":-3", 0, 7}, {"5:2", 5, 5}, {"-100:100", 0, 10}, {"20:30", 10, 10}, {" 1 : 2 ", 1, 2},
	} {
		s, err := ParseSlice(tt.text)
		if err != nil {
			t.Errorf("ParseSlice(%q): %v", tt.text, err)
			continue
		}
		if from, to := s.Of(10); from != tt.from || to != tt.to {
			t.Errorf("%q of 10 = %d to %d, want %d to %d", tt.text, from, to, tt.from, tt.to)
		}
		if again, err := ParseSlice(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q prints %q, which becomes %v, %v", tt.text, s, again, err)
		}
	}
	for _, text := range []string{"", "5", "1:2:3", "a:b", "1.5:2", "99999999999999999999:"} {
		if _, err := ParseSlice(text); err == nil {
			t.Errorf("ParseSlice(%q) must be an error", text)
		}
	}
}

func TestShorthands(t *testing.T) {
	rates, err := ParseRateList("1, 5,inf")
	if err != nil || len(rates) != 3 || rates[1] != 5 || !rates[2].Inf() {
		t.Errorf("ParseRateList: %v, %v", rates, err)
	}
	slots, err := ParseConcurrencyList("1,2,64")
	if err != nil || len(slots) != 3 || slots[2] != 64 {
		t.Errorf("ParseConcurrencyList: %v, %v", slots, err)
	}
	const ms = Duration(time.Millisecond)
	for text, want := range map[string]SLO{
		"ttft=500ms,tpot=50ms,e2e=10s": {500 * ms, 50 * ms, 10 * sec},
		"ttft:500 tpot:50 e2el:10000":  {500 * ms, 50 * ms, 10 * sec},
		"ttft:0.5s":                    {TTFT: 500 * ms},
		"tpot:0.1":                     {TPOT: ms / 10},
	} {
		if got, err := ParseSLO(text); err != nil || got != want {
			t.Errorf("ParseSLO(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]Warmup{"10s": {Duration: 10 * sec}, "100": {Requests: 100}} {
		if got, err := ParseWarmup(text); err != nil || got != want {
			t.Errorf("ParseWarmup(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	if k, v, err := ParseKeyValue("Authorization=Bearer a=b"); err != nil || k != "Authorization" || v != "Bearer a=b" {
		t.Errorf("ParseKeyValue: %q, %q, %v", k, v, err)
	}
	if b, err := ParseExtraBody(`{"top_k": 5, "stop": ["x"]}`); err != nil || b["top_k"] != 5.0 {
		t.Errorf("ParseExtraBody: %v, %v", b, err)
	}
	if d := ParseDataset("synthetic"); d != (Dataset{Name: "synthetic"}) {
		t.Errorf("ParseDataset(synthetic) = %v", d)
	}
	if d := ParseDataset("./a.jsonl"); d != (Dataset{Path: "./a.jsonl"}) {
		t.Errorf("ParseDataset(./a.jsonl) = %v", d)
	}
}

func TestShorthandErrors(t *testing.T) {
	fails := map[string]func(string) error{
		"rates":       func(s string) error { _, err := ParseRateList(s); return err },
		"concurrency": func(s string) error { _, err := ParseConcurrencyList(s); return err },
		"slo":         func(s string) error { _, err := ParseSLO(s); return err },
		"warmup":      func(s string) error { _, err := ParseWarmup(s); return err },
		"pair":        func(s string) error { _, _, err := ParseKeyValue(s); return err },
		"body":        func(s string) error { _, err := ParseExtraBody(s); return err },
	}
	for kind, texts := range map[string][]string{
		"rates":       {"", "1,,2", "0", "-1", "x", strings.Repeat("1,", 2000)},
		"concurrency": {"", "0", "1.5", "inf", "-1", "9999999"},
		"slo":         {"", "ttft", "ttft=500", "itl=5ms", "ttft=0s", "ttft=-1s", "ttft=soon", "ttft=1s,ttft=2s", "ttft:0"},
		"warmup":      {"", "soon", "-5", "-5s", "1.5"},
		"pair":        {"", "sekret", "=sekret"},
		"body":        {"", "x", "[]", `{"a":1,"a":2}`, `{"a":18446744073709551615}`},
	} {
		for _, text := range texts {
			if err := fails[kind](text); err == nil || strings.Contains(err.Error(), "sekret") {
				t.Errorf("%s %q: got %v, want an error that repeats no secret", kind, text, err)
			}
		}
	}
}

func TestValidTestID(t *testing.T) {
	for id, want := range map[string]bool{"custom_test-001": true, "": false, "a b": false, "a/b": false, "ü": false, "a\n": false,
		strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "..": false} {
		if ValidTestID(id) != want {
			t.Errorf("ValidTestID(%q) = %v", id, !want)
		}
	}
}

package schedule

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
)

func TestFunctionsCountAsPythonDoes(t *testing.T) {
	data, err := os.ReadFile("testdata/functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		source, values, _ := strings.Cut(line, "  =>  ")
		t.Run(source, func(t *testing.T) {
			f, err := compileFunction("lambda t: " + source)
			if err != nil {
				t.Fatal(err)
			}
			for second, want := range strings.Fields(values) {
				n, ok, err := f.at(int64(second))
				if err != nil {
					t.Fatal(err)
				}
				if got := countOrNone(n, ok); got != want {
					t.Errorf("at t=%d: got %s, want %s", second, got, want)
				}
			}
		})
	}
}

func countOrNone(n int64, ok bool) string {
	if !ok {
		return "None"
	}
	return countText(n)
}

func TestFunctionErrorsAreSentencesThatNameTheSecond(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`lambda t: 10 * t`, "has not ended at t=604800 (7 days): return None at the end, or give the stage a duration or requests"},
		{`lambda t: "many"`, `returns the string "many" at t=0, want a number of requests or None`},
		{`lambda t: [1, t]`, "returns the list [1, 0] at t=0, want a number of requests or None"},
		{`lambda t: t > 1`, "returns the bool False at t=0, want a number of requests or None"},
		{`lambda t: 60 // (3 - t)`, "fails at t=3: floored division by zero"},
		{`lambda t: 60 / (3 - t)`, "fails at t=3: floating-point division by zero"},
		{`lambda t: 60 % (3 - t)`, "fails at t=3: integer modulo by zero"},
		{`lambda t: 1000000000000`, "asks for 1000000000000 requests at t=0, at most 1000000000 are allowed"},
		{`lambda t: 10 ** t`, "asks for 10000000000 requests at t=10, at most 1000000000 are allowed"},
		{`lambda t: 10 ** 30`, "asks for over 10^18 requests at t=0, at most 1000000000 are allowed"},
		{`lambda t: 10 ** 10 ** 10`, "fails at t=0: 10 ** 10000000000 is larger than 2^4096"},
		{`lambda t: 10.5 ** 1000`, "fails at t=0: 10.5 ** 1000 is too large"},
		{`lambda t: (t - 1) ** 0.5`, "fails at t=0: the negative number -1 can't be raised to the fractional power 0.5"},
		{`lambda t: t ** -1`, "fails at t=0: 0 can't be raised to the negative power -1"},
		{`lambda t: math.sqrt(5 - t)`, "fails at t=6: math.sqrt(-1,): math domain error"},
		{`lambda t: math.inf`, "returns +inf at t=0, want a number of requests or None"},
		{`lambda t: 0 if t < 9 else None`, "asks for no request at all (it ends at t=9)"},
		{`lambda t: -5 if t < 9 else None`, "asks for no request at all (it ends at t=9)"},
		{`lambda t: None`, "asks for no request at all (it ends at t=0)"},
		{`lambda t: int(None)`, "fails at t=0: int: cannot convert NoneType to int"},
		{`10 * t`, "column 1, at 10: must begin with lambda, as in lambda t: 10 * t"},
		{`lambda: 10`, "column 7, at :: lambda needs one parameter, the second t"},
		{`lambda t, u: 10`, "column 9, at ,: lambda needs one parameter and then a colon"},
		{`lambda t: 10 if t`, "column 18, at the end: if needs an else"},
		{`lambda t: (10`, "column 14, at the end: a closing parenthesis should stand here"},
		{`lambda t: 10 +`, "column 15, at the end: a number, t, or a function should stand here"},
		{`lambda t: 10 20`, "column 14, at 20: the function should have ended"},
		{`lambda t: floor(t)`, "column 11, at floor: there is no such name; did you mean math.floor?"},
		{`lambda t: x`, "column 11, at x: there is no such name; known are t, int float min max abs round pow and math's members"},
		{`lambda t: __import__("os")`, "column 11, at __import__: there is no such name; known are t, int float min max abs round pow and math's members"},
		{`lambda t: math.factorial(t)`, "column 16, at factorial: math has no such member; it has acos asin atan"},
		{`lambda t: math.pi.real`, "column 18, at .: the function should have ended"},
		{`lambda t: "a" * 1000000000`, "column 27, at the end: a text is not a number"},
		{`lambda t: [0] * 1000000000`, "column 27, at the end: a list is not a number"},
		{`lambda t: len([1 for x in t])`, "column 11, at len: there is no such name; known are"},
		{`lambda t: [x for x in range(9)]`, "column 12, at x: there is no such name; known are"},
		{`lambda t: t in 5`, "column 17, at the end: in needs a number before it and a list after it"},
		{`lambda t: t is None`, "column 13, at is: the function should have ended"},
		{`lambda t: 5 $ 3`, "column 13: '$' has no meaning here"},
		{`lambda t: "abc`, "column 11: a text that is not closed"},
		{`lambda t: 1x`, "column 11: 1x is not a number"},
		{`lambda t: 1iflen`, "column 11: 1iflen is not a number"},
		{`lambda t: 010`, "obsolete form of octal literal; use 0o10"},
		{`lambda t: ` + strings.Repeat("(", 200) + "t", "is nested deeper than 100 levels"},
		{`lambda t: ` + strings.Repeat("-", 200) + "t", "is nested deeper than 100 levels"},
		{`lambda t: ` + strings.Repeat("t + ", 2000) + "t", "has 8011 bytes, at most 4096 are allowed"},
		{`lambda t: ` + strings.Repeat("1 < (", 50) + "t" + strings.Repeat(") < 3", 50), "is too long with all its comparisons written out"},
	} {
		_, err := Compile(&workload.Spec{Load: workload.Load{Stages: []workload.Stage{funcStage(c.source)}}}, nil)
		if err == nil {
			t.Errorf("%s: no error", clip(c.source))
		} else if got, ok := strings.CutPrefix(err.Error(), "load.stages[0].func: "); !ok || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", clip(c.source), err, c.want)
		}
	}
}

func TestFunctionIssuesDifferences(t *testing.T) {
	for _, c := range []struct {
		name     string
		stage    workload.Stage
		want     []int64 // offsets in milliseconds
		duration time.Duration
	}{
		{"a smaller number issues none", funcStage("lambda t: [3, 1, 3, 5][t] if t < 4 else None"), []int64{0, 0, 0, 3000, 3000}, 4 * time.Second},
		{"a negative number issues none", funcStage("lambda t: t - 2 if t < 5 else None"), []int64{3000, 4000}, 5 * time.Second},
		{"floats are floored", funcStage("lambda t: 0.7 * t if t < 4 else None"), []int64{2000, 3000}, 4 * time.Second},
		{"duration cuts", workload.Stage{Func: ptr("lambda t: t + 1"), Duration: seconds64(2.5)}, []int64{0, 1000, 2000}, 2500 * time.Millisecond},
		{"requests cut", workload.Stage{Func: ptr("lambda t: 2 * t"), Requests: 3}, []int64{1000, 1000, 2000}, 3 * time.Second},
		{"requests beyond the limit are cut", workload.Stage{Func: ptr("lambda t: 10 ** 30"), Requests: 2}, []int64{0, 0}, time.Second},
		{"spread", workload.Stage{Func: ptr("lambda t: [0, 4, 5][t] if t < 3 else None"), Spread: true}, []int64{1000, 1250, 1500, 1750, 2000}, 3 * time.Second},
		{"spread, cut by duration", workload.Stage{Func: ptr("lambda t: 4 * (t + 1)"), Spread: true, Duration: seconds64(1.3)}, []int64{0, 250, 500, 750, 1000, 1250}, 1300 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, 0, c.stage).Phases[0]
			var got []int64
			for _, offset := range p.Arrivals(Whole, 0) {
				got = append(got, offset/1e6)
			}
			if len(got) != len(c.want) || p.Duration != int64(c.duration) {
				t.Fatalf("got %v in %d, want %v in %d", got, p.Duration, c.want, c.duration)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Fatalf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestSeedsFunctionIssues591(t *testing.T) {
	p := compile(t, 0, funcStage("lambda t: int(t / 0.1 + 1) if t < 60 else None")).Phases[0]
	if p.Sessions != 591 || p.Duration != 60e9 {
		t.Errorf("%d sessions in %d ns, want 591 in 60 s", p.Sessions, p.Duration)
	}
}

// FuzzFunction looks for functions that crash, hang, or fill the memory.
func FuzzFunction(f *testing.F) {
	f.Add("lambda t: int(t / 0.1 + 1) if t < 60 else None")
	f.Add("lambda x: -x ** 2 ** -1.5 if 0 <= x < 5 else min([x, 3])[0]")
	f.Add("lambda t: math.log(t, 2) * 'a' in (1, 2,)")
	f.Add("lambda t: 99**99**9*9<<300>>2&1|~t^5//0%3")
	f.Fuzz(func(t *testing.T, source string) {
		fn, err := compileFunction(source)
		if err != nil {
			return
		}
		start := time.Now()
		for second := range int64(20) {
			_, ok, err := fn.at(second)
			if err != nil || !ok {
				break
			}
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("20 seconds took %v", took)
		}
	})
}

package schedule

import (
	"errors"
	"fmt"
	"math"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Limits on what a load function may take.
const (
	maxSteps  = 100_000       // of the interpreter, for one t
	maxSecond = 7 * 24 * 3600 // t below this
)

// function is a compiled load function. It belongs to one goroutine.
type function struct {
	value   starlark.Value
	thread  *starlark.Thread
	budget  *budget // nil: none
	counted uint64  // steps that were taken from it
}

// compileFunction translates and compiles a load function.
func compileFunction(source string) (*function, error) {
	code, err := translate(source)
	if err != nil {
		return nil, err
	}
	thread := &starlark.Thread{Name: "func", Print: func(*starlark.Thread, string) {}}
	thread.SetMaxExecutionSteps(maxSteps)
	value, err := starlark.EvalOptions(&syntax.FileOptions{}, thread, "func", code, builtins)
	if err != nil {
		return nil, errors.New(firstLine(err))
	}
	return &function{value: value, thread: thread}, nil
}

// at is the number of requests that must have been issued by second t; not ok
// means that the function has ended.
func (f *function) at(t int64) (count int64, ok bool, err error) {
	f.thread.SetMaxExecutionSteps(f.thread.Steps + maxSteps)
	value, err := starlark.Call(f.thread, f.value, starlark.Tuple{starlark.MakeInt64(t)}, nil)
	if err != nil {
		return 0, false, fmt.Errorf("fails at t=%d: %s", t, firstLine(err))
	}
	switch v := value.(type) {
	case starlark.NoneType:
		return 0, false, nil
	case starlark.Int:
		return clampCount(v), true, nil
	case starlark.Float:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return 0, false, fmt.Errorf("returns %v at t=%d, want a number of requests or None", v, t)
		}
		return int64(math.Floor(min(max(float64(v), -maxSessions), 1e18))), true, nil
	}
	return 0, false, fmt.Errorf("returns the %s %s at t=%d, want a number of requests or None", value.Type(), clip(value.String()), t)
}

// clampCount makes any int fit; what is beyond the limits is refused by the caller.
func clampCount(v starlark.Int) int64 {
	if n, ok := v.Int64(); ok {
		return n
	}
	return int64(v.Sign()) * 1e18
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// firstLine is an interpreter's error without its backtrace.
func firstLine(err error) string {
	var eval *starlark.EvalError
	if errors.As(err, &eval) {
		return eval.Msg
	}
	var parse syntax.Error
	if errors.As(err, &parse) {
		return parse.Msg
	}
	return err.Error()
}

// second is one second of a function in which something is issued.
type second struct {
	t   int64
	end int64 // entries issued by its end: those with an index below stand here or earlier
}

// evaluate runs the function over t = 0, 1, 2, … until it returns None, t·1s
// reaches duration (0: no bound) or more than most requests stand (0: no bound).
// It returns the seconds that issue something and the second that it ended at.
func (f *function) evaluate(duration, most int64) ([]second, int64, error) {
	var seconds []second
	var issued int64
	for t := int64(0); ; t++ {
		if duration > 0 && t >= (duration+nanosPerSecond-1)/nanosPerSecond {
			return seconds, t, nil
		}
		if t == maxSecond {
			return nil, 0, fmt.Errorf("has not ended at t=%d (7 days): return None at the end, or give the stage a duration or requests", t)
		}
		if t > 0 && f.exhausted() {
			return nil, 0, errLong
		}
		count, ok, err := f.at(t)
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			return seconds, t, nil
		}
		if count > issued {
			if count > maxSessions && (most <= 0 || most > maxSessions) {
				return nil, 0, fmt.Errorf("asks for %s requests at t=%d, at most %d are allowed", countText(count), t, int64(maxSessions))
			}
			issued = count
			seconds = append(seconds, second{t, issued})
		}
		if most > 0 && issued >= most {
			return seconds, t + 1, nil
		}
	}
}

// exhausted takes the steps that were made since it was called last from the budget.
func (f *function) exhausted() bool {
	if f.budget == nil {
		return false
	}
	made := f.thread.Steps - f.counted
	f.counted = f.thread.Steps
	if made > f.budget.steps {
		f.budget.steps = 0
		return true
	}
	f.budget.steps -= made
	return false
}

func countText(n int64) string {
	if n >= 1e18 {
		return "over 10^18"
	}
	return fmt.Sprint(n)
}

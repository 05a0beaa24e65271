package workload

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Gate is a condition on one figure of the report, such as ttft.p99<500ms. This
// package reads gates; who has the report looks the figure up.
type Gate struct {
	// Figure is the path in the report, such as ttft.p99, slo.attainment,
	// stages[1].ttft.p99 or stages["rate 10"].throughput.output_throughput.
	Figure string
	// Op is one of <, <=, >, >=, == and !=.
	Op string
	// Value is the limit in the report's unit: durations are seconds, shares are
	// 0 to 1.
	Value float64
	// Limit is the value as it was written, such as 500ms.
	Limit string
}

// gateForm is figure, comparison, limit. A step of the figure may carry an index
// or a name in brackets, the name quoted where it holds brackets or signs.
var gateForm = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_-]*` + gateIndex + `(?:\.[A-Za-z0-9_-]+` + gateIndex + `)*)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*$`)

const gateIndex = `(?:\[(?:"[^"]*"|[^\]"<>=!]+)\])?`

// ParseGate reads "figure op value"; the value may carry a unit of time or a
// percent sign.
func ParseGate(text string) (Gate, error) {
	m := gateForm.FindStringSubmatch(text)
	if m == nil {
		return Gate{}, fmt.Errorf("must be a figure, one of < <= > >= == !=, and a value, such as ttft.p99<500ms, got %s", quote(text))
	}
	v, err := gateValue(m[3])
	if err != nil {
		return Gate{}, fmt.Errorf("%w in %s", err, quote(text))
	}
	return Gate{Figure: m[1], Op: m[2], Value: v, Limit: m[3]}, nil
}

func gateValue(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	if f, err := strconv.ParseFloat(number, 64); err == nil && !isHexFloat(number) {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, fmt.Errorf("must have a finite value, got %s", quote(s))
		}
		if percent {
			return hundredth(number)
		}
		return f, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("must have a number, a percentage or a duration as its value, got %s", quote(s))
	}
	return float64(d) / 1e9, nil // as a report has it
}

// hundredth is the number nearest to a hundredth of what was written: 99.9 divided
// by 100 is another than 0.999, which 999 of 1,000 are.
func hundredth(number string) (float64, error) {
	exponent := 0
	if at := strings.IndexAny(number, "eE"); at >= 0 {
		var err error
		if exponent, err = strconv.Atoi(number[at+1:]); err != nil {
			return 0, fmt.Errorf("must have an exponent that is a number, got %s", quote(number))
		}
		number = number[:at]
	}
	return strconv.ParseFloat(fmt.Sprintf("%se%d", number, exponent-2), 64)
}

// String returns the notation that ParseGate reads.
func (g Gate) String() string { return g.Figure + g.Op + g.Limit }

// Holds reports whether a figure of value got meets the gate.
func (g Gate) Holds(got float64) bool {
	switch g.Op {
	case "<":
		return got < g.Value
	case "<=":
		return got <= g.Value
	case ">":
		return got > g.Value
	case ">=":
		return got >= g.Value
	case "==":
		return got == g.Value
	case "!=":
		return got != g.Value
	default:
		return false
	}
}

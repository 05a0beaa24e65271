package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/workload"
)

// GateResult is what became of one gate.
type GateResult struct {
	// Expr is the gate as it was written.
	Expr string `json:"expr"`
	// Figure is the path of the figure it is about.
	Figure string `json:"figure"`
	// Value of the figure; null when it does not exist, which misses the gate.
	Value *float64 `json:"value"`
	// Limit in the figure's unit.
	Limit  float64 `json:"limit"`
	Passed bool    `json:"passed"`
	// Message says in one line what the value is and what was wanted.
	Message string `json:"message"`
}

// EvaluateGates holds gates against the figures of r, in their order. A gate that
// can't be read, or whose figure does not exist, is missed and says so. Build does
// this with the spec's gates; it is there for who makes a report of reports.
func EvaluateGates(r *Report, gates []string) []GateResult {
	results := make([]GateResult, 0, len(gates))
	for _, expr := range gates {
		results = append(results, evaluate(r, expr))
	}
	return results
}

// MissedGates are the gates that were missed.
func (r *Report) MissedGates() []GateResult {
	var missed []GateResult
	for _, g := range r.Gates {
		if !g.Passed {
			missed = append(missed, g)
		}
	}
	return missed
}

func evaluate(r *Report, expr string) GateResult {
	gate, err := workload.ParseGate(expr)
	if err != nil {
		return GateResult{Expr: expr, Figure: expr, Message: err.Error()}
	}
	result := GateResult{Expr: expr, Figure: gate.Figure, Limit: gate.Value}
	found, unknown := specimen(stageNames(r)).find(gate.Figure)
	if unknown != nil {
		result.Message = unknown.Error()
		return result
	}
	result.Value = lookup(r, found.keys)
	if result.Value == nil {
		result.Message = fmt.Sprintf("%s does not exist in this run, so it can't be %s %s", gate.Figure, gate.Op, limitText(gate, found.unit))
		return result
	}
	result.Passed = gate.Holds(*result.Value)
	result.Message = gateMessage(gate, *result.Value, found.unit)
	return result
}

func stageNames(r *Report) []string {
	names := make([]string, len(r.Stages))
	for i := range r.Stages {
		names[i] = r.Stages[i].Name
	}
	return names
}

// CheckGates finds, before a run, the gates of an effective spec that no report of
// it can answer: unknown figures, and figures that it does not make. It returns
// workload.Errors.
func CheckGates(spec *workload.Spec) error {
	if len(spec.Gates) == 0 {
		return nil
	}
	names := make([]string, len(spec.Load.Stages))
	for i := range spec.Load.Stages {
		names[i] = spec.Load.Stages[i].Title()
	}
	sample := specimen(names)
	var errs workload.Errors
	for i, expr := range spec.Gates {
		if err := checkGate(sample, spec, expr); err != nil {
			e := *err
			e.Path, e.Type = "gates["+strconv.Itoa(i)+"]", "value_error"
			errs = append(errs, e)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errs
}

func checkGate(sample *sampleReport, spec *workload.Spec, expr string) *workload.FieldError {
	gate, syntax := workload.ParseGate(expr)
	if syntax != nil {
		return nil //nolint:nilerr // the spec's own validation says it
	}
	found, unknown := sample.find(gate.Figure)
	if unknown != nil {
		return &workload.FieldError{Message: unknown.message, Hint: unknown.hint}
	}
	if why := impossible(found.keys, spec); why != "" {
		return &workload.FieldError{Message: fmt.Sprintf("%s will not exist: %s", gate.Figure, why)}
	}
	return unitMismatch(gate, found.unit)
}

// unitMismatch refuses a time as the limit of what is no time, and a percentage
// as the limit of what is no share.
func unitMismatch(g workload.Gate, unit string) *workload.FieldError {
	kind := limitKind(g.Limit)
	switch {
	case kind == "time" && unit != "s":
		return &workload.FieldError{Message: fmt.Sprintf("%s is no time, got the limit %s", g.Figure, g.Limit), Hint: "give a plain number"}
	case kind == "percent" && unit != "ratio":
		hint := "give a plain number"
		if unit == "s" {
			hint = "give a time, such as 500ms"
		}
		return &workload.FieldError{Message: fmt.Sprintf("%s is no share, got the limit %s", g.Figure, g.Limit), Hint: hint}
	}
	return nil
}

func limitKind(limit string) string {
	if strings.HasSuffix(limit, "%") {
		return "percent"
	}
	if _, err := strconv.ParseFloat(limit, 64); err == nil {
		return "number"
	}
	return "time"
}

// gateMessage tells value and limit with as many digits as tell them apart.
func gateMessage(g workload.Gate, value float64, unit string) string {
	got, limit := apartTexts(value, g.Value, unit)
	if g.Holds(value) {
		return fmt.Sprintf("%s is %s, as wanted: %s %s", g.Figure, got, g.Op, limit)
	}
	return fmt.Sprintf("%s is %s, wanted: %s %s", g.Figure, got, g.Op, limit)
}

// apartTexts shows two values with as many digits as tell them apart, three at least.
func apartTexts(a, b float64, unit string) (string, string) {
	first, second := figureText(a, unit, 3), figureText(b, unit, 3)
	for digits := 4; first == second && a != b && digits <= 12; digits++ {
		first, second = figureText(a, unit, digits), figureText(b, unit, digits)
	}
	return first, second
}

// beyond shows a value that is over a limit so that it can be seen to be.
func beyond(value, limit float64, unit string, show func(float64) string) string {
	text := show(value)
	if text == show(limit) {
		text, _ = apartTexts(value, limit, unit)
	}
	return text
}

func limitText(g workload.Gate, unit string) string { return figureText(g.Value, unit, 3) }

// figureText shows a value in its unit with a number of significant digits.
func figureText(v float64, unit string, digits int) string {
	plain := func(v float64) string { return fixed(v, max(decimals(v)+digits-3, 0)) }
	switch unit {
	case "s":
		u := unitOf(v)
		return trimZeros(plain(v*u.factor)) + " " + u.name
	case "ratio":
		text := trimZeros(plain(v * 100))
		for (text == "100" && v < 1 || text == "0" && v > 0) && digits < 12 { // not all, not nothing
			digits++
			text = trimZeros(plain(v * 100))
		}
		return text + " %"
	case "1/s":
		return trimZeros(plain(v)) + "/s"
	default:
		return trimZeros(plain(v))
	}
}

// trimZeros takes away decimals that say nothing.
func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

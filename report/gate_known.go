package report

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// sampleReport is a report in which every figure that can exist does: what a path
// is held against before there is a report.
type sampleReport struct{ r *Report }

// specimen makes the sample of a run with such stages.
func specimen(stages []string) *sampleReport {
	r := &Report{}
	fill(reflect.ValueOf(r).Elem())
	r.Stages = make([]Stage, len(stages))
	for i := range r.Stages {
		fill(reflect.ValueOf(&r.Stages[i]).Elem())
		r.Stages[i].Name = stages[i]
	}
	return &sampleReport{r}
}

// notFigures are types that hold what was asked for, or texts, not figures.
var notFigures = []reflect.Type{
	reflect.TypeFor[*workload.Spec](), reflect.TypeFor[workload.Stage](), reflect.TypeFor[time.Time](),
	reflect.TypeFor[map[string]Definition](), reflect.TypeFor[Series](), reflect.TypeFor[[]GateResult](),
}

// fill makes everything below v that a pointer or a map leaves open.
func fill(v reflect.Value) {
	if slices.Contains(notFigures, v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Map:
		fillMap(v)
	}
}

func fillMap(v reflect.Value) {
	var names []string
	switch v.Interface().(type) {
	case Metrics:
		for _, f := range measure.Figures() {
			names = append(names, string(f))
		}
	case map[string]ObjectiveShare:
		names = []string{"ttft", "tpot", "e2e"}
	default:
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, name := range names {
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e)
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
	}
}

// foundFigure is a figure of reports: its full path and unit.
type foundFigure struct {
	keys []key
	unit string
}

// unknownFigure is a path that leads to no figure.
type unknownFigure struct{ message, hint string }

func (e *unknownFigure) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + "; " + e.hint
}

// find resolves a path, whole or short, to the full path of a figure.
func (s *sampleReport) find(path string) (foundFigure, *unknownFigure) {
	keys := splitPath(path)
	head := 0
	if len(keys) > 1 && keys[0].name == "stages" {
		if err := s.stage(keys[1]); err != nil {
			return foundFigure{}, err
		}
		head = 2
	}
	for _, root := range append([]string{""}, roots...) {
		full := slices.Clone(keys[:head])
		if root != "" {
			full = append(full, key{name: root})
		}
		full = append(full, keys[head:]...)
		if n := len(full); n > 0 && otherStats[full[n-1].name] != "" && lookup(s.r, full) == nil {
			full[n-1].name = otherStats[full[n-1].name]
		}
		if len(keys) > head && lookup(s.r, full) != nil {
			return foundFigure{keys: full, unit: unitAt(full)}, nil
		}
	}
	return foundFigure{}, s.unknown(path, keys, head)
}

// stage says what is wrong with the name or number of a stage.
func (s *sampleReport) stage(k key) *unknownFigure {
	names := stageNames(s.r)
	if !element(reflect.ValueOf(s.r.Stages), k).IsValid() {
		if k.name != "" && strings.Trim(k.name, "0123456789") == "" && !k.quoted {
			return &unknownFigure{fmt.Sprintf("there is no stage %s", k.name), stagesThere(len(names))}
		}
		return &unknownFigure{fmt.Sprintf("there is no stage %q", k.name), "the stages are " + strings.Join(names, ", ")}
	}
	same := 0
	for _, n := range names {
		if n == k.name {
			same++
		}
	}
	if same > 1 {
		return &unknownFigure{fmt.Sprintf("%d stages are called %q", same, k.name), "give the number, from 0, as stages[0]"}
	}
	return nil
}

// unknown says what the path may have meant.
func (s *sampleReport) unknown(path string, keys []key, head int) *unknownFigure {
	asked := tail(keys[head:])
	prefix := strings.TrimSuffix(path, asked)
	asked, whole := strings.CutPrefix(asked, "metrics.")
	if whole {
		prefix += "metrics."
	}
	known := s.short(head > 0)
	if i := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(k, asked+".") }); i >= 0 {
		return &unknownFigure{fmt.Sprintf("%q is not one figure but several", path), "did you mean " + prefix + preferred(asked, known[i]) + "?"}
	}
	e := &unknownFigure{fmt.Sprintf("there is no figure %q in a report", path), "for example ttft.p99, slo.attainment, fail_rate, throughput.output_throughput"}
	best, least := "", 1<<30
	for _, k := range known {
		d := workload.EditDistance(strings.ToLower(asked), strings.ToLower(k))
		if d < least || d == least && strings.HasSuffix(k, ".p99") && !strings.HasSuffix(best, ".p99") {
			best, least = k, d
		}
	}
	if asked != "" && least <= max(3, len(asked)/2) {
		e.hint = "did you mean " + prefix + best + "?"
	}
	return e
}

// preferred is the p99 of a distribution, else its first value.
func preferred(asked, known string) string {
	if strings.HasSuffix(known, ".count") {
		return asked + ".p99"
	}
	return known
}

func tail(keys []key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return strings.Join(names, ".")
}

// short lists all paths, without the prefixes that may be left out where no other
// figure has that name.
func (s *sampleReport) short(inStage bool) []string {
	v := reflect.ValueOf(s.r).Elem()
	if inStage {
		v = v.FieldByName("Stages").Index(0)
	}
	var all []string
	paths(v, "", func(p string) {
		p = strings.TrimPrefix(p, "metrics.")
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	})
	// Those of metrics, which most gates are about, come first.
	slices.SortStableFunc(all, func(a, b string) int { return strings.Count(a, ".") - strings.Count(b, ".") })
	return all
}

// paths calls emit with every path below v that leads to a number.
func paths(v reflect.Value, prefix string, emit func(string)) {
	switch v = follow(v); v.Kind() {
	case reflect.Struct:
		for i, name := range fieldsOf(v.Type()) {
			switch name {
			case "-":
			case "":
				paths(v.Field(i), prefix, emit)
			default:
				paths(v.Field(i), join(prefix, name), emit)
			}
		}
	case reflect.Map:
		if _, metrics := v.Interface().(Metrics); metrics {
			for _, f := range measure.Figures() {
				paths(v.MapIndex(reflect.ValueOf(f)), join(prefix, string(f)), emit)
			}
			return
		}
		for _, k := range v.MapKeys() {
			paths(v.MapIndex(k), join(prefix, k.String()), emit)
		}
	default:
		if numberOf(v) != nil {
			emit(prefix)
		}
	}
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// streamFigures exist only where replies are streamed.
var streamFigures = []measure.Figure{
	measure.TTFT, measure.TTFO, measure.TTST, measure.TPOT, measure.ITL, measure.ICL,
	measure.TTFTFromSchedule, measure.TokensPerSecond,
}

// impossible says why no run of spec has the figure, or nothing.
func impossible(keys []key, spec *workload.Spec) string {
	stages := spec.Load.Stages
	if keys[0].name == "stages" {
		stages = []workload.Stage{*stageAt(stages, keys[1])}
		keys = keys[2:]
	}
	closed, offers := true, true
	for i := range stages {
		s := &stages[i]
		closed = closed && s.Concurrency != nil
		offers = offers && s.Concurrency == nil && (s.Rate == nil || !s.Rate.Inf())
	}
	names := tail(keys)
	of := func(f measure.Figure) bool { return strings.HasPrefix(names, "metrics."+string(f)+".") }
	switch {
	case !spec.Streaming() && (slices.ContainsFunc(streamFigures, of) || keys[0].name == "TTFT" || keys[0].name == "TPOT"):
		return "replies are not streamed"
	case closed && (of(measure.TTFTFromSchedule) || of(measure.E2EFromSchedule) || names == "throughput.offered_rate"):
		return "a closed loop has no schedule"
	case !offers && names == "throughput.offered_rate":
		return "neither a closed loop nor a rate of inf offers one"
	case (names == "slo.attainment" || names == "slo.goodput_rps") && !objectives(spec.SLO).Any():
		return "no objectives are given (--slo)"
	}
	if name, ok := strings.CutPrefix(names, "slo.per_objective."); ok {
		objective, _, _ := strings.Cut(name, ".")
		if !hasObjective(spec.SLO, objective) {
			return "there is no objective for " + objective + " (--slo)"
		}
	}
	return ""
}

func hasObjective(s workload.SLO, name string) bool {
	switch name {
	case "ttft":
		return s.TTFT > 0
	case "tpot":
		return s.TPOT > 0
	default:
		return s.E2E > 0
	}
}

// stageAt is the stage that k names; find has seen that there is one.
func stageAt(stages []workload.Stage, k key) *workload.Stage {
	for i := range stages {
		if stages[i].Title() == k.name || !k.quoted && fmt.Sprint(i) == k.name {
			return &stages[i]
		}
	}
	return &stages[0]
}

func stagesThere(n int) string {
	if n == 1 {
		return "there is one, stages[0]"
	}
	return fmt.Sprintf("there are %d, from 0", n)
}

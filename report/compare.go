package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Comparison holds runs side by side; changes are against the first.
type Comparison struct {
	Runs []ComparedRun `json:"runs"`
	// Warnings say what makes the runs hard to compare.
	Warnings []string `json:"warnings"`
	// Sections hold the figures: one over all, or one a stage when all runs have
	// the same several stages.
	Sections []ComparedSection `json:"sections"`
}

// ComparedSection is the figures of one stage, or of the whole runs.
type ComparedSection struct {
	Stage   string           `json:"stage,omitempty"`
	Figures []ComparedFigure `json:"figures"`
}

// ComparedFigure is one figure of all runs.
type ComparedFigure struct {
	Figure string `json:"figure"` // its path, such as ttft.p99
	Unit   string `json:"unit"`
	// Better says which way is: lower, higher, or empty where neither.
	Better string `json:"better,omitempty"`
	// Values are in the order of Runs.
	Values []ComparedValue `json:"values"`
}

// ComparedValue is what one run has of a figure, against the first run.
type ComparedValue struct {
	Value *float64    `json:"value"`
	CI95  *[2]float64 `json:"ci95"`
	// Change is value / first - 1; null for the first, and where there is no first
	// value or it is 0.
	Change *float64 `json:"change"`
	// Intervals says whether the ci95 of both are apart or overlap; empty when one
	// has none.
	Intervals string `json:"intervals,omitempty"`
	// Judgement is better, worse, same, or unclear when the intervals overlap;
	// empty for the first and where there is nothing to judge.
	Judgement string `json:"judgement,omitempty"`
}

// Words of a comparison.
const (
	lower   = "lower"
	higher  = "higher"
	apart   = "apart"
	overlap = "overlap"
	better  = "better"
	worse   = "worse"
	same    = "same"
	unclear = "unclear"
)

// maxCompared is how many runs letters can name.
const maxCompared = 26

// letter names a run of a comparison.
func letter(i int) string { return string(rune('A' + i)) }

// sameShare is the relative difference below which values count as the same: the
// histograms tell no less apart.
const sameShare = 0.0015

// comparedRow is a figure of comparisons. Related ones share a group; brief ones
// are shown to people where several stages are compared.
type comparedRow struct {
	path, better string
	group        int
	brief        bool
}

// compareRows are the figures of a comparison in reading order.
var compareRows = []comparedRow{
	{"request_throughput", higher, 0, true}, {"output_throughput", higher, 0, true}, {"total_token_throughput", higher, 0, false},
	{"slo.goodput_rps", higher, 0, true}, {"slo.attainment", higher, 0, true}, {"fail_rate", lower, 0, true},
	{"ttft.mean", lower, 1, false}, {"ttft.p50", lower, 1, true}, {"ttft.p90", lower, 1, false}, {"ttft.p99", lower, 1, true},
	{"tpot.mean", lower, 2, false}, {"tpot.p50", lower, 2, true}, {"tpot.p90", lower, 2, false}, {"tpot.p99", lower, 2, true},
	{"itl.mean", lower, 3, false}, {"itl.p50", lower, 3, false}, {"itl.p99", lower, 3, false},
	{"icl.mean", lower, 4, false}, {"icl.p50", lower, 4, false}, {"icl.p99", lower, 4, false},
	{"e2e.mean", lower, 5, false}, {"e2e.p50", lower, 5, true}, {"e2e.p90", lower, 5, false}, {"e2e.p99", lower, 5, true},
	{"ttft_from_schedule.p99", lower, 6, false}, {"e2e_from_schedule.p99", lower, 6, false},
	{"input_tokens.mean", "", 7, false}, {"output_tokens.mean", "", 7, false}, {"cache_hit_rate.mean", "", 7, false},
}

// Compare holds runs side by side. There must be two at least; all must come from
// ReadCompared.
func Compare(runs []ComparedRun) (*Comparison, error) {
	if len(runs) < 2 || len(runs) > maxCompared {
		return nil, fmt.Errorf("2 to %d results can be compared, got %d", maxCompared, len(runs))
	}
	c := &Comparison{Runs: runs, Warnings: compareWarnings(runs)}
	if names := commonStages(runs); names != nil {
		for i, name := range names {
			c.Sections = append(c.Sections, compareSection(runs, name, func(r *ComparedRun) figureSet { return r.report.stageFigureSet(i) }))
		}
	} else {
		c.Sections = []ComparedSection{compareSection(runs, "", func(r *ComparedRun) figureSet { return r.figures })}
	}
	return c, nil
}

// commonStages are the names of the stages when all runs have the same, and more
// than one.
func commonStages(runs []ComparedRun) []string {
	var names []string
	for i := range runs {
		if runs[i].report == nil {
			return nil
		}
		own := stageNames(runs[i].report)
		if i > 0 && !slices.Equal(names, own) {
			return nil
		}
		names = own
	}
	if len(names) < 2 {
		return nil
	}
	return names
}

func compareSection(runs []ComparedRun, name string, figures func(*ComparedRun) figureSet) ComparedSection {
	sets := make([]figureSet, len(runs))
	for i := range runs {
		sets[i] = figures(&runs[i])
	}
	s := ComparedSection{Stage: name}
	for _, row := range compareRows {
		if !worthShowing(sets, row.path) {
			continue
		}
		s.Figures = append(s.Figures, compareFigure(sets, row.path, row.better))
	}
	return s
}

// worthShowing leaves out what fewer than two runs have, caches that nobody hit,
// and gaps of chunks where all runs have those of tokens and both are alike.
func worthShowing(sets []figureSet, path string) bool {
	found := 0
	for _, s := range sets {
		if _, has := s[path]; has {
			found++
		}
	}
	if path == "cache_hit_rate.mean" && !slices.ContainsFunc(sets, func(s figureSet) bool { return or(s[path].value, 0) > 0 }) {
		return false
	}
	if found < 2 || !strings.HasPrefix(path, "icl.") {
		return found >= 2
	}
	return slices.ContainsFunc(sets, func(s figureSet) bool {
		itl, icl := s["itl.mean"].value, s["icl.mean"].value
		return itl == nil || icl == nil || !alike(itl, icl)
	})
}

func compareFigure(sets []figureSet, path, better string) ComparedFigure {
	f := ComparedFigure{Figure: path, Unit: pathUnit(path), Better: better}
	for i, s := range sets {
		own := s[path]
		v := ComparedValue{Value: own.value, CI95: own.ci}
		if i > 0 {
			v.against(sets[0][path], better)
		}
		f.Values = append(f.Values, v)
	}
	return f
}

// against judges a value against the first run's.
func (v *ComparedValue) against(first figureValue, direction string) {
	if v.Value == nil || first.value == nil {
		return
	}
	difference := *v.Value - *first.value
	if *first.value != 0 {
		change := difference / math.Abs(*first.value)
		v.Change = &change
	}
	if v.CI95 != nil && first.ci != nil {
		v.Intervals = overlap
		if v.CI95[0] > first.ci[1] || v.CI95[1] < first.ci[0] {
			v.Intervals = apart
		}
	}
	switch {
	case direction == "":
	case difference == 0 || v.Change != nil && math.Abs(*v.Change) < sameShare:
		v.Judgement = same
	case v.Intervals == overlap:
		v.Judgement = unclear
	case (difference > 0) == (direction == higher):
		v.Judgement = better
	default:
		v.Judgement = worse
	}
}

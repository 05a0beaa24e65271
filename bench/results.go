package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// results is all that was measured; its JSON is kept.
type results struct {
	StartedAt time.Time `json:"started_at"`
	Machine   string    `json:"machine"`
	TimeScale float64   `json:"time_scale"` // of the workloads' durations
	Workloads []result  `json:"workloads"`
}

// result is what was measured of one workload.
type result struct {
	Name  string    `json:"name"`
	Title string    `json:"title"`
	Goals []reached `json:"goals"`
	Runs  []outcome `json:"runs"`

	columns []column
	tools   []string
}

// reached is a goal and what became of it.
type reached struct {
	Goal    string   `json:"goal"`
	Value   *float64 `json:"value"` // null when it was not measured
	Low     float64  `json:"low"`
	High    float64  `json:"high"`
	Reached bool     `json:"reached"`
}

// of returns one tool's runs.
func (r *result) of(tool string) []outcome {
	var out []outcome
	for _, o := range r.Runs {
		if o.Tool == tool {
			out = append(out, o)
		}
	}
	return out
}

// judge holds the runs against the goals.
func (r *result) judge(goals []goal) {
	first := r.of(r.tools[0])
	for _, g := range goals {
		var all []float64
		if g.over != "" {
			all = ratios(first, r.of(g.over), g.figure)
		} else {
			for _, o := range first {
				if v, ok := o.Figures[g.figure]; ok {
					all = append(all, v)
				}
			}
		}
		is := reached{Goal: g.String()}
		if v, ok := middle(all); ok {
			is.Value, is.Reached = &v, g.reached(v)
			is.Low, is.High = all[0], all[0]
			for _, v := range all {
				is.Low, is.High = min(is.Low, v), max(is.High, v)
			}
		}
		r.Goals = append(r.Goals, is)
	}
}

// table writes the medians, what was to be reached, and whatever doesn't add up.
func (r *result) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s; medians of %d\n\n", r.Name, r.Title, len(r.of(r.tools[0])))
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tab, "tool\t")
	for _, c := range r.columns {
		fmt.Fprintf(tab, "%s\t", c.title)
	}
	fmt.Fprintln(tab)
	for _, tool := range r.tools {
		runs := r.of(tool)
		if len(runs) == 0 {
			continue
		}
		fmt.Fprintf(tab, "%s\t", tool)
		for _, c := range r.columns {
			if v, ok := median(runs, c.figure); ok {
				fmt.Fprintf(tab, c.form+"\t", v*c.scale)
			} else {
				fmt.Fprint(tab, "–\t")
			}
		}
		fmt.Fprintln(tab)
	}
	_ = tab.Flush() // w's own errors come up where it is closed
	fmt.Fprintln(w)
	for _, g := range r.Goals {
		switch {
		case g.Value == nil:
			fmt.Fprintf(w, "  %s: not measured\n", g.Goal)
		case g.Reached:
			fmt.Fprintf(w, "  %s: reached, %.4g (%.4g to %.4g)\n", g.Goal, *g.Value, g.Low, g.High)
		default:
			fmt.Fprintf(w, "  %s: MISSED, %.4g (%.4g to %.4g)\n", g.Goal, *g.Value, g.Low, g.High)
		}
	}
	for _, o := range r.Runs {
		if o.Problem != "" {
			fmt.Fprintf(w, "  run %d of %s: %s\n", o.Run, o.Tool, o.Problem)
		}
		for _, name := range []string{"unmatched", "wrong"} {
			if n := o.Figures[name]; n > 0 {
				fmt.Fprintf(w, "  run %d of %s: %.0f rows %s\n", o.Run, o.Tool, n, name)
			}
		}
	}
}

// keep writes the JSON into dir and returns its path.
func (r *results) keep(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bench_"+r.StartedAt.Format("20060102T150405Z")+".json")
	return path, os.WriteFile(path, append(b, '\n'), 0o644)
}

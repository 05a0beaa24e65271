package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// results is all that was measured; its JSON is kept.
type results struct {
	StartedAt time.Time  `json:"started_at"`
	Machine   string     `json:"machine"`
	Workload  load       `json:"workload"`
	Separate  bool       `json:"separate"` // CPU is the agent process's alone
	Runs      []measured `json:"runs"`
}

// of returns one tool's runs.
func (r *results) of(tool string) []measured {
	var out []measured
	for _, m := range r.Runs {
		if m.Tool == tool {
			out = append(out, m)
		}
	}
	return out
}

// median over runs of what pick returns; runs where that is nil are left out, and
// ok is false when none is left.
func median(runs []measured, pick func(*measured) *float64) (v float64, ok bool) {
	var all []float64
	for i := range runs {
		if p := pick(&runs[i]); p != nil {
			all = append(all, *p)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, true
}

// ratios are tool a's CPU over tool b's, pair by pair.
func (r *results) ratios(a, b string) []float64 {
	as, bs := r.of(a), r.of(b)
	var out []float64
	for i := range min(len(as), len(bs)) {
		if bs[i].CPU > 0 {
			out = append(out, as[i].CPU/bs[i].CPU)
		}
	}
	slices.Sort(out)
	return out
}

// column is one figure of the table.
type column struct {
	title string
	pick  func(*measured) *float64
	scale float64
	form  string
}

func ofSpread(of func(*measured) *spread, p99 bool) func(*measured) *float64 {
	return func(m *measured) *float64 {
		switch s := of(m); {
		case s == nil:
			return nil
		case p99:
			return &s.P99
		default:
			return &s.P50
		}
	}
}

func columns() []column {
	number := func(f func(*measured) float64) func(*measured) *float64 {
		return func(m *measured) *float64 { v := f(m); return &v }
	}
	schedule := func(m *measured) *spread { return m.Schedule }
	late := func(m *measured) *spread { return m.Lateness }
	ttft := func(m *measured) *spread { return m.TTFT }
	return []column{
		{"requests", number(func(m *measured) float64 { return float64(m.Requests) }), 1, "%.0f"},
		{"served", number(func(m *measured) float64 { return float64(m.Served) }), 1, "%.0f"},
		{"schedule p50 ms", ofSpread(schedule, false), 1e3, "%.3f"},
		{"p99 ms", ofSpread(schedule, true), 1e3, "%.3f"},
		{"lateness p50 ms", ofSpread(late, false), 1e3, "%.3f"},
		{"p99 ms", ofSpread(late, true), 1e3, "%.3f"},
		{"ttft error p50 µs", ofSpread(ttft, false), 1e6, "%.0f"},
		{"p99 µs", ofSpread(ttft, true), 1e6, "%.0f"},
		{"CPU s", number(func(m *measured) float64 { return m.CPU }), 1, "%.2f"},
		{"simulator CPU s", number(func(m *measured) float64 { return m.SimulatorCPU }), 1, "%.2f"},
	}
}

// table writes the medians, and whatever doesn't add up.
func (r *results) table(w io.Writer) {
	l := r.Workload
	fmt.Fprintf(w, "%d requests/s (%s) of %d words and %d tokens, TTFT %v, ITL %v, for %v; medians of %d runs\n%s\n\n",
		l.Rate, l.Arrival, l.Prompt, l.Tokens, l.TTFT, l.ITL, l.Duration, len(r.of("stampede")), r.Machine)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	cols := columns()
	fmt.Fprint(tab, "tool\t")
	for _, c := range cols {
		fmt.Fprintf(tab, "%s\t", c.title)
	}
	fmt.Fprintln(tab)
	for _, tool := range []string{"stampede", "vegeta"} {
		runs := r.of(tool)
		if len(runs) == 0 {
			continue
		}
		fmt.Fprintf(tab, "%s\t", tool)
		for _, c := range cols {
			if v, ok := median(runs, c.pick); ok {
				fmt.Fprintf(tab, c.form+"\t", v*c.scale)
			} else {
				fmt.Fprint(tab, "–\t")
			}
		}
		fmt.Fprintln(tab)
	}
	_ = tab.Flush() // w's own errors come up where it is closed
	if ratios := r.ratios("stampede", "vegeta"); len(ratios) > 0 {
		n := len(ratios)
		fmt.Fprintf(w, "\nCPU, stampede over vegeta: %.2f (%.2f to %.2f)\n", (ratios[(n-1)/2]+ratios[n/2])/2, ratios[0], ratios[n-1])
	}
	for i, m := range r.of("stampede") {
		if m.Unmatched > 0 || m.Wrong > 0 || m.Rows != m.Requests {
			fmt.Fprintf(w, "run %d: %d rows, %d requests, %d unmatched, %d wrong\n", i+1, m.Rows, m.Requests, m.Unmatched, m.Wrong)
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

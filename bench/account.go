package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/simulate"
)

// row is what is compared of a line of requests_ID.jsonl.
type row struct {
	ID         string  `json:"id"`
	Status     string  `json:"status"`
	Intended   int64   `json:"intended_unix_ns"`
	Sent       *int64  `json:"sent_unix_ns"`
	FirstToken *int64  `json:"first_token_unix_ns"`
	LastToken  *int64  `json:"last_token_unix_ns"`
	Tokens     *int    `json:"output_tokens"`
	Offsets    []int64 `json:"chunk_offsets_ns"`
	PerChunk   []int64 `json:"chunk_tokens"`
}

// compare adds what the simulators' accounts, files of a pattern, say together, and what the artefacts say of the same
// requests, if there are any.
func (f figures) compare(l *load, accounts, artefacts string) error {
	files, err := filepath.Glob(accounts)
	if err != nil {
		return err
	}
	var records []simulate.Record
	for _, file := range files {
		some, err := readLines[simulate.Record](file)
		if err != nil {
			return err
		}
		records = append(records, some...)
	}
	f.served(records)
	if artefacts == "" {
		f.onTime(records, l.Rate)
		return nil
	}
	path, err := artefact(artefacts, "requests_", ".jsonl")
	if err != nil {
		return err
	}
	rows, err := readLines[row](path)
	if err != nil {
		return err
	}
	f.match(rows, records)
	return f.report(artefacts)
}

// served adds what the simulator saw and wrote.
func (f figures) served(records []simulate.Record) {
	served, tokens := 0, 0
	var first, last, lastCame, firstWent int64
	var late, write []int64
	for i := range records {
		r := &records[i]
		if r.Status == simulate.StatusServed {
			served++
			tokens += r.OutputTokens
			last = max(last, r.End)
		}
		if first == 0 || r.Arrival < first {
			first = r.Arrival
		}
		if firstWent == 0 || r.End < firstWent {
			firstWent = r.End
		}
		lastCame = max(lastCame, r.Arrival)
		if r.FirstToken != 0 {
			late = append(late, r.FirstToken-r.FirstDue)
			write = append(write, r.FirstWriteNanos)
		}
	}
	f["requests"], f["served"], f["tokens"] = float64(len(records)), float64(served), float64(tokens)
	f.spread("simulator_lateness", late)
	f.spread("first_write", write)
	f["most_at_once"] = float64(mostAtOnce(records))
	f["all_at_once_s"] = float64(max(0, firstWent-lastCame)) / 1e9
	if served > 0 {
		seconds := float64(last-first) / 1e9
		f["requests_per_s"], f["tokens_per_s"] = float64(served)/seconds, float64(tokens)/seconds
		f["cpu_per_request_s"] = f["cpu_s"] / float64(served)
		f["simulator_cpu_per_request_s"] = f["simulator_cpu_s"] / float64(served)
		f["cpu_per_million_tokens_s"] = f["cpu_s"] / float64(tokens) * 1e6
	}
}

// mostAtOnce is how many requests were under way at the fullest instant.
func mostAtOnce(records []simulate.Record) (most int) {
	began, ended := make([]int64, len(records)), make([]int64, len(records))
	for i := range records {
		began[i], ended[i] = records[i].Arrival, records[i].End
	}
	slices.Sort(began)
	slices.Sort(ended)
	gone := 0
	for i, at := range began {
		for ended[gone] <= at && gone < i {
			gone++
		}
		most = max(most, i+1-gone)
	}
	return most
}

// onTime adds how late requests arrived that were meant to come at a constant
// rate: behind a schedule that begins when the earliest of them, by its place in
// it, came.
func (f figures) onTime(records []simulate.Record, rate int) {
	if rate == 0 || len(records) == 0 {
		return
	}
	at := make([]int64, 0, len(records))
	for i := range records {
		at = append(at, records[i].Arrival)
	}
	slices.Sort(at)
	for i := range at {
		at[i] -= int64(i) * 1e9 / int64(rate)
	}
	earliest := slices.Min(at)
	for i := range at {
		at[i] -= earliest
	}
	f.spread("schedule_error", at)
}

// match holds each row against the record with its id.
func (f figures) match(rows []row, records []simulate.Record) {
	byID := make(map[string][]*simulate.Record, len(records))
	for i := range records {
		byID[records[i].ID] = append(byID[records[i].ID], &records[i])
	}
	var schedule, lateness, ttft, net, itl, true_ []int64
	unmatched, wrong := 0, 0
	for i := range rows {
		row := &rows[i]
		found := byID[row.ID]
		delete(byID, row.ID)
		if len(found) != 1 || row.Sent == nil {
			unmatched++
			continue
		}
		r := found[0]
		schedule = append(schedule, abs(r.Arrival-row.Intended))
		lateness = append(lateness, *row.Sent-row.Intended)
		if row.FirstToken == nil || row.LastToken == nil || row.Tokens == nil ||
			*row.Tokens != r.OutputTokens || (row.Status == "succeeded") != (r.Status == simulate.StatusServed) {
			wrong++
			continue
		}
		got, truth := *row.FirstToken-*row.Sent, r.FirstToken-r.Arrival
		ttft = append(ttft, abs(got-truth))
		net = append(net, beyond(got, truth, truth+r.FirstWriteNanos))
		itl = row.gaps(itl)
		true_ = trueGaps(true_, r)
	}
	f["rows"], f["unmatched"], f["wrong"] = float64(len(rows)), float64(unmatched+len(byID)), float64(wrong)
	f.spread("schedule_error", schedule)
	f.spread("lateness", lateness)
	f.spread("ttft_error", ttft)
	f.spread("ttft_error_net", net)
	f.itl(itl, true_)
}

// itl adds how far the percentiles of the gaps between tokens are from the true
// ones.
func (f figures) itl(got, want []int64) {
	if len(got) == 0 || len(want) == 0 {
		return
	}
	slices.Sort(got)
	slices.Sort(want)
	off := func(q float64) float64 {
		d := rank(got, q) - rank(want, q)
		return max(d, -d)
	}
	f["itl_p1_error_s"], f["itl_p99_error_s"], f["itl_max_error_s"] = off(0.01), off(0.99), off(1)
}

// gaps appends the row's gaps between tokens: a chunk of m tokens that comes g
// after the one before gives m gaps of g/m.
func (r *row) gaps(to []int64) []int64 {
	for i := 1; i < len(r.Offsets); i++ {
		m := int64(1)
		if i < len(r.PerChunk) {
			m = max(1, r.PerChunk[i])
		}
		for range m {
			to = append(to, (r.Offsets[i]-r.Offsets[i-1])/m)
		}
	}
	return to
}

func trueGaps(to []int64, r *simulate.Record) []int64 {
	for i := 1; i < len(r.TokenOffsets); i++ {
		to = append(to, r.TokenOffsets[i]-r.TokenOffsets[i-1])
	}
	return to
}

// report adds what Stampede's report says of the generator.
func (f figures) report(dir string) error {
	path, err := artefact(dir, "report_", ".json")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var report struct {
		Verdict struct {
			State   string
			Reasons []struct{ Message string }
			Notices []string
		}
		Metrics map[string]struct {
			P99 *float64
			Max *float64
		}
		Generator struct {
			Cold    *float64 `json:"cold_connections"`
			GCPause *float64 `json:"gc_pause_max"`
			GCCount *float64 `json:"gc_count"`
			Memory  *float64 `json:"memory_max_bytes"`
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	add := func(name string, v *float64) {
		if v != nil {
			f[name] = *v
		}
	}
	add("read_delay_p99_s", report.Metrics["read_delay"].P99)
	add("stamp_uncertainty_p99_s", report.Metrics["stamp_uncertainty"].P99)
	add("cold", report.Generator.Cold)
	add("gc_pause_max_s", report.Generator.GCPause)
	add("gc_count", report.Generator.GCCount)
	add("memory_max_bytes", report.Generator.Memory)
	said := strings.Join(report.Verdict.Notices, "\n")
	for _, r := range report.Verdict.Reasons {
		said += "\n" + r.Message
	}
	f["said_starved"] = 0
	if strings.Contains(said, "starved") {
		f["said_starved"] = 1
	}
	f["valid"] = 0
	if report.Verdict.State == "valid" {
		f["valid"] = 1
	}
	return nil
}

// beyond is how far v lies outside of an interval. The simulator knows when it began
// to write a token and when the write returned; where it was kept from the processor
// in between, the truth is no closer.
func beyond(v, from, to int64) int64 { return max(from-v, v-to, 0) }

func abs(v int64) int64 { return max(v, -v) }

// readLines reads a JSONL file; members that T doesn't have are ignored.
func readLines[T any](path string) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, len(out)+1, err)
		}
		out = append(out, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}

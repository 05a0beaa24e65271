package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// measured is one run of one tool. Seconds; pointers are null where a tool has no
// such figure.
type measured struct {
	Tool         string  `json:"tool"`
	CPU          float64 `json:"cpu_s"`
	SimulatorCPU float64 `json:"simulator_cpu_s"`
	// Requests that the simulator saw, Served those that it served whole, and
	// Tokens that it wrote.
	Requests int   `json:"requests"`
	Served   int   `json:"served"`
	Tokens   int64 `json:"tokens"`
	// Rows that Stampede wrote, Unmatched those without exactly one record of the
	// simulator, or the other way round, Wrong those whose tokens or outcome differ.
	Rows      int `json:"rows"`
	Unmatched int `json:"unmatched"`
	Wrong     int `json:"wrong"`

	Schedule *spread `json:"schedule_error_s"` // arrival there - intended
	Lateness *spread `json:"lateness_s"`       // sent - intended
	// TTFT is |ttft of the row - (first token written - arrival)|, ITL the same of
	// (last token - first token) / (tokens - 1).
	TTFT *spread `json:"ttft_error_s"`
	ITL  *spread `json:"itl_error_s"`
	// Simulated is how late the simulator itself wrote first tokens.
	Simulated *spread `json:"simulator_lateness_s"`
}

// spread is a distribution in brief, in seconds.
type spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// spreadOf takes nanoseconds; nil when there are none.
func spreadOf(nanos []int64) *spread {
	if len(nanos) == 0 {
		return nil
	}
	slices.Sort(nanos)
	at := func(q float64) float64 {
		return float64(nanos[max(0, int(math.Ceil(q*float64(len(nanos))))-1)]) / 1e9
	}
	return &spread{at(.5), at(.99), at(1)}
}

// compare reads the account and, when there are any, the rows.
func (m *measured) compare(account, rows string) error {
	records, err := readLines[simulate.Record](account)
	if err != nil {
		return err
	}
	var late []int64
	for _, r := range records {
		m.Requests++
		m.Tokens += int64(r.OutputTokens)
		if r.Status == simulate.StatusServed {
			m.Served++
		}
		if r.FirstToken != 0 {
			late = append(late, r.FirstToken-r.FirstDue)
		}
	}
	m.Simulated = spreadOf(late)
	if rows == "" {
		return nil
	}
	seen, err := readLines[report.Row](rows)
	if err != nil {
		return err
	}
	m.match(seen, records)
	return nil
}

// match holds each row against the record with its id.
func (m *measured) match(rows []report.Row, records []simulate.Record) {
	byID := make(map[string][]*simulate.Record, len(records))
	for i := range records {
		byID[records[i].ID] = append(byID[records[i].ID], &records[i])
	}
	var schedule, lateness, ttft, itl []int64
	m.Rows = len(rows)
	for i := range rows {
		row := &rows[i]
		found := byID[row.ID]
		delete(byID, row.ID)
		if len(found) != 1 || row.IntendedUnixNS == nil || row.SentUnixNS == nil {
			m.Unmatched++
			continue
		}
		r := found[0]
		schedule = append(schedule, abs(r.Arrival-*row.IntendedUnixNS))
		lateness = append(lateness, *row.SentUnixNS-*row.IntendedUnixNS)
		if row.FirstTokenUnixNS == nil || row.LastTokenUnixNS == nil || row.OutputTokens == nil ||
			int(*row.OutputTokens) != r.OutputTokens || (row.Status == "succeeded") != (r.Status == simulate.StatusServed) {
			m.Wrong++
			continue
		}
		ttft = append(ttft, abs(*row.FirstTokenUnixNS-*row.SentUnixNS-(r.FirstToken-r.Arrival)))
		if n := int64(r.OutputTokens) - 1; n > 0 {
			itl = append(itl, abs((*row.LastTokenUnixNS-*row.FirstTokenUnixNS)/n-(r.LastToken-r.FirstToken)/n))
		}
	}
	m.Unmatched += len(byID)
	m.Schedule, m.Lateness, m.TTFT, m.ITL = spreadOf(schedule), spreadOf(lateness), spreadOf(ttft), spreadOf(itl)
}

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

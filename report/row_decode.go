package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxRowBytes bounds one line: an answer of a million tokens fits.
const maxRowBytes = 64 << 20

// ReadRows yields the rows of a requests_ID.jsonl. It stops at the first line
// that is not a row, with an error that names the line. Empty lines are skipped;
// keys that are not known are ignored. The caller closes r.
func ReadRows(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(make([]byte, 0, 64<<10), maxRowBytes)
		for n := 1; scanner.Scan(); n++ {
			line := bytes.TrimSpace(scanner.Bytes())
			if len(line) == 0 {
				continue
			}
			row, err := parseRow(line)
			if err != nil {
				yield(Row{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
			yield(Row{}, fmt.Errorf("a row is longer than %d bytes", maxRowBytes))
		} else if err != nil {
			yield(Row{}, fmt.Errorf("read rows: %w", err))
		}
	}
}

func parseRow(line []byte) (Row, error) {
	var row Row
	if err := json.Unmarshal(line, &row); err != nil {
		return Row{}, fmt.Errorf("not a row of requests_ID.jsonl: %w", err)
	}
	return row, row.check()
}

// check refuses rows that no run can have written.
func (r *Row) check() error {
	if r.ID == "" {
		return errors.New("not a row of requests_ID.jsonl: it has no id")
	}
	if _, known := statusOf(r.Status); !known {
		return fmt.Errorf("row %s: status: must be succeeded, failed, timed_out, cancelled or lost, got %q", r.ID, r.Status)
	}
	if (r.Phase == phaseWarmup) != (r.Stage == nil) || r.Phase != phaseWarmup && r.Phase != phaseMeasure {
		return fmt.Errorf("row %s: phase: must be %q without a stage or %q with one, got %q", r.ID, phaseWarmup, phaseMeasure, r.Phase)
	}
	if r.ChunkTokens != nil && len(r.ChunkTokens) != len(r.ChunkOffsetsNS) {
		return fmt.Errorf("row %s: chunk_tokens: must have as many members as chunk_offsets_ns (%d), got %d",
			r.ID, len(r.ChunkOffsetsNS), len(r.ChunkTokens))
	}
	return nil
}

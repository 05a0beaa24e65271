// Package parquet writes and reads requests_ID.parquet: the rows of
// requests_ID.jsonl with the same columns, in a form that data frames load at
// once. Writing takes bounded memory however many rows there are. It makes no
// rows (package report) and opens no files.
package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/report"
)

// A group of rows is written when it is about this large in memory, so that
// memory does not grow with the run.
const (
	groupBytes = 8 << 20
	rowBytes   = 400 // beside chunks
	chunkBytes = 12
	together   = 64 // rows handed over at once
)

var codec compress.Codec = &snappy.Codec{}

// Writer writes rows. One goroutine uses it; Close writes the file's end.
type Writer struct {
	w    *parquet.GenericWriter[report.Row]
	rows []report.Row
	size int
}

// NewWriter writes to w, which stays open.
func NewWriter(w io.Writer) *Writer {
	return &Writer{
		w: parquet.NewGenericWriter[report.Row](w, parquet.Compression(codec), parquet.CreatedBy("stampede", "", "")),
	}
}

// Sample writes the row of a sample; one of an entry that was never sent has
// none. The sample may be changed afterwards.
func (w *Writer) Sample(c *report.RowContext, s *measure.Sample) error {
	row, ok := c.Row(s)
	if !ok {
		return nil
	}
	row.ChunkOffsetsNS = append([]int64(nil), row.ChunkOffsetsNS...)
	row.ChunkTokens = append([]int32(nil), row.ChunkTokens...)
	w.rows = append(w.rows, row)
	w.size += rowBytes + chunkBytes*len(row.ChunkOffsetsNS)
	if len(w.rows) < together && w.size < groupBytes {
		return nil
	}
	return w.hand()
}

// hand gives the rows to the library and ends the group when it is full.
func (w *Writer) hand() error {
	_, err := w.w.Write(w.rows)
	clear(w.rows)
	w.rows = w.rows[:0]
	if err == nil && w.size >= groupBytes {
		w.size = 0
		err = w.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("write rows as parquet: %w", err)
	}
	return nil
}

// Close writes what is left and the file's end.
func (w *Writer) Close() error {
	if err := w.hand(); err != nil {
		return err
	}
	if err := w.w.Close(); err != nil {
		return fmt.Errorf("write rows as parquet: %w", err)
	}
	return nil
}

// ReadRows yields the rows of a file of so many bytes, in order, and stops at the
// first that can't be read.
func ReadRows(r io.ReaderAt, size int64) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		file, err := parquet.OpenFile(r, size)
		if err != nil {
			yield(report.Row{}, fmt.Errorf("read rows from parquet: %w", err))
			return
		}
		in := parquet.NewGenericReader[report.Row](file)
		defer in.Close()
		rows := make([]report.Row, together)
		for {
			clear(rows)
			n, err := in.Read(rows)
			for _, row := range rows[:n] {
				if !yield(row, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(report.Row{}, fmt.Errorf("read rows from parquet: %w", err))
				return
			}
		}
	}
}

package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// batchRows is how many rows of a table file are read together.
const batchRows = 64

// parquetRows reads a Parquet file.
func parquetRows(in Input) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		n := int64(0)
		if err := guarded(func() error { return readParquet(in, &n, yield) }); err != nil {
			yield(nil, fmt.Errorf("%s: row %d: %w", in.Name, n+1, err))
		}
	}
}

// guarded turns a panic into an error: the libraries that read table files panic
// on some that are damaged.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return f()
}

func readParquet(in Input, n *int64, yield func(*row, error) bool) error {
	file, err := parquet.OpenFile(in.Data, in.Size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return badData{fmt.Errorf("the file is damaged, or not whole: %w", err)}
	}
	r := parquet.NewGenericReader[map[string]any](file, file.Schema())
	defer r.Close()
	units := timeUnits(file.Schema())
	for {
		batch := make([]map[string]any, batchRows)
		for i := range batch {
			batch[i] = map[string]any{}
		}
		read, err := r.Read(batch)
		for _, values := range batch[:read] {
			one, bad := objectRow(in.Name, *n+1, values, units)
			if bad != nil {
				return bad
			}
			if !yield(one, nil) {
				return nil
			}
			*n++
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case read == 0:
			return io.ErrNoProgress
		}
	}
}

// timeUnits are the columns that hold moments, as whole numbers, and how many
// make a second.
func timeUnits(s *parquet.Schema) map[string]float64 {
	units := map[string]float64{}
	for _, f := range s.Fields() {
		if !f.Leaf() || f.Type().LogicalType() == nil {
			continue
		}
		if stamp, ok := f.Type().LogicalType().Value.(*format.TimestampType); ok && stamp.Unit.Value != nil {
			units[f.Name()] = float64(time.Second / stamp.Unit.Value.Duration())
		}
	}
	return units
}

// objectRow makes a row of values by name; absent ones are left out.
func objectRow(file string, number int64, values map[string]any, units map[string]float64) (*row, error) {
	for name, v := range values {
		if v == nil {
			delete(values, name)
		} else if n, whole := v.(int64); whole && units[name] > 0 {
			values[name] = float64(n) / units[name]
		}
	}
	data, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	return &row{data: data, file: file, number: number}, nil
}

package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/stampede-bench/stampede/workload"
)

// badData is what is wrong with data itself, other than what went wrong while it
// was read.
type badData struct{ error }

func (b badData) Unwrap() error { return b.error }

// bad says that an error is the data's fault, unless it is that of the host or of
// who stopped it.
func bad(err error) error {
	var host *fs.PathError
	if err == nil || !IsBad(err) && errors.As(err, &host) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return badData{err}
}

// IsBad reports whether an error of reading data says that the data is wrong, so
// that reading it again would fail the same way.
func IsBad(err error) bool {
	var b badData
	return errors.As(err, &b)
}

// OfSpec is an error of reading a spec's data. When the data is wrong it is of type
// workload.Errors and names the key that the data came by.
func OfSpec(d workload.Dataset, err error) error {
	var wrong badData
	var known workload.Errors
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.As(err, &wrong):
		return workload.Errors{{Path: d.Key(), Message: wrong.Error(), Hint: hintOf(d, err), Type: "value_error"}}
	}
	return fmt.Errorf("dataset: %w", err)
}

func hintOf(d workload.Dataset, err error) string {
	if d.Columns == nil && errors.Is(err, errNoText) {
		return "say which column holds what, such as --columns prompt=question, or dataset.columns in a file"
	}
	return ""
}

package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stampede-bench/stampede/workload"
)

// placeOf is where an open file lies, which must be a plain one or a pipe; path
// stays as it is for what is no file of this host.
func placeOf(file io.Reader, path string) (string, error) {
	f, ok := file.(*os.File)
	if !ok {
		return path, nil
	}
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("must be a file, %s is a folder", f.Name())
	}
	return filepath.Abs(f.Name())
}

// faulty is what is wrong with a key of the spec.
func faulty(key string, err error) error {
	return wrongSpec(workload.Errors{{Path: key, Message: err.Error()}})
}

// wrongSpec makes the faults of a spec that were found here the error that the
// controller's answer would be.
func wrongSpec(err error) error {
	var faults workload.Errors
	if !errors.As(err, &faults) {
		return err
	}
	return &Error{Op: opRegister, Message: faults.Error(), kinds: []error{ErrInvalid, ErrInvalidSpec, faults}}
}

// opRegister is what Register's errors call it.
const opRegister = "register test"

// lookedFor adds to what a controller says of a file of d that it does not have,
// that it is not here either.
func lookedFor(err error, d *workload.Dataset) error {
	var e *Error
	var faults workload.Errors
	if !errors.As(err, &e) || !errors.As(err, &faults) {
		return err
	}
	for i, f := range faults {
		if f.Path == "dataset.path" && d.CorpusHash == "" || f.Path == "dataset.tokenizer" && d.TokenizerHash == "" {
			faults[i].Message = "there is no such file here, and " + f.Message
			faults[i].Hint = "a path is looked for where it was written, from " + workingFolder() + ", and then in the controller's dataset folder"
		}
	}
	e.Message = faults.Error()
	return err
}

func workingFolder() string {
	if dir, err := os.Getwd(); err == nil {
		return dir
	}
	return "the folder that the process runs in"
}

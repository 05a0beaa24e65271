package schedule

import (
	"errors"
	"strconv"

	"github.com/stampede-bench/stampede/workload"
)

// Check finds what Compile would refuse in the load functions of a spec without
// evaluating them beyond their first second, so that it is fast whatever they
// say. The error is of type workload.Errors and names the keys.
func Check(spec *workload.Spec) error {
	var errs workload.Errors
	for i := range spec.Load.Stages {
		source := spec.Load.Stages[i].Func
		if source == nil || *source == "" {
			continue // Validate says that
		}
		if err := checkFunction(*source); err != nil {
			errs = append(errs, workload.FieldError{Path: "load.stages[" + strconv.Itoa(i) + "].func", Message: err.Error(), Type: "value_error"})
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errs
}

func checkFunction(source string) error {
	f, err := compileFunction(source)
	if err != nil {
		return err
	}
	_, ok, err := f.at(0)
	if err == nil && !ok {
		return errors.New("asks for no request at all (it ends at t=0)")
	}
	return err
}

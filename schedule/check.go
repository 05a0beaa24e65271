package schedule

import (
	"context"
	"errors"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// What Check takes at most for all stages together, so that it is quick whatever a
// spec says.
const (
	quickSteps = 4_000_000 // of the interpreter, in load functions
	quickDraws = 1_000_000 // of random arrivals
)

// budget is what is left of that.
type budget struct {
	steps uint64
	draws float64
}

// Check finds what Compile would refuse in an effective spec, as far as that can be
// told within a second or so: a load function that takes long is evaluated in part, and
// arrivals are not drawn to the last. It also refuses a schedule without a single
// request. c is as for Compile; where it is nil, a replay is left to Compile. The
// error is of type workload.Errors and names the keys.
func Check(spec *workload.Spec, c dataset.Corpus) error {
	b := builder{seed: spec.Seed, plan: &Plan{}, corpus: c, countable: true, quick: &budget{quickSteps, quickDraws}}
	_, err := b.compile(context.Background(), spec)
	if err == nil && !b.open && b.sends == 0 {
		b.fail("load.stages", "plan no request at all: the first would come after the end; give them a higher rate, or more time")
		return b.errs
	}
	return err
}

// undecided is the answer of Check on a stage that would take too long.
var undecided = &workload.FieldError{Message: "takes long to tell"}

// errLong says that a load function has used up its steps.
var errLong = errors.New(undecided.Message)

package gateway

import (
	"io"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/workload"
)

// NewTest is a test to register.
type NewTest struct {
	ID   string // chosen by the caller, or empty
	Spec *workload.Spec
	// Body is the JSON it was registered with, secrets masked.
	Body []byte
	// Notices are what reading the body had to say.
	Notices []string
}

// Artefact is a file of a run.
type Artefact struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// Figures are what /metrics shows beside what the store knows.
type Figures struct {
	SamplesFolded int64
	BatchesFolded int64
}

// Control is what the routes of the original need of the controller beside the
// store. Its methods are safe for concurrent use. Errors are workload.Errors with
// the spec's paths, or carry a gRPC status.
type Control interface {
	// Register keeps a test.
	Register(NewTest) (*store.Test, error)
	// Faults is what is wrong with what could be read of a spec, beyond what reading
	// it says.
	Faults(partial *workload.Spec) workload.Errors
	// Start begins a run of a test.
	Start(testID string) error
	// Delete removes a test with its files, whose names it returns.
	Delete(testID string) ([]string, error)
	// Report returns the report of an ended run as it stands in report_ID.json.
	Report(id string) ([]byte, error)
	// OutputTokens returns how many output tokens per second the requests brought
	// that ended in the last so many seconds of a run; 0 when it is not under way.
	OutputTokens(runID string, seconds int) float64
	// Artefacts lists the files under an id, which is the test's or a run's.
	Artefacts(testID, id string) ([]Artefact, error)
	// Figures returns counters since the controller began.
	Figures() Figures
}

package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

// RunResult is what became of a run, or of all trials of a test that has several.
type RunResult struct {
	Test Test // as it was at the end
	// Report is nil when the run ended without one; Test.Reason says why.
	Report *report.Report
	JSON   []byte // the report as it stands in report_ID.json
	// Notices are those of Register.
	Notices []string
}

// Run registers a spec, starts it, watches it to its end and fetches the report; of
// a test with trials, the last one's end and the report of all. onProgress, which
// may be nil, is called with every state on the calling goroutine.
//
// A run that FAILED is no error; what the controller refused is. When ctx ends, Run
// returns at once with what it has and the run goes on; [Client.Cancel] stops it,
// by the id that onProgress was given.
func (c *Client) Run(ctx context.Context, spec *workload.Spec, onProgress func(Test)) (*RunResult, error) {
	id, notices, err := c.Register(ctx, spec, RegisterOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := c.Start(ctx, id); err != nil {
		return nil, err
	}
	result := &RunResult{Notices: notices}
	for t, err := range c.watch(ctx, id, true) {
		if err != nil {
			return result, err
		}
		result.Test = t
		if onProgress != nil {
			onProgress(t)
		}
	}
	result.Report, result.JSON, err = c.Report(ctx, id)
	if result.Test.State != Succeeded && (errors.Is(err, ErrNotFound) || errors.Is(err, ErrState)) {
		return result, nil // it ended before there was anything to report
	}
	if err != nil {
		return result, fmt.Errorf("run %s ended: %w", result.Test.RunID, err)
	}
	return result, nil
}

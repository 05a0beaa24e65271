package controller

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// WatchTest implements the rpc. A watcher that reads slowly gets fewer revisions,
// never an older one after a newer: each answer is what the store holds when the
// one before has left.
func (t testService) WatchTest(req *stampedev1.WatchTestRequest, stream grpc.ServerStreamingServer[stampedev1.WatchTestResponse]) error {
	seen := req.GetAfterRevision()
	for {
		ws := store.NewWatchSet()
		test, run, err := t.c.lookup(ws, req.GetTestId())
		if err != nil {
			return rpcError(err)
		}
		if m := testProto(test, run); m.Revision > seen {
			if err := stream.Send(&stampedev1.WatchTestResponse{Test: m}); err != nil {
				return err
			}
			seen = m.Revision
		}
		if run != nil && run.Ended() {
			return nil
		}
		if err := t.c.await(stream.Context(), ws); err != nil {
			return rpcError(err)
		}
	}
}

// await waits until something watched changes.
func (c *Controller) await(ctx context.Context, ws store.WatchSet) error {
	ws.Add(c.ended)
	if err := ws.WatchCtx(ctx); err != nil {
		return err
	}
	if isOver(c.ended) {
		return errClosed
	}
	return nil
}

// GetReport implements the rpc.
func (t testService) GetReport(_ context.Context, req *stampedev1.GetReportRequest) (*stampedev1.GetReportResponse, error) {
	run, err := t.c.endedRun(req.GetTestId())
	if err != nil {
		return nil, rpcError(err)
	}
	if req.GetTestId() == run.TestID && len(run.Combined) > 0 {
		return &stampedev1.GetReportResponse{RunId: run.ID, ReportJson: run.Combined}, nil
	}
	if len(run.Report) == 0 {
		err := fmt.Errorf("run %s has no report: %s: %w", run.ID, orText(run.Reason, "it did not send load"), errState)
		return nil, rpcError(withHint(err, run.Hint))
	}
	return &stampedev1.GetReportResponse{RunId: run.ID, ReportJson: run.Report}, nil
}

// endedRun returns the run that an id names, once it has ended.
func (c *Controller) endedRun(id string) (*store.Run, error) {
	_, run, err := c.lookup(nil, id)
	switch {
	case err != nil:
		return nil, err
	case run == nil:
		return nil, withHint(fmt.Errorf("test %s was not started: %w", id, errState), "start it first")
	case !run.Ended():
		return nil, withHint(fmt.Errorf("run %s has not ended: it is %s: %w", run.ID, stateWord(run.State), errRunning), "watch it to its end")
	}
	return run, nil
}

package controller

import (
	"context"
	"testing"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func TestWatchNeverGoesBackAndMaySkip(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		id := r.run(openSpec)
		stream, err := r.tests.WatchTest(r.ctx, &stampedev1.WatchTestRequest{TestId: id})
		if err != nil {
			t.Fatal(err)
		}
		messages, revision := 0, int64(0)
		var last *stampedev1.Test
		for {
			resp, err := stream.Recv()
			if err != nil {
				break
			}
			messages++
			last = resp.GetTest()
			if last.GetRevision() <= revision {
				t.Errorf("revision %d came after %d", last.GetRevision(), revision)
			}
			revision = last.GetRevision()
		}
		if last.GetState() != stampedev1.State_STATE_SUCCEEDED {
			t.Errorf("last state %v", last.GetState())
		}
		// Six seconds at four a second, and some transitions.
		if messages < 15 || messages > 45 {
			t.Errorf("%d messages", messages)
		}
		resumed, err := r.tests.WatchTest(r.ctx, &stampedev1.WatchTestRequest{TestId: id, AfterRevision: revision})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := resumed.Recv(); err == nil {
			t.Errorf("a watch after the last revision sent %v", m)
		}
		_, err = mustRecv(r.tests.WatchTest(r.ctx, &stampedev1.WatchTestRequest{TestId: "none"}))
		wantCode(t, err, "NotFound", "none")
	})
}

func mustRecv[T any](stream interface{ Recv() (*T, error) }, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return stream.Recv()
}

func TestASlowWatcherHoldsNobodyUp(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		id := r.register(openSpec)
		ctx, cancel := context.WithCancel(r.ctx)
		stream, err := r.tests.WatchTest(ctx, &stampedev1.WatchTestRequest{TestId: id})
		if err != nil {
			t.Fatal(err)
		}
		first, err := stream.Recv()
		if err != nil || first.GetTest().GetState() != stampedev1.State_STATE_REGISTERED {
			t.Fatalf("%v, %v", first, err)
		}
		// It reads no more; everything else goes on.
		wantState(t, r.finished(r.start(id)), stampedev1.State_STATE_SUCCEEDED)
		cancel()
	})
}

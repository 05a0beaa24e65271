package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Pauses between attempts to reach a controller that has gone away.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// Watch yields a test as it is now and then each newer revision, until its run
// has ended. It may skip revisions and never goes back. A broken connection is
// built anew and the watch goes on after the last revision seen; when the
// controller stays away for longer than WithPatience allows, the last thing
// yielded is an error that is ErrUnavailable. A controller that can't be reached
// in the first place is an error at once.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[Test, error] {
	return c.watch(ctx, id, false)
}

// watch is Watch; with reached, the controller is known to have been there.
func (c *Client) watch(ctx context.Context, id string, reached bool) iter.Seq2[Test, error] {
	return func(yield func(Test, error) bool) {
		w := watch{client: c, id: id, pause: firstPause, reached: reached}
		for {
			err := w.follow(ctx, yield)
			if w.done {
				return
			}
			if err = w.wait(ctx, err); err != nil {
				yield(Test{}, err)
				return
			}
		}
	}
}

// watch is the state of one Watch over its connections.
type watch struct {
	client   *Client
	id       string
	revision int64
	pause    time.Duration
	since    time.Time // when the controller was first found gone; zero: it is there
	reached  bool
	done     bool
}

// follow yields what one stream brings. It returns why the stream ended, or sets
// done when there is nothing more to watch.
func (w *watch) follow(ctx context.Context, yield func(Test, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := w.client.rpc.WatchTest(ctx, &stampedev1.WatchTestRequest{TestId: w.id, AfterRevision: w.revision})
	if err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		w.since, w.pause, w.reached = time.Time{}, firstPause, true
		t, err := testOf(answer.GetTest())
		if err == nil && t.Revision <= w.revision {
			continue
		}
		w.revision = t.Revision
		if w.done = !yield(t, err) || err != nil || t.State.Terminal(); w.done {
			return nil
		}
	}
}

// wait pauses before the next attempt, or returns why there will be none.
func (w *watch) wait(ctx context.Context, cause error) error {
	err := fail(cause, "watch %s", w.id)
	if errors.Is(cause, io.EOF) {
		err = &Error{
			Op: "watch " + w.id, Message: "the controller ended the watch before the run ended",
			kinds: []error{ErrUnavailable},
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("watch %s: %w", w.id, context.Cause(ctx))
	}
	if !errors.Is(err, ErrUnavailable) || !w.reached {
		return err
	}
	if w.since.IsZero() {
		w.since = time.Now()
	}
	if time.Since(w.since) >= w.client.patience {
		return err
	}
	timer := time.NewTimer(w.pause/2 + rand.N(w.pause/2))
	defer timer.Stop()
	w.pause = min(2*w.pause, longestPause)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("watch %s: %w", w.id, context.Cause(ctx))
	}
}

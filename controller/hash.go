package controller

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stampede-bench/stampede/schedule"
)

// hashPatience bounds how long the workload hash may take. After hashTrial it is
// known well enough whether that is worth waiting for.
const (
	hashPatience = time.Minute
	hashTrial    = 2 * time.Second
	hashHurry    = 2 * time.Second // how long it may take once the run was asked to end
)

// workloadHash computes the hash in hex, or nothing when that takes too long. The
// run's load has ended, so it disturbs nothing of it.
func (r *run) workloadHash() string {
	drawn := make([]int64, len(r.phases))
	for i, p := range r.phases {
		drawn[i] = r.begunIn(p)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), hashPatience, fmt.Errorf("it took more than %v", hashPatience))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-r.hurried:
			time.AfterFunc(r.c.cfg.hashHurry, func() { end(fmt.Errorf("the run was asked to end, and it took %v more", r.c.cfg.hashHurry)) })
		case <-ctx.Done():
		}
	}()
	work := hashing{began: time.Now(), trial: r.c.cfg.hashTrial, sessions: r.plan.HashedSessions(drawn)}
	sum, err := work.sum(ctx, schedule.HashBatches(r.plan, r.corpus, r.eff, drawn, schedule.Whole))
	if err != nil {
		r.note("workload_hash was not computed: %v", err)
		return ""
	}
	return sum.String()
}

// hashing is how far the computing of a hash has come.
type hashing struct {
	began          time.Time
	trial          time.Duration
	sessions, done int64
}

// sum adds up batches on all cores. Neighbours are hashed at the same time, so
// each part of a corpus file is read once.
func (h *hashing) sum(ctx context.Context, batches iter.Seq[schedule.HashBatch]) (sum schedule.Hash, err error) {
	work, ctx := errgroup.WithContext(ctx)
	queue := make(chan schedule.HashBatch)
	work.Go(func() error {
		defer close(queue)
		for b := range batches {
			select {
			case queue <- b:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			h.done += b.Sessions()
			if err := h.hopeless(time.Since(h.began)); err != nil {
				return err
			}
		}
		return nil
	})
	var mu sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() error {
			for b := range queue {
				h, err := b.Sum()
				if err != nil {
					return err
				}
				mu.Lock()
				sum = sum.Add(h)
				mu.Unlock()
			}
			return nil
		})
	}
	err = work.Wait()
	return sum, err
}

// hopeless is an error when the rest would by far take too long, as fast as it
// went so far.
func (h *hashing) hopeless(took time.Duration) error {
	if took < h.trial {
		return nil
	}
	whole := time.Duration(float64(took) / float64(h.done) * float64(h.sessions))
	if whole < 2*hashPatience {
		return nil
	}
	return fmt.Errorf("its %d sessions would take about %v, and it may take %v", h.sessions, whole.Round(time.Minute), hashPatience)
}

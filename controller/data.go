package controller

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/stampede-bench/stampede/internal/gather"
	"github.com/stampede-bench/stampede/internal/hub"
	"github.com/stampede-bench/stampede/internal/secret"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/source"
)

// gather brings the data that this process has to find into the form of a corpus:
// a file of its dataset folder, or a dataset of the hub for a caller that could not
// fetch it by itself.
func (r *run) gather() error {
	d := &r.eff.Dataset
	var find func(ctx context.Context) (*gather.Data, error)
	switch {
	case d.OnHub():
		find = r.named
	case d.Path != "" && d.CorpusHash == "":
		find = r.local
	default:
		return nil
	}
	r.setState(stampedev1.State_STATE_PENDING, "reading the dataset "+cmp.Or(d.Name, filepath.Base(d.Path)))
	var k stored
	err := r.aside(func(ctx context.Context) error {
		data, err := find(ctx)
		if err != nil {
			return err
		}
		defer data.Close()
		k, err = r.c.files.keepCorpus(ctx, data.Name, data.Inputs, source.OptionsOf(*d))
		return err
	})
	if err != nil {
		return hubAdvice(source.OfSpec(*d, err))
	}
	d.CorpusHash = k.hash
	return nil
}

// hubAdvice adds what the hub's client advises.
func hubAdvice(err error) error {
	if hint := hub.Hint(err); hint != "" {
		return withHint(err, hint)
	}
	return err
}

// local finds a file under the dataset folder.
func (r *run) local(context.Context) (*gather.Data, error) {
	path := r.eff.Dataset.Path
	file, err := r.c.files.dataset(path)
	if err != nil {
		return nil, workload.Errors{{Path: "dataset.path", Message: fmt.Sprintf("the controller can't take %.200q: %v", path, err)}}
	}
	return gather.Opened(filepath.Base(path), file)
}

// named fetches a dataset of the hub. The token is the spec's; the environment's
// is taken only where HF_TOKEN is allowed.
func (r *run) named(ctx context.Context) (*gather.Data, error) {
	cfg := hub.FromEnv(r.c.cfg.LookupEnv)
	if !slices.Contains(r.c.cfg.AllowEnv, "HF_TOKEN") {
		cfg.Token = secret.String{}
	}
	if token := r.eff.Dataset.HubToken; !token.Empty() {
		cfg.Token = token
	}
	cfg.CacheDir = cmp.Or(cfg.CacheDir, filepath.Join(r.c.cfg.DataDir, "hub"))
	cfg.Notice = func(text string) {
		r.post(func() { r.facts.notices = append(r.facts.notices, text) })
	}
	cfg.Progress = r.hubProgress()
	h, err := hub.New(cfg)
	if err != nil {
		return nil, err
	}
	return gather.Hub(ctx, h, r.eff.Dataset)
}

// hubProgress shows how far a download is, about once a second.
func (r *run) hubProgress() func(file string, done, total int64) {
	var last time.Time
	return func(file string, done, total int64) {
		if time.Since(last) < time.Second || total == 0 {
			return
		}
		last = time.Now()
		text := fmt.Sprintf("fetching %s: %d of %d MB", file, done/1e6, total/1e6)
		r.post(func() { r.setState(stampedev1.State_STATE_PENDING, text) })
	}
}

// aside does what may take long on a goroutine of its own, while the run goes on
// handling events. It returns when that has ended, early with the run.
func (r *run) aside(work func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	var err error
	ended := false
	go func() {
		defer close(done)
		err = work(ctx)
		r.post(func() { ended = true })
	}()
	early := r.pump(time.Time{}, func() bool { return ended })
	cancel()
	<-done
	if early != nil {
		return early
	}
	return err
}

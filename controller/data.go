package controller

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload/source"
)

// gather brings the data that this process has to find into the form of a corpus.
func (r *run) gather() error {
	d := &r.eff.Dataset
	if d.Path == "" || d.CorpusHash != "" {
		return nil
	}
	file, err := r.c.files.dataset(d.Path)
	if err != nil {
		return fmt.Errorf("dataset.path %q: %w", d.Path, err)
	}
	defer file.Close()
	r.setState(stampedev1.State_STATE_PENDING, "reading "+filepath.Base(d.Path))
	var k stored
	err = r.aside(func(ctx context.Context) (err error) {
		k, err = r.c.files.keepLocal(ctx, file, d.Path, d.Schema())
		return err
	})
	d.CorpusHash = k.hash
	return err
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

// keepLocal keeps a file of this host.
func (f files) keepLocal(ctx context.Context, file *os.File, path, schema string) (stored, error) {
	info, err := file.Stat()
	if err != nil {
		return stored{}, fmt.Errorf("dataset.path: %w", err)
	}
	name := filepath.Base(path)
	return f.keepCorpus(ctx, name, []source.Input{{Name: name, Data: file, Size: info.Size()}}, source.Options{Schema: schema})
}

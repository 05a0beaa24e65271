package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// corpora fetches corpora by hash and keeps them as files, which the runs to
// come and other agents of this host find there. Runs that want the same one at
// the same time share one fetch.
type corpora struct {
	client stampedev1.AgentServiceClient
	dir    string
	keep   int64 // bytes; negative: nothing is removed

	mu       sync.Mutex
	fetching map[string]*fetch
}

// fetch is a corpus on its way.
type fetch struct {
	done chan struct{}
	err  error
}

// corpusFile is a corpus file that is open.
type corpusFile struct {
	*dataset.File
	file *os.File
}

func (f *corpusFile) close() { _ = f.file.Close() } // it was only read

var corpusName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// open opens a corpus, which it fetches when it is not there.
func (c *corpora) open(ctx context.Context, hash string) (f *corpusFile, err error) {
	err = c.obtain(ctx, hash, func(path string) (err error) {
		f, err = openCorpusFile(path)
		return err
	})
	return f, err
}

// bytes reads what is kept as it came, such as a tokenizer.
func (c *corpora) bytes(ctx context.Context, hash string) (data []byte, err error) {
	err = c.obtain(ctx, hash, func(path string) (err error) {
		if data, err = os.ReadFile(path); err != nil {
			return err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
			return fmt.Errorf("%w: it has another hash", dataset.ErrFile)
		}
		return nil
	})
	return data, err
}

// obtain calls use with the path of what has a hash, which is fetched when it is
// not there. A fetch that failed for another run, which may have been cancelled,
// is tried again for this one.
func (c *corpora) obtain(ctx context.Context, hash string, use func(path string) error) error {
	if !corpusName.MatchString(hash) {
		return fmt.Errorf("corpus %.80q: is named by 64 hexadecimal digits", hash)
	}
	path := filepath.Join(c.dir, hash)
	for again := false; ; again = true {
		err := use(path)
		if err == nil {
			now := time.Now()
			_ = os.Chtimes(path, now, now) // only tells how long it has not been used
			return nil
		}
		if errors.Is(err, dataset.ErrFile) && !again && c.keep >= 0 {
			err = os.Remove(path) // damaged here: what comes is checked
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("corpus %s: %w", hash, err)
		}
		one, mine := c.claim(hash)
		if mine {
			c.settle(hash, one, c.fetch(ctx, hash, path))
		}
		select {
		case <-one.done:
		case <-ctx.Done():
			return fmt.Errorf("corpus %s: %w", hash, ctx.Err())
		}
		if one.err != nil && mine {
			return one.err
		}
	}
}

func openCorpusFile(path string) (*corpusFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	opened, err := dataset.OpenFile(file, info.Size())
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &corpusFile{File: opened, file: file}, nil
}

// claim finds a fetch under way, or makes it the caller's business.
func (c *corpora) claim(hash string) (one *fetch, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one, there := c.fetching[hash]; there {
		return one, false
	}
	if c.fetching == nil {
		c.fetching = map[string]*fetch{}
	}
	one = &fetch{done: make(chan struct{})}
	c.fetching[hash] = one
	return one, true
}

func (c *corpora) settle(hash string, one *fetch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.fetching, hash)
	one.err = err
	close(one.done)
}

// fetch reads a corpus from the controller into a file and checks that it is the
// right one before it takes its name.
func (c *corpora) fetch(ctx context.Context, hash, path string) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("corpus %s: %w", hash, err)
	}
	tmp, err := os.CreateTemp(c.dir, ".fetch-*")
	if err != nil {
		return fmt.Errorf("corpus %s: %w", hash, err)
	}
	defer os.Remove(tmp.Name())
	got, err := c.receive(ctx, hash, tmp)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("corpus %s: fetch: %w", hash, err)
	}
	if got != hash {
		return fmt.Errorf("corpus %s: the data that came has the hash %s", hash, got)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("corpus %s: %w", hash, err)
	}
	c.makeRoom(path)
	return nil
}

func (c *corpora) receive(ctx context.Context, hash string, into *os.File) (got string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.client.FetchCorpus(ctx, &stampedev1.FetchCorpusRequest{CorpusHash: hash})
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(sum.Sum(nil)), into.Sync()
		}
		if err != nil {
			return "", err
		}
		sum.Write(piece.GetData())
		if _, err := into.Write(piece.GetData()); err != nil {
			return "", err
		}
	}
}

// makeRoom removes the corpora that were longest unused while all together take
// more than is kept, but not the newest. One that is open stays readable.
func (c *corpora) makeRoom(newest string) {
	entries, err := os.ReadDir(c.dir)
	if c.keep < 0 || err != nil {
		return
	}
	var there []fs.FileInfo
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !corpusName.MatchString(e.Name()) || !info.Mode().IsRegular() {
			continue
		}
		total += info.Size()
		if e.Name() != filepath.Base(newest) {
			there = append(there, info)
		}
	}
	slices.SortFunc(there, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, info := range there {
		if total <= c.keep {
			return
		}
		if os.Remove(filepath.Join(c.dir, info.Name())) == nil {
			total -= info.Size()
		}
	}
}

// defaultCorpusDir is where corpora are kept when nothing is said.
func defaultCorpusDir() string {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	return filepath.Join(base, "stampede", "corpora")
}

package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// store is a repository's part of the cache:
//
//	datasets--owner--name/refs/main            the commit that a revision means
//	datasets--owner--name/blobs/ETAG           a file's bytes
//	datasets--owner--name/snapshots/COMMIT/…   links to them, by path
//	.locks/datasets--owner--name/ETAG.lock     held while a blob is written
type store struct {
	dir  string
	kind Kind
	repo string
}

func (s store) name() string {
	return string(s.kind) + "s--" + strings.ReplaceAll(s.repo, "/", "--")
}

func (s store) root() string { return filepath.Join(s.dir, s.name()) }

func (s store) blob(etag string) string { return filepath.Join(s.root(), "blobs", etag) }

func (s store) ref(rev string) string {
	return filepath.Join(s.root(), "refs", filepath.FromSlash(rev))
}

func (s store) snapshot(commit, path string) string {
	return filepath.Join(s.root(), "snapshots", commit, filepath.FromSlash(path))
}

var (
	commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)
	etagForm   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)
)

// commit is what a revision meant when the hub was last asked.
func (s store) commit(rev string) (string, bool) {
	if commitForm.MatchString(rev) {
		return rev, true
	}
	data, err := os.ReadFile(s.ref(rev))
	commit := strings.TrimSpace(string(data))
	return commit, err == nil && etagForm.MatchString(commit)
}

// find returns a file of the cache.
func (s store) find(rev, path string) (string, bool) {
	commit, known := s.commit(rev)
	if !known {
		return "", false
	}
	name := s.snapshot(commit, path)
	info, err := os.Stat(name) // through the link
	return name, err == nil && info.Mode().IsRegular()
}

// remember notes what a revision means now.
func (s store) remember(rev, commit string) error {
	if commitForm.MatchString(rev) {
		return nil
	}
	name := s.ref(rev)
	if old, err := os.ReadFile(name); err == nil && strings.TrimSpace(string(old)) == commit {
		return nil
	}
	return replaceFile(name, func(f *os.File) error {
		_, err := f.WriteString(commit)
		return err
	})
}

// replaceFile writes a file whole.
func replaceFile(name string, write func(*os.File) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := errors.Join(write(tmp), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// link gives a blob its name in a snapshot: a relative link, or a copy where the
// file system has none.
func (s store) link(etag, commit, path string) (string, error) {
	name := s.snapshot(commit, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	to, err := filepath.Rel(filepath.Dir(name), s.blob(etag))
	if err != nil {
		return "", err
	}
	if old, err := os.Readlink(name); err == nil && old == to {
		return name, nil
	}
	tmp := fmt.Sprintf("%s.%d.link", name, os.Getpid())
	_ = os.Remove(tmp)
	if err := os.Symlink(to, tmp); err == nil {
		defer os.Remove(tmp)
		return name, os.Rename(tmp, name)
	}
	return name, replaceFile(name, func(f *os.File) error {
		in, err := os.Open(s.blob(etag))
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(f, in)
		return err
	})
}

// lock keeps other processes from writing the same blob, by the locks that the
// hub's own libraries use, too.
func (s store) lock(ctx context.Context, etag string) (unlock func(), err error) {
	name := filepath.Join(s.dir, ".locks", s.name(), etag+".lock")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	l := flock.New(name)
	if _, err := l.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("wait for another download of it: %w", err)
	}
	return func() { _ = l.Unlock() }, nil
}

// tokenFile reads the token that the hub's login left.
func tokenFile(path, home string) string {
	if path == "" {
		if home == "" {
			return ""
		}
		path = filepath.Join(home, "token")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// file is one file that is asked for.
type file struct {
	c     *Client
	store store
	rev   string
	path  string
}

// meta is what the hub says of a file without sending it.
type meta struct {
	commit string
	etag   string // of the content, without quotes
	size   int64  // -1: not said
}

var repoForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$`)

// check keeps what is asked for from leaving the repository's folder.
func (f *file) check() error {
	if err := checkRepository(f.store.repo, f.rev); err != nil {
		return err
	}
	if !cleanPath(f.path) {
		return fmt.Errorf("hub: %.200q is no path of a file in a repository", f.path)
	}
	return nil
}

func checkRepository(repo, rev string) error {
	if !repoForm.MatchString(repo) || strings.Contains(repo, "..") || strings.Contains(repo, "--") {
		return fmt.Errorf("hub: a repository is named owner/name, got %.200q", repo)
	}
	if !cleanPath(rev) {
		return fmt.Errorf("hub: %.200q is no revision of a repository", rev)
	}
	return nil
}

func cleanPath(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 255 || strings.ContainsAny(part, "\\:\x00") {
			return false
		}
	}
	return len(path) < 2000
}

func (f *file) name() string { return f.store.repo + "/" + f.path }

func (f *file) cached() (string, bool) { return f.store.find(f.rev, f.path) }

// get finds or fetches the file.
func (f *file) get(ctx context.Context) (string, error) {
	have, there := f.cached()
	if there && (commitForm.MatchString(f.rev) || f.c.cfg.Offline) {
		return have, nil // a commit never changes
	}
	if f.c.cfg.Offline {
		return "", f.explain(errOffline)
	}
	m, err := f.ask(ctx)
	if err != nil {
		if there && unreachable(err) && ctx.Err() == nil {
			f.c.notice("%s: %v; the file of the cache is used", f.name(), err)
			return have, nil
		}
		return "", f.explain(err)
	}
	if err := f.fetch(ctx, m); err != nil {
		return "", f.explain(err)
	}
	path, err := f.store.link(m.etag, m.commit, f.path)
	if err == nil {
		err = f.store.remember(f.rev, m.commit)
	}
	if err != nil {
		return "", fmt.Errorf("%s: keep it in the cache: %w", f.name(), err)
	}
	return path, nil
}

// fetch sees to it that the blob is there.
func (f *file) fetch(ctx context.Context, m meta) error {
	blob := f.store.blob(m.etag)
	if isFile(blob) {
		return nil
	}
	unlock, err := f.store.lock(ctx, m.etag)
	if err != nil {
		return err
	}
	defer unlock()
	if isFile(blob) {
		return nil // another process has fetched it meanwhile
	}
	d := &download{file: f, meta: m, part: blob + ".incomplete"}
	if err := d.run(ctx); err != nil {
		return err
	}
	return os.Rename(d.part, blob)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

var errOffline = errors.New("is not in the cache, and HF_HUB_OFFLINE forbids to fetch it")

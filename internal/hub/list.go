package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxListing bounds what the hub may say of a repository.
const maxListing = 64 << 20

// Listing is what a repository holds at one commit.
type Listing struct {
	Commit string
	Files  []string
}

// List lists the files of a repository. When the hub can't be reached, or must not
// be, it lists what the cache holds of it.
func (c *Client) List(ctx context.Context, kind Kind, repo, rev string) (Listing, error) {
	f := c.file(kind, repo, rev, "-")
	if err := checkRepository(repo, f.rev); err != nil {
		return Listing{}, err
	}
	held, there := f.store.listing(f.rev)
	if c.cfg.Offline {
		if !there {
			return held, &Error{What: repo, Err: errOffline, Hint: c.hint(f.store, errOffline)}
		}
		return held, nil
	}
	var l Listing
	err := c.persist(ctx, questions, func() (err error) {
		l, err = c.list(ctx, f)
		return err
	})
	if err == nil {
		return l, nil
	}
	if there && unreachable(err) && ctx.Err() == nil {
		c.notice("%s: %v; the files of the cache are used", repo, err)
		return held, nil
	}
	return l, &Error{What: repo, Err: err, Hint: c.hint(f.store, err)}
}

// CachedFiles lists the files of a repository that are in the cache, and asks
// nobody.
func (c *Client) CachedFiles(kind Kind, repo, rev string) []string {
	f := c.file(kind, repo, rev, "-")
	if checkRepository(repo, f.rev) != nil {
		return nil
	}
	l, _ := f.store.listing(f.rev)
	return l.Files
}

func (c *Client) list(ctx context.Context, f *file) (Listing, error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, url: c.apiURL(f.store, f.rev)})
	if err != nil {
		return Listing{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxListing))
	if err != nil {
		return Listing{}, &networkError{err: err}
	}
	var said struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return Listing{}, fmt.Errorf("what answers is not a hub: %w", err)
	}
	if !etagForm.MatchString(said.SHA) || strings.Contains(said.SHA, "..") {
		return Listing{}, errors.New("what answers is not a hub: it names no commit")
	}
	l := Listing{Commit: said.SHA}
	for _, s := range said.Siblings {
		if cleanPath(s.Name) {
			l.Files = append(l.Files, s.Name)
		}
	}
	slices.Sort(l.Files)
	return l, nil
}

// listing is what the cache holds of a revision.
func (s store) listing(rev string) (Listing, bool) {
	commit, known := s.commit(rev)
	if !known {
		return Listing{}, false
	}
	l := Listing{Commit: commit}
	root := filepath.Join(s.root(), "snapshots", commit)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if rel, err := filepath.Rel(root, path); err == nil && !d.IsDir() && isFile(path) {
			l.Files = append(l.Files, filepath.ToSlash(rel))
		}
		return nil
	})
	return l, err == nil && len(l.Files) > 0
}

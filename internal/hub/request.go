package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/retry"
)

const (
	maxRedirects = 10
	// attempts is how often something is asked for before it counts as failed, of
	// which all but the first come after a failure that may pass; questions is the
	// same for what is asked of a host that gives no answer at all.
	attempts, questions = 6, 3
	// maxPause bounds what a Retry-After can make us wait.
	maxPause = 5 * time.Minute
)

// resolveURL is the address of a file.
func (c *Client) resolveURL(s store, rev, path string) *url.URL {
	u := *c.base
	u.Path = strings.TrimRight(u.Path, "/")
	if s.kind == Dataset {
		u.Path += "/datasets"
	}
	raw := u.Path + "/" + s.repo + "/resolve/" + url.PathEscape(rev) + "/" + escapePath(path)
	u.Path += "/" + s.repo + "/resolve/" + rev + "/" + path
	u.RawPath = raw
	return &u
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// apiURL is the address of what the hub says of a repository.
func (c *Client) apiURL(s store, rev string) *url.URL {
	u := *c.base
	raw := strings.TrimRight(u.Path, "/") + "/api/" + string(s.kind) + "s/" + s.repo + "/revision/"
	u.Path, u.RawPath = raw+rev, raw+url.PathEscape(rev)
	return &u
}

// request is one question to the hub.
type request struct {
	method string
	url    *url.URL
	header http.Header
	// here says that redirects to other hosts are an answer, not to be followed.
	here bool
}

// do asks, and follows redirects. The token goes to the hub's own host and no
// further. An answer of 4xx or 5xx is an error.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	to := r.url
	for range maxRedirects {
		req, err := http.NewRequestWithContext(ctx, r.method, to.String(), nil)
		if err != nil {
			return nil, err
		}
		req.Header = r.header.Clone()
		if req.Header == nil {
			req.Header = http.Header{}
		}
		req.Header.Set("User-Agent", "stampede")
		if !c.cfg.Token.Empty() && c.own(to) {
			req.Header.Set("Authorization", "Bearer "+c.cfg.Token.Reveal())
		}
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, &networkError{err: withoutQuery(err)}
		}
		next := redirect(resp)
		if next == nil || r.here && !c.own(next) {
			if resp.StatusCode >= 400 {
				return nil, answerError(resp)
			}
			return resp, nil
		}
		_ = resp.Body.Close()
		if to.Scheme == "https" && next.Scheme != "https" {
			return nil, fmt.Errorf("the hub sends on to %s://%s, which is not encrypted", next.Scheme, next.Host)
		}
		to = next
	}
	return nil, fmt.Errorf("the hub sends on more than %d times", maxRedirects)
}

// own reports whether an address is the hub's own.
func (c *Client) own(u *url.URL) bool { return u.Scheme == c.base.Scheme && u.Host == c.base.Host }

func redirect(resp *http.Response) *url.URL {
	if resp.StatusCode < 300 || resp.StatusCode >= 400 || resp.Header.Get("Location") == "" {
		return nil
	}
	next, err := resp.Location()
	if err != nil {
		return nil
	}
	return next
}

// withoutQuery takes the query of the address, which may be a signature, out of an
// error.
func withoutQuery(err error) error {
	var e *url.Error
	if !errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("%s: %w", strings.SplitN(e.URL, "?", 2)[0], e.Err)
}

// networkError says that no answer came.
type networkError struct{ err error }

func (e *networkError) Error() string { return e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

// statusError is an answer that refuses.
type statusError struct {
	status int
	code   string // what the hub calls the error
	text   string // what it says of it
	retry  time.Duration
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the hub answers %d %s", e.status, http.StatusText(e.status))
	if e.text != "" {
		text += ": " + e.text
	}
	return text
}

func answerError(resp *http.Response) error {
	defer resp.Body.Close()
	e := &statusError{
		status: resp.StatusCode, code: resp.Header.Get("X-Error-Code"), text: resp.Header.Get("X-Error-Message"),
		retry: retryAfter(resp.Header.Get("Retry-After")),
	}
	if e.text == "" && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		e.text = strings.TrimSpace(string(body))
	}
	return e
}

// retryAfter is how long the hub wants us to wait, within reason, or -1.
func retryAfter(header string) time.Duration {
	if d, ok := retry.After(header, time.Now()); ok {
		return min(d, maxPause)
	}
	return -1
}

// unreachable reports whether err says nothing of what was asked for: no answer
// came, or the hub is out of order.
func unreachable(err error) bool {
	var network *networkError
	var status *statusError
	if errors.As(err, &status) {
		return status.status >= 500 || status.status == http.StatusTooManyRequests
	}
	return errors.As(err, &network)
}

// again waits before the n-th repeat of what failed with err, and reports whether
// it is worth one.
func (c *Client) again(ctx context.Context, n, silences int, err error) bool {
	var status *statusError
	answered := errors.As(err, &status)
	if !unreachable(err) || n >= attempts || !answered && n >= silences || ctx.Err() != nil {
		return false
	}
	pause := 250 * time.Millisecond << (n - 1)
	if answered && status.retry >= 0 {
		pause = status.retry
	}
	if pause >= 5*time.Second {
		c.notice("%v; again in %v", err, pause)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// persist does f, and again while it fails in ways that may pass; silences is how
// often no answer may come.
func (c *Client) persist(ctx context.Context, silences int, f func() error) error {
	for n := 1; ; n++ {
		err := f()
		if err == nil || !c.again(ctx, n, silences, err) {
			return err
		}
	}
}

// ask asks what a file is now.
func (f *file) ask(ctx context.Context) (m meta, err error) {
	r := request{
		method: http.MethodHead, url: f.c.resolveURL(f.store, f.rev, f.path), here: true,
		header: http.Header{"Accept-Encoding": {"identity"}},
	}
	err = f.c.persist(ctx, questions, func() error {
		resp, err := f.c.do(ctx, r)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		m, err = metaOf(resp)
		return err
	})
	return m, err
}

func metaOf(resp *http.Response) (meta, error) {
	m := meta{commit: resp.Header.Get("X-Repo-Commit"), size: -1}
	m.etag = plainETag(resp.Header.Get("X-Linked-Etag"))
	if m.etag == "" {
		m.etag = plainETag(resp.Header.Get("ETag"))
	}
	size := resp.Header.Get("X-Linked-Size")
	if size == "" && resp.StatusCode == http.StatusOK {
		size = resp.Header.Get("Content-Length")
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil && n >= 0 {
		m.size = n
	}
	switch {
	case !etagForm.MatchString(m.commit) || strings.Contains(m.commit, ".."):
		return m, errors.New("what answers is not a hub: it names no commit (X-Repo-Commit)")
	case !etagForm.MatchString(m.etag) || strings.Contains(m.etag, ".."):
		return m, errors.New("what answers is not a hub: it names no content (ETag)")
	}
	return m, nil
}

func plainETag(v string) string {
	return strings.Trim(strings.TrimPrefix(v, "W/"), `"`)
}

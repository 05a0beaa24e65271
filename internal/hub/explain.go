package hub

import (
	"errors"
	"net/http"
)

// Error is what became of a request, with an advice.
type Error struct {
	What string // the file or the repository
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// explain adds to an error what its reader can do.
func (f *file) explain(err error) error {
	return &Error{What: f.name(), Err: err, Hint: f.c.hint(f.store, err)}
}

const needToken = "export HF_TOKEN=…, or put the token into dataset.hub_token (kwargs.hf_auth_key in the seed's body)"

func (c *Client) hint(s store, err error) string {
	page := c.base.String() + "/" + s.repo
	if s.kind == Dataset {
		page = c.base.String() + "/datasets/" + s.repo
	}
	var status *statusError
	switch {
	case errors.Is(err, errOffline):
		return "fetch it once without HF_HUB_OFFLINE, name another cache with HF_HOME, or give a file as dataset.path"
	case errors.Is(err, errContent):
		return "try again; when it stays so, the hub or a proxy on the way sends something else"
	case !errors.As(err, &status):
		return "give a file as dataset.path, put the data into the cache at " + c.cfg.CacheDir + ", or set HF_ENDPOINT to a mirror that can be reached"
	}
	switch {
	case status.code == "GatedRepo" && c.cfg.Token.Empty():
		return "the repository is gated: accept its conditions at " + page + " and then " + needToken
	case status.code == "GatedRepo":
		return "the repository is gated, and the token's account has no access: accept its conditions at " + page
	case status.status == http.StatusUnauthorized && c.cfg.Token.Empty():
		return "it does not exist, or is private or gated: then " + needToken
	case status.status == http.StatusUnauthorized:
		return "the token is not valid, or may not read it: make one at " + c.base.String() + "/settings/tokens"
	case status.status == http.StatusForbidden:
		return "the token may not read it: accept the conditions at " + page + ", or give the token the right to read gated repositories"
	case status.code == "EntryNotFound":
		return "the repository has no such file; see " + page
	case status.code == "RevisionNotFound":
		return "the repository has no such revision; see " + page
	case status.status == http.StatusNotFound:
		return "check the name at " + page
	case status.status == http.StatusTooManyRequests:
		return "wait, or " + needToken + ": requests with one are limited less"
	}
	return "try again later, or give a file as dataset.path"
}

// NotFound reports whether the hub answered that there is no such thing.
func NotFound(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.status == http.StatusNotFound
}

// Hint returns the advice that comes with an error of this package, or nothing.
func Hint(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

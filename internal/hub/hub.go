// Package hub fetches files of datasets and models from the Hugging Face hub, or
// from a mirror of it, into the cache that the hub's own libraries use, so that
// what either of them fetched is there for the other. It does not read what it
// fetches. Its environment is whatever it is told; it looks nothing up by itself.
package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/allow"
	"github.com/stampede-bench/stampede/internal/secret"
)

// Kind is a kind of repository.
type Kind string

// Kinds of repositories, as the hub names them in addresses.
const (
	Dataset Kind = "dataset"
	Model   Kind = "model"
)

// DefaultEndpoint is the hub.
const DefaultEndpoint = "https://huggingface.co"

// Main is the revision that is meant when none is said.
const Main = "main"

// Config configures a Client.
type Config struct {
	// Endpoint is the hub's base URL. Default DefaultEndpoint.
	Endpoint string
	// Token is sent to the hub, and to no other host. Default: none.
	Token secret.String
	// CacheDir is the folder that holds models--… and datasets--….
	CacheDir string
	// Offline asks nobody: only what is in the cache is found.
	Offline bool
	// Progress is told how far a download is; done is of total bytes, which is 0
	// when nobody knows. Default: nobody is told.
	Progress func(file string, done, total int64)
	// Notice is told what a person should know, such as that a file of the cache was
	// taken because the hub could not be reached. Default: nobody is told.
	Notice func(text string)
}

// doer is what does requests.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client fetches files. It is safe for concurrent use, also beside other processes
// that use the same cache.
type Client struct {
	cfg  Config
	base *url.URL
	http doer
}

// New checks a configuration.
func New(cfg Config) (*Client, error) {
	if cfg.Endpoint == "" {
		cfg.Endpoint = DefaultEndpoint
	}
	base, err := url.Parse(strings.TrimRight(cfg.Endpoint, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("hub: the endpoint must be an http or https URL, got %.200q", cfg.Endpoint)
	}
	if cfg.CacheDir == "" {
		return nil, fmt.Errorf("hub: no folder for the cache is known; set HF_HOME or HF_HUB_CACHE")
	}
	c := &Client{cfg: cfg, base: base}
	var anywhere *allow.List // but metadata addresses: the hub may send on to wherever it likes
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext: anywhere.DialContext, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 30 * time.Second,
			// A host that accepts a connection and then says nothing is given up.
			ResponseHeaderTimeout: 30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// FromEnv is the configuration that the environment of a process asks for, by the
// names that the hub's own libraries know.
func FromEnv(lookup func(string) (string, bool)) Config {
	get := func(names ...string) string {
		for _, n := range names {
			if v, ok := lookup(n); ok && strings.TrimSpace(v) != "" {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	cfg := Config{Endpoint: get("HF_ENDPOINT"), Offline: isTrue(get("HF_HUB_OFFLINE"))}
	home := get("HF_HOME")
	if home == "" {
		if base := get("XDG_CACHE_HOME"); base != "" {
			home = filepath.Join(base, "huggingface")
		} else if user := get("HOME", "USERPROFILE"); user != "" {
			home = filepath.Join(user, ".cache", "huggingface")
		}
	}
	cfg.CacheDir = get("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
	if cfg.CacheDir == "" && home != "" {
		cfg.CacheDir = filepath.Join(home, "hub")
	}
	token := get("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
	if token == "" {
		token = tokenFile(get("HF_TOKEN_PATH"), home)
	}
	cfg.Token = secret.New(token)
	return cfg
}

func isTrue(v string) bool {
	switch strings.ToUpper(v) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// File returns the path in the cache of a file of a repository, which it fetches
// when it is not there or has changed. rev is a branch, a tag or a commit; "" is
// Main. The file is not to be changed.
func (c *Client) File(ctx context.Context, kind Kind, repo, rev, path string) (string, error) {
	f := c.file(kind, repo, rev, path)
	if err := f.check(); err != nil {
		return "", err
	}
	return f.get(ctx)
}

// Cached returns the path of a file that is in the cache, if it is, and asks
// nobody.
func (c *Client) Cached(kind Kind, repo, rev, path string) (string, bool) {
	f := c.file(kind, repo, rev, path)
	if f.check() != nil {
		return "", false
	}
	return f.cached()
}

func (c *Client) file(kind Kind, repo, rev, path string) *file {
	if rev == "" {
		rev = Main
	}
	return &file{c: c, store: store{dir: c.cfg.CacheDir, kind: kind, repo: repo}, rev: rev, path: path}
}

func (c *Client) notice(format string, args ...any) {
	if c.cfg.Notice != nil {
		c.cfg.Notice(fmt.Sprintf(format, args...))
	}
}

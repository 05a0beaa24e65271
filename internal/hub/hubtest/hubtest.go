// Package hubtest serves a hub on loopback that behaves like the real one, for
// tests: large files lie on a second host to which it redirects, repositories can
// be gated, and it can be made to fail in the ways in which networks do.
package hubtest

import (
	"crypto/sha1" //nolint:gosec // git names blobs by it
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Commit is the commit of every repository.
const Commit = "0123456789abcdef0123456789abcdef01234567"

// LargeBytes is from where on files lie on the second host.
const LargeBytes = 1 << 10

// Repository is what is served under a name.
type Repository struct {
	Files map[string][]byte
	Gated bool
	// Refs are revisions beside main and Commit that hold other files, such as
	// refs/convert/parquet.
	Refs map[string]map[string][]byte
}

// Faults are what goes wrong.
type Faults struct {
	Busy    int    // so many requests to the hub are answered with 429
	Broken  int    // so many with 503
	Cut     int    // so many answers of the second host end after CutAt bytes
	CutAt   int    // bytes
	NoRange bool   // the second host sends everything, whatever is asked for
	Wrong   bool   // the second host sends other bytes
	Change  string // what the second host's ETag becomes after the first answer
}

// Request is one that came.
type Request struct {
	Host, Method, Path, Authorization, Range string
}

// Hub serves repositories by kind and name: "datasets/owner/name".
type Hub struct {
	URL, CDN string
	Token    string // the one that has access to what is gated

	mu       sync.Mutex
	repos    map[string]*Repository
	faults   Faults
	requests []Request
	blobs    map[string][]byte
	front    *httptest.Server
	back     *httptest.Server
}

// New starts a hub; Close ends it.
func New(repos map[string]*Repository) *Hub {
	h := &Hub{repos: repos, blobs: map[string][]byte{}, Token: "hf_good"}
	h.front = httptest.NewServer(http.HandlerFunc(h.serve))
	h.back = httptest.NewServer(http.HandlerFunc(h.blob))
	h.URL, h.CDN = h.front.URL, h.back.URL
	return h
}

// Close ends it.
func (h *Hub) Close() {
	h.front.Close()
	h.back.Close()
}

// Fail sets what goes wrong from now on.
func (h *Hub) Fail(f Faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = f
}

// Put replaces a file.
func (h *Hub) Put(repo, path string, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[repo].Files[path] = data
}

// Requests returns what has come since it was last asked.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.requests
	h.requests = nil
	return out
}

func (h *Hub) note(host string, r *http.Request) {
	h.requests = append(h.requests, Request{
		Host: host, Method: r.Method, Path: r.URL.Path, Authorization: r.Header.Get("Authorization"), Range: r.Header.Get("Range"),
	})
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", text)
	w.WriteHeader(status)
}

// serve answers as the hub.
func (h *Hub) serve(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("hub", r)
	switch {
	case h.faults.Busy > 0:
		h.faults.Busy--
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case h.faults.Broken > 0:
		h.faults.Broken--
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	path := strings.Trim(r.URL.Path, "/")
	if rest, ok := strings.CutPrefix(path, "api/"); ok {
		name, rev, found := strings.Cut(rest, "/revision/")
		if files, ok := h.admitted(w, r, name, rev); found && ok {
			h.describe(w, files, commitOf(rev))
		}
		return
	}
	name, rest, _ := strings.Cut(path, "/resolve/")
	if !strings.HasPrefix(name, "datasets/") {
		name = "models/" + name
	}
	rev, file, _ := strings.Cut(rest, "/")
	if escaped, encoded := strings.CutPrefix(rest, "refs/convert/parquet/"); encoded {
		rev, file = "refs/convert/parquet", escaped
	}
	if files, ok := h.admitted(w, r, name, rev); ok {
		w.Header().Set("X-Repo-Commit", commitOf(rev))
		h.send(w, r, files, file)
	}
}

// admitted checks name, revision and access.
func (h *Hub) admitted(w http.ResponseWriter, r *http.Request, name, rev string) (map[string][]byte, bool) {
	repo := h.repos[name]
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case bearer != "" && bearer != h.Token && bearer != "hf_other":
		refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	case repo == nil && bearer == "":
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Invalid username or password.")
	case repo == nil:
		refuse(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
	case repo.Gated && bearer == "":
		refuse(w, http.StatusUnauthorized, "GatedRepo", "Access to dataset "+name+" is restricted. You must have access to it and be authenticated to access it. Please log in.")
	case repo.Gated && bearer != h.Token:
		refuse(w, http.StatusForbidden, "GatedRepo", "Access to dataset "+name+" is restricted and you are not in the authorized list.")
	case rev == "main" || rev == Commit:
		return repo.Files, true
	default:
		for ref, files := range repo.Refs {
			if ref == rev || commitOf(ref) == rev {
				return files, true
			}
		}
		refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+rev)
	}
	return nil, false
}

// commitOf is the commit of a revision; every branch has its own.
func commitOf(rev string) string {
	if rev == "main" {
		return Commit
	}
	if len(rev) == len(Commit) {
		return rev
	}
	sum := sha1.Sum([]byte(rev)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

func (h *Hub) describe(w http.ResponseWriter, files map[string][]byte, commit string) {
	type sibling struct {
		Name string `json:"rfilename"`
	}
	var said struct {
		SHA      string    `json:"sha"`
		Siblings []sibling `json:"siblings"`
	}
	said.SHA = commit
	for name := range files {
		said.Siblings = append(said.Siblings, sibling{name})
	}
	slices.SortFunc(said.Siblings, func(a, b sibling) int { return strings.Compare(a.Name, b.Name) })
	body, err := json.Marshal(said)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func (h *Hub) send(w http.ResponseWriter, r *http.Request, files map[string][]byte, name string) {
	data, there := files[name]
	if !there {
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	if len(data) < LargeBytes {
		sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)) //nolint:gosec // as above
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		h.ranged(w, r, data)
		return
	}
	sum := sha256.Sum256(data)
	name = hex.EncodeToString(sum[:])
	h.blobs[name] = data
	w.Header().Set("X-Linked-Etag", `"`+name+`"`)
	w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
	w.Header().Set("ETag", `"of-the-redirect"`)
	w.Header().Set("Location", h.CDN+"/xet/"+name+"?Signature="+url.QueryEscape("s/e+c=ret"))
	w.WriteHeader(http.StatusFound)
}

// blob answers as the second host.
func (h *Hub) blob(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("cdn", r)
	data, there := h.blobs[strings.TrimPrefix(r.URL.Path, "/xet/")]
	if !there || r.URL.Query().Get("Signature") != "s/e+c=ret" || r.Header.Get("Authorization") != "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if h.faults.Wrong {
		data = slices.Clone(data)
		data[len(data)/2] ^= 1
	}
	etag := `"cdn"`
	if h.faults.Change != "" {
		etag, h.faults.Change = h.faults.Change, h.faults.Change+"+"
	}
	w.Header().Set("ETag", etag)
	h.ranged(w, r, data)
}

// ranged sends data or the part of it that is asked for, cut short where faults
// say so.
func (h *Hub) ranged(w http.ResponseWriter, r *http.Request, data []byte) {
	from, status := 0, http.StatusOK
	etag := r.Header.Get("If-Range")
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !h.faults.NoRange && (etag == "" || etag == w.Header().Get("ETag")) {
		n, err := strconv.Atoi(strings.TrimSuffix(text, "-"))
		if err != nil || n >= len(data) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		from, status = n, http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
	}
	part := data[from:]
	w.Header().Set("Content-Length", strconv.Itoa(len(part)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if h.faults.Cut > 0 && h.faults.CutAt < len(part) {
		h.faults.Cut--
		part = part[:h.faults.CutAt] // the server closes a connection that got too little
	}
	_, _ = w.Write(part)
}

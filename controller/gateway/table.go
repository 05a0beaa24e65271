package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// table is a routing table that answers in JSON what it does not know.
type table struct {
	paths    []string
	methods  map[string]map[string]http.HandlerFunc // by path, then method
	subtrees map[string]http.Handler
}

func (t *table) add(method, path string, h http.HandlerFunc) {
	if t.methods == nil {
		t.methods = map[string]map[string]http.HandlerFunc{}
	}
	if t.methods[path] == nil {
		t.methods[path] = map[string]http.HandlerFunc{}
		t.paths = append(t.paths, path)
	}
	t.methods[path][method] = h
}

func (t *table) subtree(prefix string, h http.Handler) {
	if t.subtrees == nil {
		t.subtrees = map[string]http.Handler{}
	}
	t.subtrees[prefix] = h
}

func (t *table) handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range t.paths {
		mux.HandleFunc(path, byMethod(t.methods[path]))
	}
	unknown := func(w http.ResponseWriter, _ *http.Request) { writeDetail(w, http.StatusNotFound, "Not Found") }
	for prefix, h := range t.subtrees {
		mux.Handle(prefix, h)
		mux.HandleFunc(strings.TrimSuffix(prefix, "/"), unknown) // or the mux would redirect
	}
	mux.HandleFunc("/", unknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Paths that the mux would redirect name nothing here.
		if p := r.URL.EscapedPath(); !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || hasDots(p) {
			writeDetail(w, http.StatusNotFound, "Not Found")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// hasDots reports whether a path has a segment that leads nowhere or up.
func hasDots(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

// byMethod picks a handler by method alone: HEAD is not taken for GET, since some
// routes of the original change things by GET.
func byMethod(handlers map[string]http.HandlerFunc) http.HandlerFunc {
	var allow []string
	for method := range handlers {
		allow = append(allow, method)
	}
	slices.Sort(allow)
	return func(w http.ResponseWriter, r *http.Request) {
		if h := handlers[r.Method]; h != nil {
			h(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		writeDetail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	}
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"detail":"the answer could not be encoded"}`)
	}
	writeRaw(w, status, body)
}

func writeRaw(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// writeDetail answers with an error.
func writeDetail(w http.ResponseWriter, status int, detail string) {
	writeJSON(w, status, map[string]string{"detail": detail})
}

// Package gateway answers on the controller's HTTP port. For now it tells only
// whether the process lives and is ready; it decides nothing and holds no state.
package gateway

import (
	"io"
	"net/http"
)

// Config configures the handler.
type Config struct {
	// Ready reports whether the controller serves. It is called by many goroutines.
	Ready func() bool
}

// New returns the handler: /healthz is 200 as long as the process lives, /readyz
// is 200 while it serves and 503 before and after.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !cfg.Ready() {
			plain(w, http.StatusServiceUnavailable, "not ready\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
	return mux
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}

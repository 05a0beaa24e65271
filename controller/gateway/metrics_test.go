package gateway

import (
	"net/http"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	inBubble(t, func(r *rig) {
		w := r.ask(http.MethodGet, "/metrics", "")
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		var ours []string
		for line := range strings.Lines(w.Body.String()) {
			if strings.Contains(line, "stampede_") {
				ours = append(ours, line)
			}
		}
		golden(t, "metrics.txt", strings.Join(ours, ""))
		if !strings.Contains(w.Body.String(), "go_goroutines") {
			t.Error("the process's own metrics are missing")
		}
	})
}

func TestReady(t *testing.T) {
	r := newRig(t)
	ready := true
	r.g.cfg.Ready = func() bool { return ready }
	for _, ready = range []bool{true, false} {
		want := http.StatusOK
		if !ready {
			want = http.StatusServiceUnavailable
		}
		if w := r.ask(http.MethodGet, "/readyz", ""); w.Code != want {
			t.Errorf("/readyz: %d, want %d", w.Code, want)
		}
		if w := r.ask(http.MethodGet, "/healthz", ""); w.Code != http.StatusOK {
			t.Errorf("/healthz: %d", w.Code)
		}
	}
	if w := r.ask(http.MethodGet, "/v1/tests", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("/v1 before Run: %d", w.Code)
	}
}

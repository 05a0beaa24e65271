package agent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/target"
)

func TestPersist(t *testing.T) {
	busy := func(status int, after time.Duration) error {
		return &target.Error{Kind: target.HTTPKind(status), HTTP: status, Message: "HTTP it is", RetryAfter: after}
	}
	const s = time.Second
	for _, tc := range []struct {
		name     string
		answers  []error // the last one again and again
		tries    int
		from, to time.Duration // that it takes
		want     string        // of the error; empty: none
	}{
		{"at once", []error{nil}, 1, 0, 0, ""},
		{"at the third try", []error{busy(503, 0), busy(429, 0), nil}, 3, 600 * time.Millisecond, 750 * time.Millisecond, ""},
		{"never", []error{busy(500, 0)}, 6, 6200 * time.Millisecond, 7750 * time.Millisecond, "asked 6 times within "},
		{"when it says", []error{busy(429, 3*s), busy(503, 2*s), nil}, 3, 5 * s, 5 * s, ""},
		{"as long as it says, not longer", []error{busy(429, 7*s)}, 3, 14 * s, 14 * s, "asked 3 times and is to wait 7s (Retry-After), longer than"},
		{"later than anybody waits", []error{busy(429, time.Hour)}, 1, 0, 0, "asked once and is to wait 1h0m0s (Retry-After), longer than the 20s that a probe may take; the last answer was HTTP it is"},
		{"wrong", []error{busy(404, 0)}, 1, 0, 0, "http_404: HTTP it is"},
		{"wrong after all", []error{busy(503, 0), busy(401, 0)}, 2, 200 * time.Millisecond, 250 * time.Millisecond, "http_401: HTTP it is"},
		{"no answer", []error{errors.New("refused")}, 1, 0, 0, "refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &probe{began: time.Now(), result: &stampedev1.ProbeResult{}}
				tries := 0
				err := p.persist(t.Context(), "it", func(_ context.Context, try int) error {
					if tries++; try != tries {
						t.Errorf("try %d is called %d", tries, try)
					}
					return tc.answers[min(try, len(tc.answers))-1]
				})
				if took := time.Since(p.began); took < tc.from || took > tc.to || tries != tc.tries {
					t.Errorf("%d tries in %v, want %d in %v to %v", tries, took, tc.tries, tc.from, tc.to)
				}
				if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				if remarks := len(p.result.GetNotices()); (remarks == 1) != (err == nil && tries > 1) {
					t.Errorf("remarks %q", p.result.GetNotices())
				}
			})
		})
	}
}

// A probe that is not needed any more does not wait on.
func TestPersistEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probe{began: time.Now(), result: &stampedev1.ProbeResult{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.persist(ctx, "it", func(context.Context, int) error {
			return &target.Error{Kind: "http_503", HTTP: 503, Message: "busy", RetryAfter: 10 * time.Second}
		})
		if err == nil || time.Since(p.began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(p.began))
		}
	})
}

package simulate

import (
	"errors"
	"net/http"
	"strconv"
	"syscall"
	"testing"
)

func TestSharedPort(t *testing.T) {
	one := start(t, Config{SharePort: true})
	other := start(t, Config{SharePort: true, Addr: one.Addr()})
	const asked = 64 // that one of the two gets none has a chance of 2^-63
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range asked {
		if r := ask(fresh, one, "/v1/chat/completions", chatBody(2), "X-Request-Id: "+strconv.Itoa(i)); r.err != nil || !r.done {
			t.Fatalf("%+v", r)
		}
	}
	a, b := one.Summary(), other.Summary()
	if a.Served == 0 || b.Served == 0 || a.Served+b.Served != asked {
		t.Errorf("%d and %d were served; %d together, by both, were asked for", a.Served, b.Served, asked)
	}
	if _, err := New(Config{Addr: one.Addr()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a third that shares nothing: %v", err)
	}
}

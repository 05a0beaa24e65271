package target

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
)

// onlyHTTP2 serves over TLS and refuses to speak HTTP/1.1.
func onlyHTTP2(t *testing.T, handle http.HandlerFunc) Config {
	t.Helper()
	cert, roots := testCertificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handle, Protocols: new(http.Protocols), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ErrorLog: log.New(io.Discard, "", 0)}
	s.Protocols.SetHTTP2(true)
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { s.Close() })
	cfg := configFor("https://" + l.Addr().String() + "/v1")
	cfg.TLS = &tls.Config{RootCAs: roots}
	return cfg
}

// slowly streams an answer of three tokens, with a pause before each.
func slowly(pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for i, data := range []string{token("a"), token("b"), token("c"), finish, usage, doneMark} {
			if i < 3 {
				time.Sleep(pause)
			}
			fmt.Fprint(w, data)
			w.(http.Flusher).Flush()
		}
	}
}

func TestOnlyHTTP2(t *testing.T) {
	const pause = 20 * time.Millisecond
	var mu sync.Mutex
	var protos, ids []string
	cfg := onlyHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		protos, ids = append(protos, r.Proto), append(ids, r.Header.Get("X-Request-Id"))
		mu.Unlock()
		slowly(pause)(w, r)
	})
	for name, portable := range map[string]bool{"own": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.portable, cfg.Reserve = portable, 2
			cl := newClient(t, cfg)
			if n, err := cl.Warm(t.Context(), 3); err != nil || n != 3 {
				t.Errorf("warmed %d, %v", n, err)
			}
			for i := range 3 {
				before := clock.Now()
				x, err := ask(t, cl)
				if err != nil {
					t.Fatal(err)
				}
				first := time.Duration(x.Chunks[0].At - x.Sent)
				if len(x.Chunks) < 1 || x.KernelStamped || x.HTTPStatus != 200 || first < pause || x.Sent < before || x.Reused != (i > 0) {
					t.Errorf("request %d: %d chunks, kernel %v, status %d, first token after %v, reused %v", i, len(x.Chunks), x.KernelStamped, x.HTTPStatus, first, x.Reused)
				}
			}
		})
	}
	for i, p := range protos {
		if p != "HTTP/2.0" || ids[i] == "" {
			t.Errorf("request %d came over %s with the id %q", i, p, ids[i])
		}
	}
}

func TestOnlyHTTP2Fails(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		kind   string
		change func(*Config)
	}{
		"status":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such model", 404) }, HTTPKind(404), nil},
		"empty":   {func(http.ResponseWriter, *http.Request) {}, KindEmpty, nil},
		"timeout": {hang, KindTimeoutHeaders, func(c *Config) { c.Timeout = 100 * time.Millisecond }},
		"stalled": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, token("a"))
			w.(http.Flusher).Flush()
			hang(w, r)
		}, KindTimeoutStream, func(c *Config) { c.Timeout = 200 * time.Millisecond }},
		"broken":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, KindReset, nil},
		"refused": {hang, KindForbidden, func(c *Config) { c.AllowAddr = func(string, netip.AddrPort) error { return errRefusedHere } }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := onlyHTTP2(t, test.handle)
			if test.change != nil {
				test.change(&cfg)
			}
			cl := newClient(t, cfg)
			if test.kind != KindForbidden {
				cl.speakHTTP2()
			}
			x, err := ask(t, cl)
			if err == nil || x.ErrorKind != test.kind || x.End == measure.Absent {
				t.Errorf("%v (%s), end %d; want %s", err, x.ErrorKind, x.End, test.kind)
			}
		})
	}
}

type refusedHere struct{}

func (refusedHere) Error() string { return "not here" }

var errRefusedHere error = refusedHere{}

func TestOnlyHTTP2GivesUp(t *testing.T) {
	arrived := make(chan struct{}, 2)
	cfg := onlyHTTP2(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	cl := newClient(t, cfg)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		<-arrived
		stop()
	}()
	if x, err := cl.Do(ctx, hello()); err == nil || x.Status != measure.Cancelled {
		t.Errorf("cancelled: %v, %v", x.Status, err)
	}
	done := make(chan *measure.Exchange, 1)
	c, err := cl.Prepare(hello())
	if err != nil {
		t.Fatal(err)
	}
	cl.Start(c, func(_ *Call, x *measure.Exchange) { done <- x })
	<-arrived
	cl.Close()
	select {
	case x := <-done:
		if x.Status != measure.Cancelled || !strings.Contains(x.ErrorMessage, "closed") {
			t.Errorf("closed: %v, %s", x.Status, x.ErrorMessage)
		}
	default:
		t.Error("Close returned before the request was given up")
	}
	waitFor(t, "nothing reads the connection", func() bool {
		all := make([]byte, 1<<20)
		return !bytes.Contains(all[:runtime.Stack(all, true)], []byte("lientConnReadLoop"))
	})
}

// refuseFirst speaks just enough HTTP/2 to refuse the first stream after a pause and to
// answer those that follow.
func refuseFirst(c net.Conn, pause time.Duration) {
	defer c.Close()
	frame := func(kind, flags byte, stream uint32, payload string) {
		head := []byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, flags}
		_, _ = c.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
	}
	const data, headers, rst, settings = 0, 1, 3, 4
	_, _ = io.ReadFull(c, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	frame(settings, 0, 0, "")
	for n, head := 0, make([]byte, 9); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2]))
		if head[3] != headers {
			continue
		}
		stream := binary.BigEndian.Uint32(head[5:])
		if n++; n == 1 {
			time.Sleep(pause)
			frame(rst, 0, stream, "\x00\x00\x00\x07") // REFUSED_STREAM
			continue
		}
		frame(headers, 4, stream, "\x88\x0f\x10\x11text/event-stream") // :status 200, content-type
		frame(data, 1, stream, token("a")+finish+doneMark)
	}
}

// TestHTTP2Refused has net/http open a refused stream once more: that is a resend.
func TestHTTP2Refused(t *testing.T) {
	const pause = 30 * time.Millisecond
	cert, roots := testCertificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go refuseFirst(c, pause)
		}
	}()
	cfg := configFor("https://" + l.Addr().String() + "/v1")
	cfg.TLS = &tls.Config{RootCAs: roots}
	cl := newClient(t, cfg)
	x, err := ask(t, cl)
	if err != nil {
		t.Fatal(err)
	}
	if x.Attempt != 2 || !x.Stale || x.FirstSent == measure.Absent || time.Duration(x.Sent-x.FirstSent) < pause || cl.Stats().Stale != 1 {
		t.Errorf("attempt %d, stale %v, first sent at %d, then at %d, %+v", x.Attempt, x.Stale, x.FirstSent, x.Sent, cl.Stats())
	}
}

func TestSaysOnlyHTTP2(t *testing.T) {
	alert := &net.OpError{Op: "remote error", Err: tls.AlertError(120)}
	if f := tlsFault("host", alert); f.kind != kindOnlyHTTP2 {
		t.Errorf("%v: %+v", alert, f)
	}
	if f := tlsFault("host", &net.OpError{Op: "remote error", Err: tls.AlertError(40)}); f.kind != KindTLS {
		t.Errorf("another alert: %+v", f)
	}
}

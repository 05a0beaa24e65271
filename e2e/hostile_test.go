package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stampede-bench/stampede/e2e/harness"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func dialTests(t *testing.T, addr string, opts ...grpc.DialOption) stampedev1.TestServiceClient {
	t.Helper()
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64 << 20))}, opts...)
	conn, err := grpc.NewClient(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return stampedev1.NewTestServiceClient(conn)
}

// deep is a value of so many lists, each in the one before.
func deep(levels int) *structpb.Value {
	v := structpb.NewNumberValue(1)
	for range levels {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	return v
}

func wide(n int) *structpb.Value {
	l := &structpb.ListValue{}
	for range n {
		l.Values = append(l.Values, structpb.NewNullValue())
	}
	return structpb.NewListValue(l)
}

func extra(name string, v *structpb.Value) *stampedev1.Spec {
	rate := 1.0
	return &stampedev1.Spec{
		Endpoint: &stampedev1.Endpoint{Url: "http://127.0.0.1:1/v1", Model: "m"},
		Load:     &stampedev1.Load{Stages: []*stampedev1.Stage{{Rate: &rate, Requests: 1}}},
		Sampling: &stampedev1.Sampling{ExtraBody: &structpb.Struct{Fields: map[string]*structpb.Value{name: v}}},
	}
}

// Specs that would cost a careless reader its memory or its stack are refused by
// a sentence, at once.
func TestBombsByGRPC(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	tests := dialTests(t, c.GRPC)
	many := extra("a", structpb.NewNumberValue(1))
	many.Labels = map[string]string{}
	for i := range 70_000 {
		many.Labels[strconv.Itoa(i)] = "x"
	}
	stages := extra("a", structpb.NewNumberValue(1))
	for range 50_000 {
		stages.Load.Stages = append(stages.Load.Stages, stages.Load.Stages[0])
	}
	lambda := func(f string) *stampedev1.Spec {
		s := extra("a", structpb.NewNumberValue(1))
		s.Load.Stages = []*stampedev1.Stage{{Func: f}}
		return s
	}
	for name, tt := range map[string]struct {
		spec *stampedev1.Spec
		want codes.Code
	}{
		"deep":                      {extra("a", deep(2000)), codes.InvalidArgument},
		"as deep as the wire takes": {extra("a", deep(4900)), codes.InvalidArgument},
		"deeper than the wire":      {extra("a", deep(12_000)), codes.Internal},
		"wide":                      {extra("a", wide(300_000)), codes.InvalidArgument},
		"large":                     {extra("a", structpb.NewStringValue(strings.Repeat("x", 5<<20))), codes.InvalidArgument},
		"larger than a message":     {extra("a", structpb.NewStringValue(strings.Repeat("x", 20<<20))), codes.ResourceExhausted},
		"a long key":                {extra(strings.Repeat("k", 5<<20), structpb.NewNullValue()), codes.InvalidArgument},
		"not a number":              {extra("a", structpb.NewNumberValue(math.NaN())), codes.InvalidArgument},
		"infinity":                  {extra("a", structpb.NewNumberValue(math.Inf(1))), codes.InvalidArgument},
		"a value that is none":      {extra("a", &structpb.Value{}), codes.InvalidArgument},
		"many labels":               {many, codes.InvalidArgument},
		"many stages":               {stages, codes.InvalidArgument},
		"a power":                   {lambda("lambda t: 9**9**9**9"), codes.InvalidArgument},
		"a comprehension":           {lambda("lambda t: sum([x for x in range(10**9)])"), codes.InvalidArgument},
		"a long function":           {lambda("lambda t: " + strings.Repeat("(", 100_000)), codes.InvalidArgument},
	} {
		before := cpuSeconds(t, c.Controller.Cmd.Process.Pid)
		_, err := tests.RegisterTest(t.Context(), &stampedev1.RegisterTestRequest{Spec: tt.spec})
		st := status.Convert(err)
		if st.Code() != tt.want || len(st.Message()) > 20_000 {
			t.Errorf("%s: %v %.300s, want %v", name, st.Code(), st.Message(), tt.want)
		}
		if took := cpuSeconds(t, c.Controller.Cmd.Process.Pid) - before; took > 5 {
			t.Errorf("%s: took %.1f s of CPU", name, took)
		}
	}
	if page, err := tests.ListTests(t.Context(), &stampedev1.ListTestsRequest{}); err != nil || len(page.GetTests()) != 0 {
		t.Errorf("%v, %v", page, err)
	}
	if peak := c.Controller.PeakMiB(); peak > 1500 {
		t.Errorf("the controller took %d MiB", peak)
	}
}

// cpuSeconds is how much a process has worked.
func cpuSeconds(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0 // not Linux
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks float64
	for _, f := range fields[11:13] { // utime and stime, the 14th and the 15th of all
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return ticks / 100
}

// Ids that are huge, lead elsewhere or would write into a terminal name nothing,
// and answers don't repeat them whole.
func TestStrangeIdsByGRPC(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	tests := dialTests(t, c.GRPC)
	for _, id := range []string{strings.Repeat("x", 4<<20), "../../../../etc/passwd", "a/../b", "\x1b[2J\r\nspoofed", "", ".", "..", "x.1", "x.99999999999999999999", "\u202e", strings.Repeat("é", 1<<20)} {
		ctx := t.Context()
		calls := map[string]func() error{
			"RegisterTest": func() error {
				if id == "" {
					return status.Error(codes.InvalidArgument, "")
				}
				_, err := tests.RegisterTest(ctx, &stampedev1.RegisterTestRequest{Spec: extra("a", structpb.NewNumberValue(1)), TestId: id})
				return err
			},
			"StartTest": func() error {
				_, err := tests.StartTest(ctx, &stampedev1.StartTestRequest{TestId: id})
				return err
			},
			"CancelTest": func() error {
				_, err := tests.CancelTest(ctx, &stampedev1.CancelTestRequest{TestId: id})
				return err
			},
			"GetTest": func() error { _, err := tests.GetTest(ctx, &stampedev1.GetTestRequest{TestId: id}); return err },
			"DeleteTest": func() error {
				_, err := tests.DeleteTest(ctx, &stampedev1.DeleteTestRequest{TestId: id})
				return err
			},
			"GetReport": func() error {
				_, err := tests.GetReport(ctx, &stampedev1.GetReportRequest{TestId: id})
				return err
			},
			"WatchTest": func() error {
				stream, err := tests.WatchTest(ctx, &stampedev1.WatchTestRequest{TestId: id, AfterRevision: math.MaxInt64})
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			},
			"StreamSamples": func() error {
				stream, err := tests.StreamSamples(ctx, &stampedev1.StreamSamplesRequest{TestId: id})
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			},
		}
		for name, call := range calls {
			st := status.Convert(call())
			if st.Code() != codes.NotFound && st.Code() != codes.InvalidArgument || len(st.Message()) > 1000 || strings.ContainsAny(st.Message(), "\x1b\r\n\u202e") {
				t.Errorf("%s of %.30q: %v %.300q", name, id, st.Code(), st.Message())
			}
		}
	}
	for _, req := range []*stampedev1.ListTestsRequest{{PageSize: -1}, {PageSize: math.MaxInt32}, {PageToken: strings.Repeat("A", 1<<20)}, {PageToken: "AAAAAAAAAAA="}, {PageToken: "../x"}} {
		if _, err := tests.ListTests(t.Context(), req); status.Code(err) != codes.InvalidArgument || len(err.Error()) > 1000 {
			t.Errorf("ListTests: %.300v", err)
		}
	}
	log := c.Controller.Stderr()
	if strings.ContainsAny(log, "\x1b\r\u202e") || len(log) > 100_000 {
		t.Errorf("the log repeats what was sent: %.1000q", log)
	}
}

// dribble opens connections that begin with text and go on a byte at a time, and
// returns how many the server has ended within a while.
func dribble(t *testing.T, addr, text string, secure bool, n int, within time.Duration) (ended int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for range n {
		all.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			var w io.ReadWriter = conn
			if secure {
				w = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it only has to hold the line
			}
			go func() {
				_, _ = io.WriteString(w, text)
				for ctx.Err() == nil {
					time.Sleep(500 * time.Millisecond)
					if _, err := io.WriteString(w, "x"); err != nil {
						return
					}
				}
			}()
			_, _ = io.Copy(io.Discard, w)
			if ctx.Err() == nil {
				mu.Lock()
				ended++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return ended
}

// Connections that send a byte now and then are ended, on every port, and hold up
// nobody.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	ours.server("server")
	plain := harness.StartController(t)
	secure := harness.StartController(t, "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key"))
	agent := harness.Start(t, "agent", "--controller", plain.GRPC, "--metrics-addr", "127.0.0.1:0")
	pages := agent.After("metrics listening on ")
	const each, within = 50, 25 * time.Second
	var all sync.WaitGroup // all at once
	defer all.Wait()
	for _, tt := range []struct {
		name, addr, text string
		secure           bool
	}{
		{"gRPC, silent", plain.GRPC, "", false},
		{"gRPC, half a preface", plain.GRPC, "PRI * HTTP/2.0\r\n\r\nS", false},
		{"HTTP, half a header", plain.HTTP, "GET /healthz HTTP/1.1\r\nHost: local", false},
		{"HTTP, header after header", plain.HTTP, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", false},
		{"an agent's pages, half a header", pages, "GET /metrics HTTP/1.1\r\nHost: local", false},
		{"gRPC, no handshake", secure.GRPC, "\x16\x03\x01\x02\x00", false},
		{"HTTPS, no handshake", secure.HTTP, "\x16\x03\x01\x02\x00", false},
		{"gRPC over TLS, half a preface", secure.GRPC, "PRI * HTTP/2.0\r\n\r\nS", true},
		{"HTTPS, half a header", secure.HTTP, "GET /healthz HTTP/1.1\r\nHost: local", true},
	} {
		all.Go(func() {
			if n := dribble(t, tt.addr, tt.text, tt.secure, each, within); n != each {
				t.Errorf("%s: %d of %d connections were ended within %v", tt.name, n, each, within)
			}
		})
	}
	for range 10 { // others are served
		begun := time.Now()
		harness.Stampede(t, "list", "--controller", plain.GRPC).Must(t, 0)
		site{t, "http://" + plain.HTTP}.want("/id_list", "[]")
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// An agent's pages answer who may ask, within the limits of every HTTP port.
func TestAgentsPagesTurnAway(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	agent := harness.Start(t, "agent", "--controller", c.GRPC, "--metrics-addr", "127.0.0.1:0", "--allow-host", "rack-7.example.org")
	s := site{t, "http://" + agent.After("metrics listening on ")}
	for _, tt := range []struct {
		path   string
		header []string
		want   int
	}{
		{"/metrics", nil, 200}, {"/healthz", nil, 200}, {"/metrics", []string{"Host", "rack-7.example.org:9090"}, 200},
		{"/metrics", []string{"Host", "evil.example"}, 403}, {"/metrics", []string{"Origin", "https://evil.example"}, 403},
		{"/metrics", []string{"Sec-Fetch-Site", "cross-site"}, 403}, {"/metrics", []string{"X-Large", strings.Repeat("x", 100<<10)}, 431},
		{"/../../etc/passwd", nil, 404}, {"/nothing", nil, 404},
	} {
		if a := s.do("GET", tt.path, "", tt.header...); a.status != tt.want && (tt.want != 404 || a.status != 301) || len(a.body) > 100_000 {
			t.Errorf("GET %s with %.60q: %d %.200s, want %d", tt.path, tt.header, a.status, a.body, tt.want)
		}
	}
	if a := s.do("POST", "/metrics", strings.Repeat("x", 9<<20)); a.status != 413 && a.status != 405 {
		t.Errorf("a large body: %d", a.status)
	}
}

// What is not the protocol at all is turned away, and the port serves on.
func TestGarbageOnThePorts(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	for _, addr := range []string{c.GRPC, c.HTTP} {
		for _, text := range []string{"\x00\x00\x00\x00", "\x16\x03\x01\x02\x00\x01", "GET / HTTP/9.9\r\n\r\n", strings.Repeat("A", 1<<20),
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\x00\x00\x00\x04\x00\x00\x00\x00\x00", 10_000)} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.WriteString(conn, text)
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}
	harness.Stampede(t, "list", "--controller", c.GRPC).Must(t, 0)
	site{t, "http://" + c.HTTP}.want("/id_list", "[]")
	if log := c.Controller.Stderr(); strings.Contains(log, "panic") || strings.Contains(log, "goroutine") {
		t.Errorf("the log says %s", tailOf(log))
	}
}

func tailOf(s string) string { return s[max(0, len(s)-2000):] }

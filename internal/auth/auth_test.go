package auth

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/stampede-bench/stampede/internal/secret"
)

const (
	runToken   = "run-token-0123456789"
	readToken  = "read-token-0123456789"
	agentToken = "agent-token-0123456789"
)

func tokens(t *testing.T, text string, kind Role) *Tokens {
	t.Helper()
	set, err := FromText(text, kind)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func guard(t *testing.T) *Guard {
	return &Guard{Client: tokens(t, runToken+"\nread "+readToken, Run), Agent: tokens(t, agentToken, Agent)}
}

func TestRoles(t *testing.T) {
	for _, tt := range []struct {
		demanded Role
		token    string
		known    bool // whether a refusal says that the token is known
		ok       bool
	}{
		{Open, "", false, true}, {Open, "whatever", false, true},
		{Read, "", false, false}, {Read, "wrong", false, false}, {Read, readToken, false, true}, {Read, runToken, false, true}, {Read, agentToken, true, false},
		{Run, "", false, false}, {Run, readToken, true, false}, {Run, runToken, false, true}, {Run, agentToken, true, false},
		{Agent, "", false, false}, {Agent, "wrong", false, false}, {Agent, readToken, true, false}, {Agent, runToken, true, false}, {Agent, agentToken, false, true},
		{Run, runToken + "x", false, false}, {Run, runToken[1:], false, false},
	} {
		r := guard(t).Check(tt.demanded, tt.token)
		if (r == nil) != tt.ok {
			t.Errorf("%v with %q: %v", tt.demanded, tt.token, r)
		}
		if r != nil && (r.Known != tt.known || r.Message == "" || r.Hint == "" || tt.token != "" && strings.Contains(r.Message+r.Hint, tt.token)) {
			t.Errorf("%v with %q: %+v", tt.demanded, tt.token, r)
		}
	}
}

func TestOneKindOfTokensClosesTheOther(t *testing.T) {
	g := &Guard{Client: tokens(t, runToken, Run)}
	if r := g.Check(Agent, runToken); r == nil || !strings.Contains(r.Hint, "--agent-token-file") {
		t.Errorf("a client's token opened a session: %+v", r)
	}
	if g.Check(Agent, "") == nil {
		t.Error("a session without token was opened")
	}
	g = &Guard{Agent: tokens(t, agentToken, Agent)}
	if g.Check(Read, "") == nil || g.Check(Run, agentToken) == nil {
		t.Error("clients without tokens were let in")
	}
	for _, open := range []*Guard{nil, {}} {
		if open.On() || open.Check(Run, "") != nil {
			t.Error("without tokens all is open")
		}
	}
}

func TestMethodRoles(t *testing.T) {
	for method, want := range map[string]Role{
		"/stampede.v1.TestService/RegisterTest": Run, "/stampede.v1.TestService/StartTest": Run, "/stampede.v1.TestService/CancelTest": Run,
		"/stampede.v1.TestService/DeleteTest": Run, "/stampede.v1.TestService/UploadDataset": Run, "/stampede.v1.TestService/NewOne": Run,
		"/stampede.v1.TestService/GetTest": Read, "/stampede.v1.TestService/ListTests": Read, "/stampede.v1.TestService/WatchTest": Read,
		"/stampede.v1.TestService/GetReport": Read, "/stampede.v1.TestService/StreamSamples": Read, "/stampede.v1.TestService/ListAgents": Read, "/stampede.v1.TestService/ListDatasets": Read,
		"/stampede.v1.AgentService/Session": Agent, "/stampede.v1.AgentService/FetchCorpus": Agent,
		"/grpc.health.v1.Health/Check": Open, "/grpc.health.v1.Health/Watch": Open,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Read,
		"/other.Service/X": Run, "": Run, "/": Run, "GetTest": Run,
	} {
		if got := MethodRole(method); got != want {
			t.Errorf("%s demands %v, want %v", method, got, want)
		}
	}
}

func TestRequestRoles(t *testing.T) {
	for request, want := range map[string]Role{
		"GET /healthz": Open, "GET /readyz": Open, "GET /openapi.json": Open, "GET /": Open, "OPTIONS /v1/tests": Open,
		"GET /metrics": Read, "GET /v1/tests": Read, "HEAD /report/json/x": Read, "GET /tests/report/json/x": Read, "GET /unknown": Read,
		"GET /start_test/x": Run, "GET /start_test": Run, "GET /tests/start/x": Run, "GET //start_test/x": Run, "GET /a/../start_test/x": Run,
		"GET /delete_test/x": Run, "GET /tests/delete_all": Run, "GET /set_nickname/x": Run, "GET /tests/set_nickname/x": Run,
		"POST /register_test": Run, "POST /v1/tests": Run, "DELETE /v1/tests/x": Run, "POST /healthz": Run, "PUT /": Run,
	} {
		method, path, _ := strings.Cut(request, " ")
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path = path
		if got := RequestRole(r); got != want {
			t.Errorf("%s demands %v, want %v", request, got, want)
		}
	}
}

func TestHTTP(t *testing.T) {
	h := guard(t).HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "served") }))
	for _, tt := range []struct {
		headers []string
		want    int
	}{
		{nil, 401}, {[]string{"Bearer wrong"}, 401}, {[]string{"Basic " + runToken}, 401}, {[]string{runToken}, 401},
		{[]string{"Bearer " + readToken}, 403}, {[]string{"Bearer " + agentToken}, 403},
		{[]string{"Bearer " + runToken}, 200}, {[]string{"bearer  " + runToken + " "}, 200},
		{[]string{"Bearer " + runToken, "Bearer " + runToken}, 401},
	} {
		r := httptest.NewRequest(http.MethodPost, "/register_test", nil)
		r.Header["Authorization"] = tt.headers
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want || tt.want != 200 && !strings.Contains(w.Body.String(), `"detail":"`) {
			t.Errorf("%q: %d %s", tt.headers, w.Code, w.Body)
		}
		if (w.Header().Get("WWW-Authenticate") != "") != (w.Code == 401) {
			t.Errorf("%q: WWW-Authenticate %q", tt.headers, w.Header().Get("WWW-Authenticate"))
		}
	}
}

// A call is refused before its message is asked for, and says what to do.
func TestTap(t *testing.T) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.InTapHandle(guard(t).Tap), grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil }))
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, tt := range []struct {
		headers []string
		want    codes.Code
	}{
		{nil, codes.Unauthenticated}, {[]string{"Bearer wrong"}, codes.Unauthenticated}, {[]string{"Bearer " + runToken, "Bearer " + runToken}, codes.Unauthenticated},
		{[]string{"Bearer " + readToken}, codes.PermissionDenied}, {[]string{"Bearer " + runToken}, codes.OK},
	} {
		ctx := t.Context()
		for _, h := range tt.headers {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", h)
		}
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/stampede.v1.TestService/RegisterTest")
		if err != nil {
			t.Fatal(err)
		}
		st := status.Convert(stream.RecvMsg(&emptypb.Empty{}))
		if got := st.Code(); got != tt.want && (tt.want != codes.OK || st.Message() != "EOF") {
			t.Errorf("%q: %v, want %v", tt.headers, st, tt.want)
		}
		if tt.want != codes.OK && len(st.Details()) != 1 {
			t.Errorf("%q: no hint in %v", tt.headers, st.Details())
		}
	}
}

func TestTokenFilesThatAreRefused(t *testing.T) {
	for text, part := range map[string]string{
		"":                                    "no token",
		"# only a comment\n\n":                "no token",
		"short":                               "line 1: a token must have 16",
		"\n" + strings.Repeat("x", 600):       "line 2: a token must have 16 to 512",
		"write " + runToken:                   "must be read or run",
		"agent " + runToken:                   "must be read or run",
		"run it " + runToken:                  "got 3 words",
		"tökentökentökentöken":                "printable ASCII",
		strings.Repeat("y", 100_000) + "\nzz": "too long",
	} {
		_, err := FromText(text, Run)
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), runToken) {
			t.Errorf("%.40q: %v, want %q", text, err, part)
		}
	}
	if _, err := FromText("read "+agentToken, Agent); err == nil {
		t.Error("agents have one role")
	}
	if Disjoint(tokens(t, runToken, Run), tokens(t, "x"+runToken+","+runToken, Agent)) == nil {
		t.Error("a token of both kinds was taken")
	}
}

func TestFileIsReloaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(runToken)
	var failed []error
	set, err := FromFile(path, Run, func(err error) { failed = append(failed, err) })
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * checkEvery)
	held := func(n int) {
		t.Helper()
		if got := len(set.current(later)); got != n {
			t.Errorf("%d tokens are known, want %d", got, n)
		}
		later = later.Add(2 * checkEvery)
	}
	write(runToken + "\n# the next one\nrun " + readToken + "\n")
	held(2)
	write("broken")
	held(2)
	if len(failed) != 1 {
		t.Errorf("failures told: %v", failed)
	}
	write(readToken + "\n")
	held(1)
	if _, ok := set.find(runToken); ok {
		t.Error("a token that was rotated out is still known")
	}
}

func TestSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("# mine\n\n"+runToken+"\n"+readToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Source{{Path: path}, {Token: secret.New(runToken)}, FromEnv(" " + runToken + "\n")} {
		md, err := s.GetRequestMetadata(t.Context())
		if err != nil || md["authorization"] != "Bearer "+runToken || !s.Given() {
			t.Errorf("%v %v", md, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v", s, s), runToken) {
			t.Error("the source shows its token")
		}
	}
	if md, err := (Source{}).GetRequestMetadata(t.Context()); len(md) != 0 || err != nil {
		t.Errorf("nothing to send: %v %v", md, err)
	}
	if _, err := (Source{Path: path + "x"}).Read(); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("# c\nread "+readToken+"\n"+runToken, true)
	f.Fuzz(func(t *testing.T, text string, agent bool) {
		kind := Run
		if agent {
			kind = Agent
		}
		entries, err := parse([]byte(text), kind)
		if (err == nil) != (len(entries) > 0) && err == nil {
			t.Error("no tokens and no error")
		}
		for _, e := range entries {
			if agent != (e.role == Agent) || e.role == Open {
				t.Errorf("role %v in a file of %v", e.role, kind)
			}
		}
	})
}

package simulate

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"none": {}, "status": {Kind: FaultStatus, Status: 500}, "status=429": {Kind: FaultStatus, Status: 429},
		"reset": {Kind: FaultReset}, "reset=3": {Kind: FaultReset, Tokens: 3}, "close=2": {Kind: FaultTruncate, Tokens: 2},
		"truncate": {Kind: FaultTruncate, Tokens: 1}, "stall": {Kind: FaultStall, Tokens: 1}, "stall=5,20ms": {Kind: FaultStall, Tokens: 5, Delay: 20 * time.Millisecond},
		"slow_headers=2s": {Kind: FaultSlowHeaders, Delay: 2 * time.Second}, "html": {Kind: FaultHTML},
		"split": {Kind: FaultSplit, Tokens: 7, Delay: 200 * time.Microsecond}, "split=1": {Kind: FaultSplit, Tokens: 1, Delay: 200 * time.Microsecond},
		"coalesce=9": {Kind: FaultCoalesce, Tokens: 9}, " empty ": {Kind: FaultEmpty},
	} {
		got, err := ParseFault(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if again, err := ParseFault(got.String()); got.Kind != "" && (err != nil || again != got) {
			t.Errorf("%q writes itself as %q: %+v, %v", text, got.String(), again, err)
		}
	}
	for _, text := range []string{"", "x", "status=99", "status=abc", "reset=-1", "html=1", "stall=1,x", "split=0", "coalesce=0", "slow_headers=-1s", "none=1"} {
		if f, err := ParseFault(text); err == nil {
			t.Errorf("%q is %+v", text, f)
		}
	}
}

func TestRuleShares(t *testing.T) {
	count := func(text string) (n int) {
		r, err := parseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 10_000 {
			if r.strikes(rng) {
				n++
			}
		}
		return n
	}
	for text, want := range map[string][2]int{"html": {10_000, 10_000}, "html@1/100": {100, 100}, "html@0.1": {900, 1100}, "html@0": {0, 0}} {
		if got := count(text); got < want[0] || got > want[1] {
			t.Errorf("%s strikes %d of 10000", text, got)
		}
	}
}

// faultCase is a fault and what a client sees of it, with 5 tokens asked for.
type faultCase struct {
	fault  string
	status int    // 0: no answer
	tokens int    // that came
	done   bool   // [DONE] came
	err    error  // how the body ends
	become string // in the account
	check  func(result) bool
	client *http.Client // nil: one that speaks plain HTTP
}

func faultsOfStreams() []faultCase {
	return []faultCase{
		{fault: "status=503", status: 503, become: StatusFaulted, check: func(r result) bool { return strings.Contains(r.body, "simulated failure") }},
		{fault: "html", status: 200, become: StatusFaulted, check: func(r result) bool { return strings.Contains(r.body, "<html>") }},
		{fault: "garbage", become: StatusFaulted, err: errAny},
		{fault: "reset", become: StatusFaulted, err: errAny},
		{fault: "reset=2", status: 200, tokens: 2, err: syscall.ECONNRESET, become: StatusFaulted},
		{fault: "truncate=3", status: 200, tokens: 3, err: io.ErrUnexpectedEOF, become: StatusFaulted},
		{fault: "truncate=99", status: 200, tokens: 5, err: io.ErrUnexpectedEOF, become: StatusFaulted},
		{fault: "malformed_event=2", status: 200, tokens: 5, done: true, become: StatusServed, check: func(r result) bool { return r.events[3].broken }},
		{fault: "error_event=2", status: 200, tokens: 2, done: true, become: StatusFaulted, check: func(r result) bool { return r.events[3].json.Error != nil }},
		{fault: "empty", status: 200, done: true, become: StatusFaulted, check: func(r result) bool { return r.usage.Completion == 0 }},
		{fault: "close_after_reply", status: 200, tokens: 5, done: true, become: StatusServed, check: func(r result) bool { return r.header.Get("Connection") == "" }},
		{fault: "split=3,10us", status: 200, tokens: 5, done: true, become: StatusServed},
		{fault: "coalesce=3", status: 200, tokens: 5, done: true, become: StatusServed},
		{fault: "no_done", status: 200, tokens: 5, become: StatusServed},
		{fault: "stall=2,30ms", status: 200, tokens: 5, done: true, become: StatusServed, check: func(r result) bool {
			return r.events[3].at.Sub(r.events[0].at) > 25*time.Millisecond
		}},
		{fault: "slow_headers=30ms", status: 200, tokens: 5, done: true, become: StatusServed, check: func(r result) bool {
			return r.events[0].at.Sub(r.sent) > 30*time.Millisecond
		}},
	}
}

func TestFaultsOfStreams(t *testing.T) {
	s := start(t, Config{ITL: "1ms"})
	for _, tc := range faultsOfStreams() {
		t.Run(tc.fault, func(t *testing.T) { tc.run(t, s, chatBody(5)) })
	}
}

func TestFaultsOfWholeReplies(t *testing.T) {
	s := start(t, Config{})
	body := `{"messages":[{"role":"user","content":"one"}],"max_tokens":5}`
	for _, tc := range []faultCase{
		{fault: "reset=1", status: 200, err: syscall.ECONNRESET, become: StatusFaulted},
		{fault: "truncate", status: 200, err: io.ErrUnexpectedEOF, become: StatusFaulted},
		{fault: "malformed_event", status: 200, become: StatusServed, check: func(r result) bool { return !strings.HasSuffix(r.body, "}") }},
		{fault: "error_event", status: 500, become: StatusFaulted},
		{fault: "empty", status: 200, become: StatusFaulted, check: func(r result) bool { return strings.Contains(r.body, `"content":""`) }},
		{fault: "stall=1,20ms", status: 200, become: StatusServed, check: func(r result) bool { return strings.Contains(r.body, `"completion_tokens":5`) }},
		{fault: "split=5,10us", status: 200, become: StatusServed},
	} {
		t.Run(tc.fault, func(t *testing.T) { tc.run(t, s, body) })
	}
}

// errAny stands for any error before an answer.
var errAny = errors.New("any")

func (tc *faultCase) run(t *testing.T, s *Server, body string) {
	client := tc.client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{}}
	}
	defer client.CloseIdleConnections()
	id := t.Name()
	r := ask(client, s, "/v1/chat/completions", body, "X-Request-Id: "+id, "X-Sim-Fault: "+tc.fault)
	if (tc.err == nil) != (r.err == nil) || tc.err != nil && !errors.Is(tc.err, errAny) && !errors.Is(r.err, tc.err) {
		t.Errorf("error %v, want %v", r.err, tc.err)
	}
	if r.status != tc.status || r.tokens != tc.tokens || r.done != tc.done {
		t.Errorf("status %d, %d tokens, done %v", r.status, r.tokens, r.done)
	}
	if r.err == nil && tc.check != nil && !tc.check(r) {
		t.Errorf("unexpected answer %+v", r)
	}
	rec := recordOf(t, s, id)
	if rec.Status != tc.become || rec.HTTPStatus != tc.status || rec.Fault == "" {
		t.Errorf("record %s", lines(t, rec))
	}
	if strings.Contains(body, `"stream":true`) && rec.OutputTokens != tc.tokens {
		t.Errorf("account has %d tokens, the client saw %d", rec.OutputTokens, tc.tokens)
	}
}

func TestStallForEver(t *testing.T) {
	s := start(t, Config{Slots: 1})
	client := &http.Client{Transport: &http.Transport{}, Timeout: 50 * time.Millisecond}
	r := ask(client, s, "/v1/chat/completions", chatBody(5), "X-Request-Id: s", "X-Sim-Fault: stall=2")
	if r.err == nil || r.tokens != 2 {
		t.Errorf("%d tokens, error %v", r.tokens, r.err)
	}
	if rec := recordOf(t, s, "s"); rec.Status != StatusDisconnected || rec.OutputTokens != 2 {
		t.Errorf("%s", lines(t, rec))
	}
	if r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(5)); !r.done {
		t.Error("the only slot is not free again")
	}
}

func TestConfiguredFaults(t *testing.T) {
	s := start(t, Config{Faults: []string{"status=429@1/3", "status=500@1/2"}})
	var got []int
	for range 6 {
		got = append(got, ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(1)).status)
	}
	// The second rule counts only what the first let pass: requests 1, 2, 4, 5.
	for i, want := range []int{200, 500, 429, 200, 500, 429} {
		if got[i] != want {
			t.Fatalf("statuses %v", got)
		}
	}
	if r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(1), "X-Sim-Fault: none"); r.status != 200 {
		t.Errorf("the header doesn't override: %d", r.status)
	}
	if r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(1), "X-Sim-Fault: boom"); r.status != 400 {
		t.Errorf("an unknown fault is answered %d", r.status)
	}
}

func TestCloseAfterReplyClosesUnsaid(t *testing.T) {
	s := start(t, Config{})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	r := ask(client, s, "/v1/chat/completions", chatBody(1), "X-Sim-Fault: close_after_reply")
	if !r.done || r.err != nil {
		t.Fatalf("%+v", r)
	}
	waitFor(t, "closed connection", func() bool { return s.Summary().Open == 0 })
}

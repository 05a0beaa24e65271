package simulate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stampede-bench/stampede/internal/clock"
)

func TestRepeatedIDs(t *testing.T) {
	a := newAccount(100, false)
	for _, r := range []Record{
		{ID: "a", Attempt: 1}, {ID: "b", Attempt: 1}, {ID: "b", Attempt: 2}, {ID: "c", Attempt: 1}, {ID: "c", Attempt: 1},
		{ID: "c", Attempt: 1}, {ID: "d", Attempt: 40}, {ID: "d", Attempt: 41}, {},
	} {
		a.arrived(&r)
	}
	s := a.summary()
	if s.Requests != 9 || s.IDs != 4 || s.WithoutID != 1 || s.RepeatedIDs != 3 || s.DuplicateAttempts != 3 || fmt.Sprint(s.Repeated) != "[b c d]" {
		t.Errorf("%+v", s)
	}
	a.maxIDs = 4
	a.arrived(&Record{ID: "e"})
	if s := a.summary(); s.UntrackedIDs != 1 || s.IDs != 4 {
		t.Errorf("%+v", s)
	}
}

func TestAccountKeepsTheNewest(t *testing.T) {
	a := newAccount(3, true)
	for i := range 8 {
		a.ended(&Record{Attempt: i, Status: StatusServed})
	}
	var got []int
	for _, r := range a.records() {
		got = append(got, r.Attempt)
	}
	if s := a.summary(); fmt.Sprint(got) != "[5 6 7]" || s.DroppedRecords != 5 || s.Served != 8 {
		t.Errorf("%v, %+v", got, s)
	}
	if n := len(a.take()); n != 8 {
		t.Errorf("%d records for the file", n)
	}
}

func TestPathsAreBounded(t *testing.T) {
	a := newAccount(3, false)
	for i := range 2 * maxPaths {
		a.other(fmt.Sprint("/", i))
	}
	if s := a.summary(); len(s.OtherRequests) != maxPaths+1 || s.OtherRequests["…"] != maxPaths {
		t.Errorf("%d paths", len(s.OtherRequests))
	}
}

func TestUnwritableAccount(t *testing.T) {
	a := newAccount(10, true)
	f, err := os.Open(filepath.Join(t.TempDir(), "..")) // not open for writing
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a.ended(&Record{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.write(ctx, f); err == nil || a.summary().UnwrittenLines != 1 {
		t.Errorf("error %v, %d lines", err, a.summary().UnwrittenLines)
	}
}

// TestAccountIsComplete asks from many connections at once and finds every
// request once, in memory, in the file and over HTTP.
func TestAccountIsComplete(t *testing.T) {
	const clients, each = 20, 30
	path := filepath.Join(t.TempDir(), "account.jsonl")
	ctx, cancel := context.WithCancel(context.Background())
	s, err := New(Config{Addr: "127.0.0.1:0", TTFT: "uniform:0ms:3ms", ITL: "exp:100us", AccountPath: path, Slots: 7, TokenTimes: true,
		Faults: []string{"status=500@1/10", "truncate@0.1", "split=50,1us@1/9"}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := range each {
				ask(client, s, "/v1/chat/completions", chatBody(8), fmt.Sprintf("X-Request-Id: %d-%d", c, i))
			}
		})
	}
	wg.Wait()
	waitFor(t, "end of all", func() bool { return s.Summary().InFlight == 0 })
	_, body := get(t, s, "/account")
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"file": string(file), "route": body} {
		ids := map[string]Record{}
		for line := range strings.Lines(text) {
			var r Record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v in %s", name, err, line)
			}
			ids[r.ID] = r
			checkRecord(t, &r)
		}
		if n := strings.Count(text, "\n"); len(ids) != clients*each || n != clients*each {
			t.Errorf("%s: %d ids in %d lines", name, len(ids), n)
		}
	}
	sum := s.Summary()
	if sum.Requests != clients*each || sum.IDs != clients*each || sum.RepeatedIDs != 0 || sum.MaxRunning > 7 ||
		sum.Served+sum.Faulted != clients*each || sum.Faulted < 60 {
		t.Errorf("%+v", sum)
	}
}

// checkRecord holds a record against what must be true of any.
func checkRecord(t *testing.T, r *Record) {
	t.Helper()
	if runtime.GOOS == "linux" && r.Stamp != stampKernel {
		t.Errorf("%s: stamp %q", r.ID, r.Stamp)
	}
	order := []int64{r.Arrival, r.Start, r.FirstDue, r.FirstToken, r.LastToken, r.End}
	for i := 1; i < len(order) && r.FirstToken != 0; i++ {
		if order[i] < order[i-1] {
			t.Errorf("%s: instants out of order: %v", r.ID, order)
		}
	}
	if len(r.TokenOffsets) != r.OutputTokens || len(r.TokenOffsets) > 0 && r.TokenOffsets[0] != r.FirstToken-r.Arrival {
		t.Errorf("%s: %d offsets, %d tokens", r.ID, len(r.TokenOffsets), r.OutputTokens)
	}
	if r.Status == StatusServed && r.OutputTokens != 8 || r.Fault == "" && r.Status != StatusServed {
		t.Errorf("%s: %d tokens, %s, fault %q", r.ID, r.OutputTokens, r.Status, r.Fault)
	}
}

func TestInstants(t *testing.T) {
	now := clock.Pair{Mono: 5_000_000_000_000, Unix: 1_800_000_000_000_000_000}
	for name, tc := range map[string]struct {
		stamp int64
		want  instant
	}{
		"a moment ago": {now.Unix - 30_000, instant{now.Mono - 30_000, now.Unix - 30_000, true}},
		"none":         {0, instant{now.Mono, now.Unix, false}},
		"future":       {now.Unix + 1, instant{now.Mono, now.Unix, false}},
		"stepped":      {now.Unix - 11e9, instant{now.Mono, now.Unix, false}},
	} {
		got := instantOf(tc.stamp, now)
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
		if d := got.at(now.Mono+7) - got.at(now.Mono); d != 7 {
			t.Errorf("%s: maps 7 ns to %d", name, d)
		}
	}
}

// TestSlowReader makes the socket refuse what a client doesn't read, while
// another client is served.
func TestSlowReader(t *testing.T) {
	s := start(t, Config{})
	body := chatBody(100_000)
	_, r := dial(t, s, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-Id: slow\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	waitFor(t, "full socket", func() bool {
		return s.meter.generated.Load() > 0 && ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(3)).done
	})
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens, lines := 0, bufio.NewScanner(resp.Body)
	for lines.Scan() {
		tokens += strings.Count(lines.Text(), `"delta":{"content"`)
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) || tokens != 100_000 {
		t.Errorf("%d tokens, %v", tokens, err)
	}
	if rec := recordOf(t, s, "slow"); rec.OutputTokens != 100_000 || rec.Status != StatusServed {
		t.Errorf("%+v", rec)
	}
}

func TestClientLeaves(t *testing.T) {
	s := start(t, Config{TTFT: "1ms", ITL: "1h", Slots: 1})
	body := chatBody(3)
	request := func(id string) string {
		return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s", id, len(body), body)
	}
	running, _ := dial(t, s, request("running"))
	waitFor(t, "first token", func() bool { return s.meter.generated.Load() == 1 })
	queued, _ := dial(t, s, request("queued"))
	waitFor(t, "queued", func() bool { return s.Summary().Waiting == 1 })
	queued.Close()
	if r := recordOf(t, s, "queued"); r.Status != StatusDisconnected || r.Start != 0 || r.OutputTokens != 0 {
		t.Errorf("%+v", r)
	}
	running.Close()
	if r := recordOf(t, s, "running"); r.Status != StatusDisconnected || r.OutputTokens != 1 {
		t.Errorf("%+v", r)
	}
	waitFor(t, "empty server", func() bool {
		sum := s.Summary()
		return sum.Open == 0 && sum.InFlight == 0 && sum.Waiting == 0 && s.meter.running.Load() == 0
	})
}

func TestPromptBlocks(t *testing.T) {
	s := start(t, Config{AccountBlocks: 4})
	send := func(id, text string) []string {
		ask(http.DefaultClient, s, "/v1/chat/completions", strings.Replace(chatBody(1), "one two three", text, 1), "X-Request-Id: "+id)
		return recordOf(t, s, id).PromptBlocks
	}
	// The role is the first word.
	a, b, c := send("a", "1 2 3 4 5 6 7 8"), send("b", "1 2 3 4 5 6 7 9 0"), send("c", "1 2 3 4 5 x 7 8")
	if len(a) != 2 || len(b) != 2 || len(c) != 2 || a[0] != b[0] || a[1] != b[1] || a[0] != c[0] || a[1] == c[1] {
		t.Errorf("got %v, %v, %v", a, b, c)
	}
	if plain := start(t, Config{}); ask(http.DefaultClient, plain, "/v1/chat/completions", chatBody(1), "X-Request-Id: a").status != 200 || recordOf(t, plain, "a").PromptBlocks != nil {
		t.Error("hashes are kept though nobody asked for them")
	}
}

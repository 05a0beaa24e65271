package simulate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// start serves cfg until the test ends, on a free port unless it names one.
func start(t testing.TB, cfg Config) *Server {
	t.Helper()
	orString(&cfg.Addr, "127.0.0.1:0")
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run didn't return")
		}
	})
	return s
}

// event is one event of a stream, as a client sees it.
type event struct {
	at   time.Time
	data string
	json struct {
		ID, Object, Model string
		Choices           []struct {
			Delta struct {
				Role             string
				Content          *string
				ReasoningContent string `json:"reasoning_content"`
			}
			Text         string
			Logprobs     *struct{ Content []struct{ Token string } }
			TokenIDs     []int  `json:"token_ids"`
			FinishReason string `json:"finish_reason"`
		}
		Usage   *usage
		Timings map[string]float64
		Error   *struct{ Message string }
	}
	broken bool
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	Details    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	Completions struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// result is what came back for a request.
type result struct {
	status  int
	header  http.Header
	body    string
	events  []event
	text    string // of all content
	thought string // of all reasoning
	tokens  int    // events that carried text
	reason  string
	usage   *usage
	done    bool // [DONE] came
	sent    time.Time
	err     error // of reading the body
}

// ask sends body to path and reads the answer, naively. opts are headers,
// "Name: value".
func ask(client *http.Client, s *Server, path, body string, opts ...string) result {
	req, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(s.URL(), "/v1")+path, strings.NewReader(body))
	if err != nil {
		return result{err: err}
	}
	for _, o := range opts {
		name, value, _ := strings.Cut(o, ": ")
		req.Header.Set(name, value)
	}
	r := result{sent: time.Now()}
	resp, err := client.Do(req)
	if err != nil {
		r.err = err
		return r
	}
	defer resp.Body.Close()
	r.status, r.header = resp.StatusCode, resp.Header
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		b, err := io.ReadAll(resp.Body)
		r.body, r.err = string(b), err
		return r
	}
	r.readEvents(resp.Body)
	return r
}

func (r *result) readEvents(body io.Reader) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			r.done = true
			continue
		}
		e := event{at: time.Now(), data: data}
		e.broken = json.Unmarshal([]byte(data), &e.json) != nil
		r.add(e)
	}
	r.err = lines.Err()
}

func (r *result) add(e event) {
	r.events = append(r.events, e)
	if e.json.Usage != nil {
		r.usage = e.json.Usage
	}
	for _, c := range e.json.Choices {
		text := c.Text
		if c.Delta.Content != nil {
			text += *c.Delta.Content
		}
		r.text += text
		r.thought += c.Delta.ReasoningContent
		if text != "" || c.Delta.ReasoningContent != "" {
			r.tokens++
		}
		if c.FinishReason != "" {
			r.reason = c.FinishReason
		}
	}
}

// chatBody is a chat request for n streamed tokens with usage.
func chatBody(n int) string {
	return fmt.Sprintf(`{"model":"stampede-sim","messages":[{"role":"user","content":"one two three"}],"max_tokens":%d,"stream":true,"stream_options":{"include_usage":true}}`, n)
}

func get(t testing.TB, s *Server, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// recordOf waits for the record of a request that the client has seen the end of;
// the server books it a moment after.
func recordOf(t testing.TB, s *Server, id string) *Record {
	t.Helper()
	var found *Record
	waitFor(t, "record of "+id, func() bool {
		for _, r := range s.Account() {
			if r.ID == id {
				found = r
			}
		}
		return found != nil
	})
	return found
}

// waitFor waits until cond holds.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after 10s", what)
		}
	}
}

// lines returns the account's lines as they are written.
func lines(t testing.TB, r *Record) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeLines(&b, []*Record{r}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// plainText is what tokens [from, to) of a reply with that seed read as.
func plainText(seed uint64, from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(vocabulary[wordAt(len(vocabulary), seed, i)].plain)
	}
	return b.String()
}

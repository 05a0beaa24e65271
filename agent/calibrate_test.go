package agent

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func TestTokensPerWord(t *testing.T) {
	points := func(tokens ...int) []lengthPoint {
		var ps []lengthPoint
		for i, n := range tokens {
			ps = append(ps, lengthPoint{words: calibrationWords[i], tokens: n})
		}
		return ps
	}
	for _, tt := range []struct {
		name    string
		points  []lengthPoint
		want    float64
		problem string
	}{
		{"one token a word", points(20, 40, 80, 160, 320), 1, ""},
		{"a template on top", points(20+17, 40+17, 80+17, 160+17, 320+17), 1, ""},
		{"a big template", points(1026, 1052, 1104, 1208, 1416), 1.3, ""},
		{"rounding", points(27, 53, 107, 213, 427), 1.3333, ""},
		{"one odd count", points(20, 40, 9999, 160, 320), 1, ""},
		{"one zero", points(0, 40, 80, 160, 320), 1, ""},
		{"three answers", points(30, 60, 120), 1.5, ""},
		{"no answer", nil, 0, "0 of 5 answers came with usage"},
		{"two answers", points(20, 40), 0, "2 of 5 answers came with usage"},
		{"zeros", points(0, 0, 0, 0, 0), 0, "0 tokens a word"},
		{"a constant", points(7, 7, 7, 7, 7), 0, "0 tokens a word"},
		{"falling", points(320, 160, 80, 40, 20), 0, "-1 tokens a word"},
		{"characters, not tokens", points(120, 240, 480, 960, 1920), 0, "6 tokens a word"},
		{"scattered", points(400, 40, 20, 300, 320), 0, ""},
		{"one length", []lengthPoint{{20, 20}, {20, 21}, {20, 22}}, 0, "the same length"},
	} {
		got, problem := tokensPerWord(tt.points)
		if tt.name == "scattered" {
			if problem == "" {
				t.Errorf("%s: got %v, want none", tt.name, got)
			}
			continue
		}
		if math.Abs(got-tt.want) > 0.01 || !strings.Contains(problem, tt.problem) || (problem == "") != (tt.problem == "") {
			t.Errorf("%s: got %v, %q, want %v, %q", tt.name, got, problem, tt.want, tt.problem)
		}
	}
}

// Whatever template and factor a tokenizer has, and whichever one answer is odd,
// the factor is found; what is found is always a plausible one.
func TestTokensPerWordLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		factor := rapid.Float64Range(0.4, 4.5).Draw(t, "factor")
		overhead := rapid.IntRange(0, 2000).Draw(t, "overhead")
		odd := rapid.IntRange(-1, 4).Draw(t, "odd")
		var points []lengthPoint
		for i, n := range calibrationWords {
			p := lengthPoint{n, overhead + int(math.Round(factor*float64(n)))}
			if i == odd {
				p.tokens = rapid.IntRange(0, 100000).Draw(t, "odd count")
			}
			points = append(points, p)
		}
		got, problem := tokensPerWord(points)
		if problem != "" || math.Abs(got-factor) > 0.05*factor+0.02 {
			t.Fatalf("got %v %q, want %v", got, problem, factor)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var points []lengthPoint
		for range rapid.IntRange(0, 7).Draw(t, "n") {
			points = append(points, lengthPoint{rapid.IntRange(1, 400).Draw(t, "words"), rapid.Int().Draw(t, "tokens")})
		}
		if got, problem := tokensPerWord(points); problem == "" && !(got >= slopeLeast && got <= slopeMost) {
			t.Fatalf("%v: %v", points, got)
		}
	})
}

// counter answers each request with the usage that count says of its words.
type counter struct {
	count func(words int) any

	mu      sync.Mutex
	prompts []string
	asked   []float64
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/chat/completions" {
		http.NotFound(w, r)
		return
	}
	var body struct {
		MaxTokens float64 `json:"max_tokens"`
		Messages  []struct{ Content string }
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	c.mu.Lock()
	c.prompts = append(c.prompts, body.Messages[0].Content)
	c.asked = append(c.asked, body.MaxTokens)
	c.mu.Unlock()
	n := c.count(len(strings.Fields(body.Messages[0].Content)))
	if status, failed := n.(error); failed {
		http.Error(w, status.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n")
	if n != nil {
		fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%v,\"completion_tokens\":1}}\n\n", n)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func TestCalibrate(t *testing.T) {
	tooLong := fmt.Errorf("the context is too short")
	for _, tt := range []struct {
		name   string
		more   string // of the dataset
		count  func(words int) any
		want   float64
		notice string
	}{
		{"usage", "", func(n int) any { return n*3/2 + 40 }, 1.5, "calibrated: 1.5 tokens a word, by the usage of 5 prompts"},
		{"a short context", "", func(n int) any {
			if n > 100 {
				return tooLong
			}
			return 2 * n
		}, 2, "usage of 3 prompts"},
		{"no usage", "", func(int) any { return nil }, 0, "calibration did not work, the usual factor is used: 0 of 5"},
		{"zero", "", func(int) any { return 0 }, 0, "calibration did not work"},
		{"negative", "", func(n int) any { return -n }, 0, "calibration did not work"},
		{"a constant", "", func(int) any { return 12 }, 0, "calibration did not work"},
		{"no number", "", func(int) any { return `"many"` }, 0, "calibration did not work"},
		{"far too many", "", func(n int) any { return 1 << 40 * n }, 0, "calibration did not work"},
		{"every request refused", "", func(int) any { return tooLong }, 0, "the context is too short"},
		{"people's texts", "path: x.jsonl", func(n int) any { return n * 13 / 10 }, 1.3, "calibrated"},
		{"known", "tokens_per_word: 2", func(n int) any { return n }, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &counter{count: tt.count}
			server := httptest.NewServer(c)
			defer server.Close()
			r := calibrated(t, server.URL, tt.more)
			if r.GetErrorKind() != "" {
				t.Fatalf("got %v", r)
			}
			if got := r.GetTokensPerWord(); math.Abs(got-tt.want) > 0.02*tt.want {
				t.Errorf("got %v tokens a word, want %v", got, tt.want)
			}
			if notices := strings.Join(r.GetNotices(), "\n"); !strings.Contains(notices, tt.notice) {
				t.Errorf("notices %q, want %q", notices, tt.notice)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			for i, asked := range c.asked {
				if asked != 1 || len(strings.Fields(c.prompts[i])) != calibrationWords[i] {
					t.Errorf("prompt %d of %d words asked for %v tokens", i, len(strings.Fields(c.prompts[i])), asked)
				}
			}
		})
	}
}

// The prompts share no beginning with those of the run, nor with each other, so
// that nothing of the run is in a prefix cache.
func TestCalibrationPromptsAreNoPromptsOfTheRun(t *testing.T) {
	c := &counter{count: func(n int) any { return n }}
	server := httptest.NewServer(c)
	defer server.Close()
	calibrated(t, server.URL, "")
	s, _ := spec(t, "endpoint: {url: \"http://h/v1\", model: m}\nload: {stages: [{rate: 1, duration: 1s}]}")
	p := &probe{spec: s, result: &stampedev1.ProbeResult{}}
	begins := map[string]bool{}
	for i := range 3 {
		text, err := p.calibrationText(i, 40)
		if err != nil {
			t.Fatal(err)
		}
		begins[strings.Join(strings.Fields(text)[:5], " ")] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, prompt := range c.prompts {
		begins[strings.Join(strings.Fields(prompt)[:5], " ")] = true
	}
	if len(begins) != 3+len(calibrationWords) {
		t.Errorf("%d different beginnings, want %d", len(begins), 3+len(calibrationWords))
	}
}

func calibrated(t *testing.T, url, more string) *stampedev1.ProbeResult {
	t.Helper()
	if more != "" {
		more = ", " + more
	}
	return ask(t, url, ", model: m}\npreflight: false\ndataset: {calibrate: true"+more, false)
}

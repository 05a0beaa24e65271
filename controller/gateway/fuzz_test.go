package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stampede-bench/stampede/internal/guard"
)

// FuzzRoutes asks for anything: no answer is a fault of this program, all are
// JSON, a picture, text or an archive, and none repeats much of what was asked.
func FuzzRoutes(f *testing.F) {
	for _, r := range seedRoutes {
		for _, path := range r.paths {
			f.Add(r.method, strings.Replace(path, "{id}", "done", 1), "", []byte(readmeBody))
		}
	}
	f.Add("GET", "/report/json/../../etc/passwd", "", []byte{})
	f.Add("GET", "/config/\x00\r\nSet-Cookie: x", "", []byte{})
	f.Add("GET", "/trace/tps/running", "sample_len=5&model=m", []byte{})
	f.Add("POST", "/v1/tests", "", []byte(`{"spec":{"endpoint":{"url":"http://h"}}}`))
	f.Add("DELETE", "/v1/tests/x", "", []byte{})
	f.Add("GET", "/v1/tests/known-1/watch", "after_revision=8", []byte{})
	f.Add("POST", "/v1/datasets", "file_name=p.json", []byte("hello"))
	f.Add("POST", "/v1/tests/known-1/start", "", []byte(`{"requestId":"r"}`))
	r := newRig(f)
	r.populateNow()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.g.Run(ctx) }()
	f.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			f.Error(err)
		}
	})
	h, err := guard.New(guard.Config{}, r.handler)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		if method == "" || strings.ContainsFunc(method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
			method = http.MethodGet
		}
		req := httptest.NewRequest(method, "http://localhost/", strings.NewReader(string(body)))
		req.URL = &url.URL{Path: path, RawQuery: query}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		checkAnswer(t, w, path)
	})
}

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder, path string) {
	t.Helper()
	if w.Code >= 500 && w.Code != http.StatusServiceUnavailable || w.Code < 200 {
		t.Errorf("%q: %d %s", path, w.Code, w.Body)
	}
	for name, values := range w.Header() {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("%q: header %s is %q", path, name, v)
			}
		}
	}
	if w.Header().Get("Content-Type") != typeJSON {
		return
	}
	if !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
		t.Errorf("%q: not JSON: %q", path, w.Body)
	}
	if strings.Contains(w.Body.String(), "sk-hidden") {
		t.Errorf("%q: a secret is in the answer", path)
	}
}

// FuzzSeedBody registers anything: it is taken, or every fault is named in the
// shape that clients know, and the key that is in it shows in no answer.
func FuzzSeedBody(f *testing.F) {
	f.Add([]byte(readmeBody))
	for _, body := range wrongBodies {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"url":"http://h/v1","model":"m","dataset_name":"synthesizer","endpoint_type":"vllm","key":"sk-veryhidden","dataset_config":{"func":"lambda t: 2**2**30","prompt_source":"synthetic"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newRig(t)
		w := r.ask(http.MethodPost, "/register_test", string(body))
		switch w.Code {
		case http.StatusOK:
			checkRegistered(t, r, w, body)
		case http.StatusUnprocessableEntity:
			var answer struct{ Detail []fault }
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Detail) == 0 {
				t.Errorf("%s: %v", w.Body, err)
			}
			for _, d := range answer.Detail {
				if len(d.Loc) == 0 || d.Loc[0] != "body" || d.Msg == "" || d.Type == "" {
					t.Errorf("%+v", d)
				}
			}
		default:
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func checkRegistered(t *testing.T, r *rig, w *httptest.ResponseRecorder, body []byte) {
	t.Helper()
	var id string
	if err := json.Unmarshal(w.Body.Bytes(), &id); err != nil {
		t.Fatal(err)
	}
	config := r.ask(http.MethodGet, "/config/"+id, "").Body
	if !json.Valid(config.Bytes()) {
		t.Errorf("config of %q is %q", body, config)
	}
	row, _ := r.g.find(id)
	for _, s := range []string{row.Spec.Endpoint.APIKey.Reveal(), row.Spec.Dataset.HubToken.Reveal()} {
		if len(s) > 12 && s != "EMPTY" && strings.Contains(config.String(), s) {
			t.Errorf("config of %q shows a secret", body)
		}
	}
}

package controller

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func TestRegisterNamesEveryViolation(t *testing.T) {
	datasets := t.TempDir()
	if err := os.WriteFile(filepath.Join(datasets, "good.jsonl"), []byte(`{"prompt":"a"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(datasets, "link.jsonl")); err != nil {
		t.Fatal(err)
	}
	rate := func(v float64) *stampedev1.Load {
		return &stampedev1.Load{Stages: []*stampedev1.Stage{{Rate: &v, Requests: 1}}}
	}
	url := &stampedev1.Endpoint{Url: "http://127.0.0.1:1/v1", Model: "m"}
	for _, tc := range []struct {
		name string
		spec *stampedev1.Spec
		want map[string]string // path → part of the text; empty: accepted
	}{
		{"no spec", nil, map[string]string{"spec": "required"}},
		{"several at once", &stampedev1.Spec{Endpoint: &stampedev1.Endpoint{}, Load: rate(-3)},
			map[string]string{"endpoint.url": "", "load.stages[0].rate": "-3"}},
		{"a wrong value hides no other", &stampedev1.Spec{
			Endpoint: url, Slo: &stampedev1.Slo{Ttft: durationpb.New(0)}, Gates: []string{"ttfd.p99<1s"}, Dataset: &stampedev1.Dataset{Path: "no.jsonl"},
			Load: &stampedev1.Load{Stages: []*stampedev1.Stage{{Func: "t"}, {Func: "lambda t: t * 1e9"}}},
		}, map[string]string{
			"slo.ttft": "0", "load.stages[0].func": "", "load.stages[1].func": "2000000000", "gates[0]": "did you mean ttft.p99?", "dataset.path": "dataset folder",
		}},
		{"an environment variable of the caller", &stampedev1.Spec{Endpoint: &stampedev1.Endpoint{Url: url.Url, Model: "m", ApiKeyEnv: "HOME_KEY"}, Load: rate(1)},
			map[string]string{"endpoint.api_key_env": "--allow-env"}},
		{"one that is allowed", &stampedev1.Spec{Endpoint: &stampedev1.Endpoint{Url: url.Url, Model: "m", ApiKeyEnv: "ALLOWED"}, Load: rate(1)}, nil},
		{"a gate on no figure", &stampedev1.Spec{Endpoint: url, Load: rate(1), Gates: []string{"fail_rate<1%", "ttfd.p99<1s"}},
			map[string]string{"gates[1]": "did you mean ttft.p99?"}},
		{"a file of the caller", &stampedev1.Spec{Endpoint: url, Load: rate(1), Dataset: &stampedev1.Dataset{Name: "jsonl", Path: "../../etc/passwd"}},
			map[string]string{"dataset.path": "calling process"}},
		{"an absolute path elsewhere", &stampedev1.Spec{Endpoint: url, Load: rate(1), Dataset: &stampedev1.Dataset{Name: "jsonl", Path: "/etc/passwd"}},
			map[string]string{"dataset.path": "dataset folder"}},
		{"a link out of the folder", &stampedev1.Spec{Endpoint: url, Load: rate(1), Dataset: &stampedev1.Dataset{Name: "jsonl", Path: "link.jsonl"}},
			map[string]string{"dataset.path": "dataset folder"}},
		{"a file under the folder", &stampedev1.Spec{Endpoint: url, Load: rate(1), Dataset: &stampedev1.Dataset{Name: "jsonl", Path: "good.jsonl"}}, nil},
		{"data that was not uploaded", &stampedev1.Spec{Endpoint: url, Load: rate(1), Dataset: &stampedev1.Dataset{Name: "jsonl", CorpusHash: strings.Repeat("0", 64)}},
			map[string]string{"dataset.corpus_hash": "UploadDataset"}},
		{"a hash that is a path", &stampedev1.Spec{Endpoint: url, Load: rate(1), Dataset: &stampedev1.Dataset{Name: "jsonl", CorpusHash: "../x"}},
			map[string]string{"dataset.corpus_hash": ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, Config{DatasetDir: datasets, AllowEnv: []string{"ALLOWED"}}, func(r *rig) {
				_, err := r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: tc.spec})
				if len(tc.want) == 0 {
					if err != nil {
						t.Errorf("refused: %v", err)
					}
					return
				}
				wantCode(t, err, "InvalidArgument", "")
				got := violations(err)
				for path, text := range tc.want {
					if said, there := got[path]; !there || !strings.Contains(said, text) {
						t.Errorf("%s: %q, want it to contain %q (all: %v)", path, said, text, got)
					}
				}
			})
		})
	}
}

func TestRegisterIsSafeToRepeat(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		req := &stampedev1.RegisterTestRequest{Spec: spec(t, openSpec), RequestId: "same"}
		a, err := r.tests.RegisterTest(r.ctx, req)
		if err != nil || len(a.GetTestId()) != 36 {
			t.Fatalf("%v, %v", a, err)
		}
		if b, err := r.tests.RegisterTest(r.ctx, req); err != nil || b.GetTestId() != a.GetTestId() {
			t.Errorf("repeated: %v, %v", b, err)
		}
		other := spec(t, openSpec)
		other.Name = "another"
		_, err = r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: other, RequestId: "same"})
		wantCode(t, err, "AlreadyExists", "was given before")
		_, err = r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: spec(t, openSpec), RequestId: "same", TestId: "another"})
		wantCode(t, err, "AlreadyExists", "was given before")
		req = &stampedev1.RegisterTestRequest{Spec: spec(t, openSpec), TestId: "my-test_1"}
		if c, err := r.tests.RegisterTest(r.ctx, req); err != nil || c.GetTestId() != "my-test_1" {
			t.Errorf("own id: %v, %v", c, err)
		}
		_, err = r.tests.RegisterTest(r.ctx, req)
		wantCode(t, err, "AlreadyExists", "my-test_1")
		for _, bad := range []string{"a.1", "../x", strings.Repeat("a", 65), "a b"} {
			_, err = r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: spec(t, openSpec), TestId: bad})
			wantCode(t, err, "InvalidArgument", "test_id")
		}
		_, err = r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: spec(t, openSpec), RequestId: strings.Repeat("r", 200)})
		wantCode(t, err, "InvalidArgument", "request_id")
	})
}

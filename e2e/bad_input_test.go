package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/workload"
)

// badInput is a spec whose fault shows only when its schedule is compiled or its
// data read.
type badInput struct {
	name, stage, file, data, columns, key, message string
}

func badInputs() []badInput {
	const one = `{"requests": 1, "concurrency": 1}`
	const replay = `{"replay": {}}`
	return []badInput{
		{"too many", `{"func": "lambda t: t * 1e9"}`, "", "", "", "load.stages[0].func", "asks for 2000000000 requests at t=2, at most 1000000000 are allowed"},
		{"no end", `{"func": "lambda t: t"}`, "", "", "", "load.stages[0].func", "has not ended at t=604800 (7 days)"},
		{"fails late", `{"func": "lambda t: 1 / (t - 3)", "duration": "9s"}`, "", "", "", "load.stages[0].func", "fails at t=3: "},
		{"nothing", `{"rate": 0.001, "arrival": "poisson", "duration": "1s"}`, "", "", "", "load.stages", "plan no request at all"},
		{"too many by rate", `{"rate": 1e9, "duration": "24h"}`, "", "", "", "load.stages[0]", "asks for about 8.64e+13 requests, at most 1000000000 are allowed"},
		{"no arrivals", replay, "a.jsonl", `{"prompt": "x"}`, "", "load.stages[0].replay", "needs recorded arrivals"},
		{"bytes", one, "a.bin", "\x00\x01\xfe", "", "dataset.path", "a.bin: holds bytes that are no text in UTF-8; JSON, "},
		{"nothing in it", one, "a.csv", "", "", "dataset.path", "a.csv: the file is empty"},
		{"no conversation", one, "a.json", "[]", "", "dataset.path", "a.json: holds no conversation that could be sent"},
		{"negative time", replay, "a.jsonl", `{"timestamp": -5, "input_length": 1, "output_length": 1}`, "", "dataset.path", "a.jsonl:1:15: timestamp: must not be negative, got -5"},
		{"other columns", one, "a.csv", "x,y\n1,2\n", "", "dataset.path", "a.csv:2:1: the row has none of prompt, messages and conversations; it has x, y"},
		{"a column that is not there", one, "a.csv", "x,y\n1,2\n", `"columns": {"prompt": "z"},`, "dataset.path", "a.csv:2:1: column z: is not in the row; it has x, y"},
	}
}

// spec writes the data, if there is any, and returns the spec's JSON.
func (b badInput) spec(t *testing.T) string {
	t.Helper()
	dataset := ""
	if b.file != "" {
		path := filepath.Join(t.TempDir(), b.file)
		if err := os.WriteFile(path, []byte(b.data), 0o600); err != nil {
			t.Fatal(err)
		}
		dataset = fmt.Sprintf(`"dataset": {%s "path": %q},`, b.columns, path)
	}
	return fmt.Sprintf(`{"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "m"}, %s "load": {"stages": [%s]}}`, dataset, b.stage)
}

// What is found only when the schedule is compiled, or the data read, is a bad spec
// at every door: exit status 2, InvalidArgument, 400, client.ErrInvalidSpec.
func TestBadInputIsABadSpecAtEveryDoor(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	sdk, err := client.Dial(c.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	defer sdk.Close()
	for _, b := range badInputs() {
		t.Run(b.name, func(t *testing.T) {
			text := b.spec(t)
			file := harness.WriteSpec(t, text)
			for _, args := range [][]string{
				{"run", "--out=", "--no-progress"}, {"plan"},
				{"run", "--out=", "--no-progress", "--controller", c.GRPC}, {"register", "--controller", c.GRPC},
			} {
				r := harness.Stampede(t, append(args, "-f", file)...)
				if r.Code != 2 || r.Out != "" || !strings.Contains(r.Err, "stampede: error: "+b.key+": "+b.message) {
					t.Errorf("%v: exit %d, %s%s", args, r.Code, r.Out, r.Err)
				}
			}
			spec, _, err := workload.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = sdk.Register(t.Context(), spec, client.RegisterOptions{})
			var faults workload.Errors
			if !errors.Is(err, client.ErrInvalidSpec) || !errors.As(err, &faults) || faults[0].Path != b.key || !strings.Contains(err.Error(), b.message) {
				t.Errorf("SDK: %v", err)
			}
			b.onTheWire(t, c, text)
		})
	}
}

// onTheWire asks by gRPC and by HTTP, where data is uploaded before.
func (b badInput) onTheWire(t *testing.T, c *harness.Cluster, spec string) {
	t.Helper()
	s := site{t, "http://" + c.HTTP}
	key := b.key
	if b.file != "" {
		if b.columns != "" {
			return // an upload is read as its columns say
		}
		body := fmt.Sprintf(`{"file_name": %q, "data": %q}`, b.file, base64.StdEncoding.EncodeToString([]byte(b.data)))
		up := harness.Command(t, body, harness.Grpcurl(), "-plaintext", "-d", "@", c.GRPC, "stampede.v1.TestService/UploadDataset")
		rest := s.do("POST", "/v1/datasets?file_name="+b.file, b.data)
		if up.Code != 0 { // the data itself is wrong
			if !strings.Contains(up.Err, "InvalidArgument") || !strings.Contains(up.Err, b.message) || rest.status != 400 || !strings.Contains(rest.body, b.message) {
				t.Errorf("upload: %s, %d %s", up.Err, rest.status, rest.body)
			}
			return
		}
		var answer struct {
			CorpusHash string `json:"corpusHash"`
		}
		if err := json.Unmarshal([]byte(up.Out), &answer); err != nil {
			t.Fatalf("%v in %s", err, up.Out)
		}
		spec = fmt.Sprintf(`{"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "m"}, "dataset": {"corpus_hash": %q}, "load": {"stages": [%s]}}`, answer.CorpusHash, b.stage)
		key = strings.Replace(key, "dataset.path", "dataset.corpus_hash", 1)
	}
	r := harness.Command(t, fmt.Sprintf(`{"spec": %s}`, spec), harness.Grpcurl(), "-plaintext", "-d", "@", c.GRPC, "stampede.v1.TestService/RegisterTest")
	if r.Code == 0 || !strings.Contains(r.Err, "Code: InvalidArgument") || !strings.Contains(r.Err, key+": "+b.message) {
		t.Errorf("gRPC: exit %d, %s%s", r.Code, r.Out, r.Err)
	}
	a := s.do("POST", "/v1/tests", fmt.Sprintf(`{"spec": %s}`, spec))
	var problem struct {
		Violations []struct{ Field, Description string }
	}
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil || a.status != 400 || len(problem.Violations) != 1 || problem.Violations[0].Field != key {
		t.Errorf("REST: %d %s", a.status, a.body)
	}
}

// Files of the controller are read when a run starts: it fails then, and whoever
// asks for it is told that the spec is the reason.
func TestAFileOfTheControllerThatIsWrong(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "a.csv"), []byte("x,y\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := harness.StartController(t, "--dataset-dir", folder)
	file := harness.WriteSpec(t, `{endpoint: {url: "http://127.0.0.1:9/v1", model: m}, dataset: {path: a.csv}, load: {stages: [{concurrency: 1, requests: 1}]}}`)
	const want = "stampede: error: dataset.path: a.csv:2:1: the row has none of prompt"
	if r := harness.Stampede(t, "run", "-f", file, "--controller", c.GRPC, "--out=", "--no-progress"); r.Code != 2 || !strings.Contains(r.Err, want) || !strings.Contains(r.Err, "hint: ") {
		t.Errorf("run: exit %d, %s", r.Code, r.Err)
	}
	id := strings.TrimSpace(harness.Stampede(t, "register", "-f", file, "--controller", c.GRPC).Must(t, 0).Out)
	harness.Stampede(t, "start", id, "--controller", c.GRPC).Must(t, 0)
	if r := harness.Stampede(t, "watch", id, "--controller", c.GRPC); r.Code != 2 || !strings.Contains(r.Err, want) {
		t.Errorf("watch: exit %d, %s", r.Code, r.Err)
	}
	if r := harness.Stampede(t, "report", id, "--controller", c.GRPC); r.Code != 2 || !strings.Contains(r.Err, "a.csv:2:1: ") {
		t.Errorf("report: exit %d, %s", r.Code, r.Err)
	}
	if r := harness.Stampede(t, "register", "--url", "http://127.0.0.1:9/v1", "--dataset", "b.csv", "--controller", c.GRPC); r.Code != 2 ||
		!strings.Contains(r.Err, `error: dataset.path: there is no such file here, and the controller can't take "b.csv": there is no such file in its dataset folder`) {
		t.Errorf("neither here nor there: exit %d, %s", r.Code, r.Err)
	}
}

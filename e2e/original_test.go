package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// shortFunc is the original's example function for two seconds instead of sixty,
// and shortCount how many requests that is.
const (
	shortFunc  = "lambda t: int(t / 0.1 + 1) if t < 2 else None"
	shortCount = 11
)

// readmeBody is the body of the original's README for a model server, but for
// the function's length and the source of prompts, which needs no download.
func readmeBody(modelServer string) string {
	return `{
               "url": "` + modelServer + `",
               "model": "mistralai/Mistral-7B-Instruct-v0.1",
               "dataset_name": "synthesizer",
               "endpoint_type": "vllm",
               "dataset_config": {
                   "func": "` + shortFunc + `",
                   "random_seed": 1234,
                   "prompt_source": "synthetic"
               },
               "kwargs": {
                   "temperature": 0.9,
                   "top_p": 1,
                   "max_tokens": 512,
                   "skip_idle_min": 20,
                   "time_step": 0.01,
                   "request_timeout": 3600,
                   "hf_auth_key": "hf_1234567890qwertyuiop"
               }
            }`
}

// site is a controller's HTTP port.
type site struct {
	t    *testing.T
	base string
}

// answer is what a request was answered with.
type answer struct {
	status int
	media  string
	body   string
}

func (s site) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Content-Type"), string(data)}
}

func (s site) get(path string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, path, "")
}

// want gets a path and compares the body.
func (s site) want(path, body string) {
	s.t.Helper()
	if a := s.get(path); a.status != http.StatusOK || a.body != body {
		s.t.Errorf("GET %s: %d %s, want 200 %s", path, a.status, a.body, body)
	}
}

// finished asks for the status until the test has ended, and returns the states
// that were seen, each once.
func (s site) finished(path string) []string {
	s.t.Helper()
	var seen []string
	for range 600 {
		state := strings.Trim(s.get(path).body, `"`)
		if !slices.Contains(seen, state) {
			seen = append(seen, state)
		}
		if state == "finish" || state == "error" {
			return seen
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("not finished in 30 s; states %v", seen)
	return nil
}

func needsCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("what curl does was not tested: there is no curl here")
	}
}

// curl runs the command as the original's README has it.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	needsCurl(t)
	return harness.Command(t, "", "curl", append([]string{"-sS"}, args...)...).Must(t, 0).Out
}

func TestReadmeOfTheOriginal(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--model", "mistralai/Mistral-7B-Instruct-v0.1", "--ttft", "20ms", "--itl", "1ms", "--tokens", "8")
	c := harness.StartCluster(t, 2)
	s := site{t, "http://" + c.HTTP}

	quoted := curl(t, "-X", "POST", c.HTTP+"/register_test", "-H", "Content-Type: application/json", "-d", readmeBody(sim.URL()))
	id := strings.Trim(quoted, `"`)
	if len(id) != 36 || quoted != `"`+id+`"` {
		t.Fatalf("registered %q, want a quoted id of 36 characters", quoted)
	}
	s.want("/test_status/"+id, `"init"`)
	if a := s.get("/report/json/" + id); a.status != 404 || a.body != `{"detail":"Report not found"}` {
		t.Errorf("a report before the run: %d %s", a.status, a.body)
	}
	if got := curl(t, c.HTTP+"/start_test/"+id); got != `"OK"` {
		t.Fatalf("started: %s", got)
	}
	s.want("/start_test/"+id, `"Test `+id+` is already running"`)
	if a := s.get("/tests/delete/" + id); a.status != http.StatusConflict || !strings.Contains(a.body, "cancel it first") {
		t.Errorf("deleting while it runs: %d %s", a.status, a.body)
	}
	if seen := s.finished("/test_status/" + id); seen[len(seen)-1] != "finish" || !slices.Contains(seen, "running") {
		t.Errorf("states %v, want running and then finish", seen)
	}
	checkReport(t, s, c, id)
	checkRest(t, s, c, id)
	if n := len(sim.Account(t)); n != shortCount {
		t.Errorf("the model server was asked %d times, want %d", n, shortCount)
	}
	s.want("/delete_test/"+id, `"OK"`)
	s.want("/test_status/"+id, `"Cannot find test `+id+`"`)
	if _, err := os.Stat(filepath.Join(c.DataDir, "runs", id)); !os.IsNotExist(err) {
		t.Errorf("the files are still there: %v", err)
	}
}

// checkReport holds the report, the plots and the download against the files.
func checkReport(t *testing.T, s site, c *harness.Cluster, id string) {
	t.Helper()
	a := s.get("/report/json/" + id)
	var keys map[string]json.RawMessage // exact: SLO is not slo
	if err := json.Unmarshal([]byte(a.body), &keys); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	var ttft, tpot struct{ Min, Max, Avg, Std float64 }
	var count, failRate, slo, throughput float64
	for name, v := range map[string]any{"TTFT": &ttft, "TPOT": &tpot, "request_num": &count, "fail_rate": &failRate, "SLO": &slo, "Throughput": &throughput} {
		if err := json.Unmarshal(keys[name], v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if count != shortCount || failRate != 0 || ttft.Min < 0.02 || ttft.Max < ttft.Avg || tpot.Avg <= 0 || slo <= 0 || throughput <= 0 {
		t.Errorf("request_num %v, fail_rate %v, TTFT %+v, TPOT %+v, SLO %v, Throughput %v", count, failRate, ttft, tpot, slo, throughput)
	}
	files := harness.ReadRun(t, filepath.Join(c.DataDir, "runs", id), id)
	if file, err := os.ReadFile(filepath.Join(c.DataDir, "runs", id, "report_"+id+".json")); err != nil || string(file) != a.body {
		t.Errorf("report_%s.json is not what was answered: %v", id, err)
	}
	s.want("/get/workload_hash/"+id, `"`+files.Hash+`"`)
	for _, path := range []string{"/report/throughput/", "/report/requests_status/"} {
		p := s.get(path + id)
		if _, err := png.Decode(strings.NewReader(p.body)); err != nil || p.media != "image/png" {
			t.Errorf("GET %s: %d %s: %v", path, p.status, p.media, err)
		}
	}
	d := s.get("/report/download/" + id)
	archive, err := zip.NewReader(strings.NewReader(d.body), int64(len(d.body)))
	if err != nil || d.media != "application/zip" {
		t.Fatalf("download: %d %s: %v", d.status, d.media, err)
	}
	var names []string
	for _, f := range archive.File {
		names = append(names, f.Name)
	}
	for _, want := range []string{"report_" + id + ".json", "requests_" + id + ".jsonl", "requests_" + id + ".parquet", "rs_" + id + ".png", "tp_" + id + ".png", "workload_hash_" + id + ".txt"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in the download: %v", want, names)
		}
	}
}

// checkRest asks the other routes, and both spellings for the same.
func checkRest(t *testing.T, s site, c *harness.Cluster, id string) {
	t.Helper()
	s.want("/test_model/"+id, `"mistralai/Mistral-7B-Instruct-v0.1"`)
	s.want("/error_info/"+id, `"`+id+` has no error"`)
	s.want("/set_nickname/"+id+"?nickname=first", `"OK"`)
	var list [][]string
	if err := json.Unmarshal([]byte(s.get("/id_list").body), &list); err != nil || len(list) != 1 || list[0][0] != id || list[0][1] != "first" {
		t.Errorf("id_list: %v, %v", list, err)
	} else if _, err := time.ParseInLocation("2006-01-02 15:04:05", list[0][2], time.Local); err != nil {
		t.Error(err)
	}
	var want, config any
	masked := strings.Replace(readmeBody("x"), "hf_1234567890qwertyuiop", "***", 1)
	got := s.get("/config/" + id).body
	if err := json.Unmarshal([]byte(got), &config); err != nil || strings.Contains(got, "qwertyuiop") {
		t.Errorf("config: %s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(masked), &want); err != nil {
		t.Fatal(err)
	}
	want.(map[string]any)["url"] = config.(map[string]any)["url"]
	if a, b := mustJSON(t, config), mustJSON(t, want); a != b {
		t.Errorf("config\n%s\nwant\n%s", a, b)
	}
	var trace []struct {
		Timestamp, Status string
		Number            int
	}
	if err := json.Unmarshal([]byte(s.get("/trace/status/"+id).body), &trace); err != nil || len(trace) != 3 ||
		trace[0].Status != "total" || trace[0].Number != shortCount || trace[1].Status != "finish" || trace[1].Number != shortCount || trace[2].Number != 0 {
		t.Errorf("trace/status: %+v, %v", trace, err)
	}
	var workers struct{ Workers []string }
	if err := json.Unmarshal([]byte(s.get("/workers").body), &workers); err != nil || len(workers.Workers) != len(c.Agents) {
		t.Errorf("workers: %+v, %v", workers, err)
	}
	for _, w := range workers.Workers {
		s.want("/workers/"+w, `{"status":"healthy"}`)
	}
	for earlier, later := range map[string]string{
		"/test_status/": "/tests/status/", "/config/": "/tests/config/", "/test_model/": "/tests/model/", "/error_info/": "/tests/error_info/",
		"/get/workload_hash/": "/tests/workload_hash/", "/report/json/": "/tests/report/json/", "/report/throughput/": "/tests/report/throughput/",
	} {
		if a, b := s.get(earlier+id), s.get(later+id); a != b {
			t.Errorf("%s answers %d %.80s, %s %d %.80s", earlier, a.status, a.body, later, b.status, b.body)
		}
	}
	if m := s.get("/metrics").body; !strings.Contains(m, `stampede_runs{state="SUCCEEDED"} 1`) || !strings.Contains(m, "stampede_samples_folded_total 11") {
		t.Errorf("metrics: %s", m)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A script that was written for the original runs unchanged.
func TestScriptForTheOriginal(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--model", "mistralai/Mistral-7B-Instruct-v0.1", "--ttft", "20ms", "--itl", "1ms", "--tokens", "8")
	c := harness.StartCluster(t, 1)
	base := "http://" + c.HTTP
	var raw string
	if python, err := exec.LookPath("python3"); err == nil {
		r := harness.Command(t, "", python, filepath.Join("testdata", "client.py"), base, sim.URL(), shortFunc).Must(t, 0)
		raw = r.Out
		if !strings.Contains(r.Err, "status: finish") || !strings.Contains(r.Err, "11 requests, 0") {
			t.Errorf("the script says:\n%s", r.Err)
		}
	} else {
		raw = sameAsScript(site{t, base}, sim.URL())
	}
	var report struct {
		RequestNum int `json:"request_num"`
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(raw))).Decode(&report); err != nil || report.RequestNum != shortCount {
		t.Errorf("%v in %s", err, raw)
	}
}

// sameAsScript does what the script does, where there is no Python.
func sameAsScript(s site, modelServer string) string {
	s.t.Helper()
	id := strings.Trim(s.do(http.MethodPost, "/register_test", readmeBody(modelServer)).body, `"`)
	s.want("/start_test/"+id, `"OK"`)
	s.finished("/test_status/" + id)
	for range 50 {
		if a := s.get("/report/json/" + id); a.status == http.StatusOK {
			return a.body
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatal("no report")
	return ""
}

// A test whose endpoint is not there ends in "error", and says why.
func TestFailureAsTheOriginalShowsIt(t *testing.T) {
	t.Parallel()
	c := harness.StartCluster(t, 1)
	s := site{t, "http://" + c.HTTP}
	id := strings.Trim(s.do(http.MethodPost, "/tests/register_and_start", readmeBody("http://127.0.0.1:1/v1")).body, `"`)
	if seen := s.finished("/tests/status/" + id); seen[len(seen)-1] != "error" {
		t.Errorf("states %v", seen)
	}
	if a := s.get("/tests/error_info/" + id); a.status != 200 || !strings.Contains(a.body, "127.0.0.1:1") {
		t.Errorf("error_info: %d %s", a.status, a.body)
	}
	if a := s.get("/tests/report/json/" + id); a.status != 404 {
		t.Errorf("report: %d %s", a.status, a.body)
	}
}

func TestWrongBodiesAtRegistration(t *testing.T) {
	t.Parallel()
	s := site{t, "http://" + harness.StartController(t).HTTP}
	for name, tt := range map[string]struct{ from, to, want string }{
		"prompts that can't be had": {`"prompt_source": "synthetic"`, `"prompt_source": "hf://nobody"`, `"loc":["body","dataset_config","prompt_source"]`},
		"a function with a fault":   {"int(t / 0.1 + 1)", "intt(t)", `"loc":["body","dataset_config","func"]`},
		"a function that is no one": {shortFunc, "__import__('os')", `"loc":["body","dataset_config","func"]`},
		"a file of this host":       {`"prompt_source": "synthetic"`, `"prompt_source": "/etc/passwd"`, `"loc":["body","dataset_config","prompt_source"]`},
		"two faults":                {`"temperature": 0.9`, `"temperature": "hot", "top_k": 1, "max_run_time": -1`, `"loc":["body","kwargs","temperature"]`},
	} {
		a := s.do(http.MethodPost, "/register_test", strings.Replace(readmeBody("http://127.0.0.1:1/v1"), tt.from, tt.to, 1))
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, tt.want) {
			t.Errorf("%s: %d %s, want 422 with %s", name, a.status, a.body, tt.want)
		}
	}
	s.want("/id_list", "[]")
}

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
)

// byCLI is the stampede command.
type byCLI struct{ access }

func (d byCLI) do(args ...string) harness.Result {
	d.t.Helper()
	args = append(args, "--controller", d.c.GRPC)
	if d.ca != "" {
		args = append(args, "--tls-ca", d.ca)
	}
	if d.token != "" {
		args = append(args, "--token-file", d.token)
	}
	return harness.Stampede(d.t, args...)
}

func (d byCLI) register(id string, seconds int) {
	body := fmt.Sprintf(`{"url": %q, "model": "stampede-sim", "endpoint_type": "vllm", "dataset_name": "synthesizer", "test_id": %q, "kwargs": {"max_tokens": 4},
		"dataset_config": {"func": "lambda t: %d * (t + 1) if t < %d else None", "prompt_source": "synthetic"}}`, d.model, id, everyRate, seconds)
	if out := d.do("register", "-f", harness.WriteSpec(d.t, body)).Must(d.t, 0).Out; out != id+"\n" {
		d.t.Errorf("registered %q", out)
	}
}

func (d byCLI) start(id string) string {
	return strings.TrimSpace(d.do("start", id).Must(d.t, 0).Out)
}

func (d byCLI) startAgain(id string) string { return d.do("start", id).Must(d.t, 1).Err }

func (d byCLI) watch(id string) string {
	r := d.do("watch", id)
	words := strings.Fields(r.Out)
	if len(words) < 3 {
		d.t.Fatalf("watch: exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	return strings.ToUpper(words[1])
}

func (d byCLI) report(id string) *report.Report {
	r := d.do("report", id, "--format", "json")
	if r.Code != 0 && r.Code != 3 {
		d.t.Fatalf("report: exit status %d\n%s", r.Code, r.Err)
	}
	return parseReport(d.t, r.Out)
}

func (d byCLI) list() (ids []string) {
	for line := range strings.Lines(d.do("list").Must(d.t, 0).Out) {
		ids = append(ids, strings.Fields(line)[0])
	}
	return ids
}

func (d byCLI) cancel(id string)               { d.do("cancel", id).Must(d.t, 0) }
func (d byCLI) deleteRunning(id string) string { return d.do("delete", id).Must(d.t, 1).Err }
func (d byCLI) remove(id string)               { d.do("delete", id).Must(d.t, 0) }

func parseReport(t *testing.T, text string) *report.Report {
	t.Helper()
	r, err := report.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in %.500s", err, text)
	}
	return r
}

// byGrpcurl is grpcurl, without a .proto file.
type byGrpcurl struct{ access }

func (d byGrpcurl) do(method, body string) harness.Result {
	d.t.Helper()
	args := []string{"-plaintext"}
	if d.ca != "" {
		args = []string{"-cacert", d.ca}
	}
	if d.token != "" {
		args = append(args, "-H", "authorization: Bearer "+d.tokenText())
	}
	return harness.Command(d.t, body, harness.Grpcurl(), append(args, "-d", "@", d.c.GRPC, "stampede.v1.TestService/"+method)...)
}

func (d byGrpcurl) by(method, id string) harness.Result {
	d.t.Helper()
	return d.do(method, fmt.Sprintf(`{"test_id": %q}`, id))
}

func (d byGrpcurl) register(id string, seconds int) {
	d.do("RegisterTest", fmt.Sprintf(`{"test_id": %q, "spec": %s}`, id, d.spec(seconds))).Must(d.t, 0)
}

func (d byGrpcurl) start(id string) string {
	var answer struct{ RunID string }
	decode(d.t, d.by("StartTest", id).Must(d.t, 0).Out, &answer)
	return answer.RunID
}

func (d byGrpcurl) startAgain(id string) string {
	r := d.by("StartTest", id)
	if r.Code == 0 {
		d.t.Errorf("started again: %s", r.Out)
	}
	return r.Err
}

func (d byGrpcurl) watch(id string) string { return lastState(d.by("WatchTest", id).Must(d.t, 0).Out) }

// lastState is the last state that a stream of tests shows.
func lastState(stream string) string {
	const key = `STATE_`
	state, _, _ := strings.Cut(stream[strings.LastIndex(stream, key)+len(key):], `"`)
	return state
}

func (d byGrpcurl) report(id string) *report.Report {
	var answer struct{ ReportJSON []byte }
	decode(d.t, d.by("GetReport", id).Must(d.t, 0).Out, &answer)
	return parseReport(d.t, string(answer.ReportJSON))
}

func (d byGrpcurl) list() []string { return idsOf(d.t, d.do("ListTests", "{}").Must(d.t, 0).Out) }

func idsOf(t *testing.T, answer string) (ids []string) {
	t.Helper()
	var page struct{ Tests []struct{ TestID string } }
	decode(t, answer, &page)
	for _, test := range page.Tests {
		ids = append(ids, test.TestID)
	}
	return ids
}

func (d byGrpcurl) cancel(id string) { d.by("CancelTest", id).Must(d.t, 0) }

func (d byGrpcurl) deleteRunning(id string) string {
	r := d.by("DeleteTest", id)
	if r.Code == 0 {
		d.t.Error("deleted while it ran")
	}
	return r.Err
}

func (d byGrpcurl) remove(id string) { d.by("DeleteTest", id).Must(d.t, 0) }

// byCurl is curl and /v1.
type byCurl struct{ access }

// do returns the answer, which must have the status that is wanted.
func (d byCurl) do(status, method, path, body string) string {
	d.t.Helper()
	scheme, args := "http://", []string{"-sS", "-X", method, "-w", "\n%{http_code}"}
	if d.ca != "" {
		scheme, args = "https://", append(args, "--cacert", d.ca)
	}
	if d.token != "" {
		args = append(args, "-H", "Authorization: Bearer "+d.tokenText())
	}
	if body != "" {
		args = append(args, "-d", body)
	}
	out := harness.Command(d.t, "", "curl", append(args, scheme+d.c.HTTP+"/v1/tests"+path)...).Must(d.t, 0).Out
	i := strings.LastIndex(out, "\n")
	if got := out[i+1:]; got != status {
		d.t.Fatalf("%s %s: %s %s, want %s", method, path, got, out[:i], status)
	}
	return out[:i]
}

func (d byCurl) register(id string, seconds int) {
	d.do("200", "POST", "", fmt.Sprintf(`{"test_id": %q, "spec": %s}`, id, d.spec(seconds)))
}

func (d byCurl) start(id string) string {
	var answer struct{ RunID string }
	decode(d.t, d.do("200", "POST", "/"+id+"/start", ""), &answer)
	return answer.RunID
}

func (d byCurl) startAgain(id string) string { return d.do("409", "POST", "/"+id+"/start", "") }
func (d byCurl) watch(id string) string      { return lastState(d.do("200", "GET", "/"+id+"/watch", "")) }
func (d byCurl) report(id string) *report.Report {
	return parseReport(d.t, d.do("200", "GET", "/"+id+"/report", ""))
}
func (d byCurl) list() []string                 { return idsOf(d.t, d.do("200", "GET", "", "")) }
func (d byCurl) cancel(id string)               { d.do("200", "POST", "/"+id+"/cancel", "") }
func (d byCurl) deleteRunning(id string) string { return d.do("409", "DELETE", "/"+id, "") }
func (d byCurl) remove(id string)               { d.do("200", "DELETE", "/"+id, "") }

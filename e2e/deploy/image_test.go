//go:build linux

package deploy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// locked is how the image runs where little is allowed.
var locked = []string{"run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}

func TestTheImageIsSmallAndModest(t *testing.T) {
	e := need(t)
	var found []struct {
		Size   int64
		Config struct {
			User        string
			Healthcheck struct{ Test []string }
			Entrypoint  []string
		}
		RootFS struct{ Layers []string }
	}
	if err := json.Unmarshal([]byte(e.do(t, "docker", "inspect", image)), &found); err != nil || len(found) != 1 {
		t.Fatalf("%v: %+v", err, found)
	}
	c := found[0].Config
	if c.User != "65532:65532" || strings.Join(c.Healthcheck.Test, " ") != "CMD /usr/bin/stampede health" || strings.Join(c.Entrypoint, " ") != "/usr/bin/stampede" {
		t.Errorf("config %+v", c)
	}
	if size := found[0].Size >> 20; size > 90 { // released ones are stripped, this one is not
		t.Errorf("the image takes %d MiB", size)
	}
	if out, err := e.try("docker", append(locked, "--entrypoint", "/bin/sh", image, "-c", "true")...); err == nil {
		t.Errorf("there is a shell in it: %s", out)
	}
	if out := e.do(t, "docker", append(locked, image, "version")...); !strings.HasPrefix(out, "stampede ") {
		t.Errorf("version says %q", out)
	}
}

// A run needs a place for temporary files, and nothing else: no writable root, no
// capability, no network.
func TestTheImageRunsReadOnly(t *testing.T) {
	e := need(t)
	out, err := e.try("docker", append(locked, "--tmpfs", "/tmp", image, "run", "--simulate", "--rate", "20", "--duration", "2s", "--out", "", "--format", "json", "--no-progress")...)
	if err != nil && !strings.Contains(err.Error(), "exit status 3") { // a busy machine
		t.Fatal(err)
	}
	var rep struct {
		Planned    int `json:"request_num"`
		Accounting struct{ Succeeded int }
	}
	if err := json.Unmarshal([]byte(out), &rep); err != nil || rep.Planned == 0 || rep.Accounting.Succeeded != rep.Planned {
		t.Errorf("%v: %+v of %s", err, rep, tail(out))
	}
}

// The image's health check is a controller's.
func TestTheImageSaysItsHealth(t *testing.T) {
	e := need(t)
	id := e.do(t, "docker", "run", "-d", "--network", "none", "--read-only", "--cap-drop", "ALL", "--health-interval", "1s", "--volume", "/data", image, "controller")
	defer func() { _, _ = e.try("docker", "rm", "-f", "-v", id) }()
	status := ""
	for range 150 {
		if status = e.do(t, "docker", "inspect", "-f", "{{.State.Health.Status}}", id); status == "healthy" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if status != "healthy" {
		t.Fatalf("after 15 s it is %s: %s", status, e.do(t, "docker", "inspect", "-f", "{{json .State}}", id))
	}
	e.do(t, "docker", "stop", "-t", "10", id)
	if code := e.do(t, "docker", "inspect", "-f", "{{.State.ExitCode}}", id); code != "0" {
		t.Errorf("stopped with SIGTERM, it ended with %s", code)
	}
}

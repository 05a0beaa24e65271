//go:build linux

package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/stampede-bench/stampede/e2e/harness"
)

var units = []string{"stampede-controller.service", "stampede-agent.service"}

// unit is a unit's text, with the binary under test in the place of an installed one.
func unit(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root("deploy", "systemd", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "/usr/local/bin/stampede", harness.Binary())
}

// systemd finds nothing wrong with the units, and little that they may do.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("NOT RUN: systemd-analyze is not installed")
	}
	dir := t.TempDir()
	for _, name := range units {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(unit(t, name)), 0o644); err != nil {
			t.Fatal(err)
		}
		r := harness.Command(t, "", "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path)
		if out := r.Out + r.Err; r.Code != 0 || strings.Contains(out, name) {
			t.Errorf("%s: exit %d\n%s", name, r.Code, out)
		}
		// Exposure in tenths, of 100.
		r = harness.Command(t, "", "systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", path)
		if r.Code != 0 {
			t.Errorf("%s is exposed more than it need be:\n%s%s", name, tail(r.Out), r.Err)
		}
	}
}

// Variables, with a default and without.
var (
	byDefault = regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`)
	variable  = regexp.MustCompile(`\$\{?[A-Z_]+\}?`)
)

// The binary takes the flags that units and compose file start it with.
func TestFlagsAreKnown(t *testing.T) {
	lines := map[string][]string{}
	for _, name := range units {
		_, line, _ := strings.Cut(unit(t, name), "\nExecStart=")
		line, _, _ = strings.Cut(line, "\n")
		words := strings.Fields(strings.ReplaceAll(line, "$STAMPEDE_ARGS", ""))
		lines[name] = words[1:]
	}
	text, err := os.ReadFile(root("deploy", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image   string
			Command []string
			Health  struct{ Test []string } `yaml:"healthcheck"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for name, s := range file.Services {
		if !strings.Contains(s.Image, "STAMPEDE_IMAGE") {
			continue
		}
		lines[name] = s.Command
		if len(s.Health.Test) > 2 {
			lines[name+", its health"] = s.Health.Test[2:]
		}
	}
	if len(lines) < 10 {
		t.Errorf("%d command lines", len(lines))
	}
	for where, args := range lines {
		args = append(slices.Clone(args), "--help")
		for i := range args {
			args[i] = byDefault.ReplaceAllString(args[i], "$1")
			args[i] = variable.ReplaceAllString(args[i], "1")
		}
		if r := harness.Stampede(t, args...); r.Code != 0 {
			t.Errorf("%s: stampede %s\n%s", where, strings.Join(args, " "), r.Err)
		}
	}
}

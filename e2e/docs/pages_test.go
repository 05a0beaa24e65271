package docs

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// pages are those whose commands are run. A page is added by a line here.
var pages = []page{
	{path: "README.md", short: true},
	{path: "docs/http.md"},
	{path: "docs/security.md", hosts: []string{"bench-0.internal"}},
	{path: "docs/quickstart.md", short: true},
	{path: "docs/simulator.md", short: true},
	{path: "docs/traces.md"},
	{path: "docs/tokenizers.md", short: true},
	{path: "docs/multimodal.md", short: true},
	{path: "docs/datasets.md"},
	{path: "docs/howto/capacity.md", short: true},
	{path: "docs/howto/compare.md", short: true},
	{path: "docs/howto/gate.md", short: true},
	{path: "docs/howto/many-hosts.md", short: true},
	{path: "docs/howto/replay.md", short: true},
	{path: "docs/install.md", hosts: []string{"model.internal", "bench-0.internal"}},
	{path: "docs/docker.md"},
	{path: "docs/kubernetes.md"},
	{path: "docs/performance.md"},
	{path: "docs/controller.md"},
	{path: "docs/fleet.md"},
	{path: "CONTRIBUTING.md"},
}

// others are the pages without a command to run here, and why.
var others = map[string]string{
	"docs/migrate.md":                "cmd/stampede runs its commands, TestMigrateCommands",
	"docs/design.md":                 "diagrams and prose",
	"docs/metrics.md":                "formulas, which report holds against its own",
	"docs/sizing.md":                 "figures and prose",
	"docs/licenses.md":               "a generated table",
	"docs/reference/cli.md":          "generated from --help, whose examples are text",
	"docs/reference/spec.md":         "a generated table",
	"docs/reference/test-service.md": "a generated table",
}

// elsewhere are the pages of others whose commands another test runs.
var elsewhere = []string{"docs/migrate.md"}

// page is a page whose commands are run.
type page struct {
	path    string   // from the module's folder
	section string   // its heading, when the commands of that section alone are run
	hosts   []string // names that are this machine in the page's session
	short   bool     // --duration and --warmup are a second each, whatever the page says
}

// patience bounds one page.
const patience = 3 * time.Minute

func TestPages(t *testing.T) {
	for _, p := range pages {
		t.Run(p.path, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(harness.Root(), p.path))
			if err != nil {
				t.Fatal(err)
			}
			part, err := section(string(text), p.section)
			if err != nil {
				t.Fatal(err)
			}
			found, err := blocks(part)
			if err != nil {
				t.Fatal(err)
			}
			runPage(t, found, p)
		})
	}
}

// Every page is run, or named with a reason.
func TestNoPageIsForgotten(t *testing.T) {
	listed := map[string]bool{}
	for _, p := range pages {
		listed[p.path] = true
	}
	found := []string{"README.md", "CONTRIBUTING.md"}
	err := fs.WalkDir(os.DirFS(harness.Root()), "docs", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".md") {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		if _, other := others[name]; other == listed[name] {
			t.Errorf("%s has to be in the list of pages or in that of others, and in one alone", name)
		}
	}
	for name := range others {
		text, err := os.ReadFile(filepath.Join(harness.Root(), name))
		if err != nil {
			t.Errorf("others: %v", err)
			continue
		}
		commands, err := blocks(string(text))
		if err != nil || len(commands) > 0 && !slices.Contains(elsewhere, name) {
			t.Errorf("%s: %d blocks of commands, %v; it is listed as one without", name, len(commands), err)
		}
	}
}

//go:embed session.sh
var sessionScript string

//go:embed stampede.sh
var stampedeScript string

//go:embed make.sh
var makeScript string

//go:embed go.sh
var goScript string

// session is a page's folders.
type session struct {
	t             *testing.T
	home, helpers string
	script        bytes.Buffer
}

func runPage(t *testing.T, found []block, p page) {
	t.Helper()
	needsTools(t)
	s := &session{t: t, home: t.TempDir(), helpers: t.TempDir()}
	s.prepare(p.hosts)
	if p.short {
		s.script.WriteString("export STAMPEDE_SHORT=yes\n")
	}
	wanted := 0
	for i, b := range found {
		if _, err := exec.LookPath(b.needs); b.needs != "" && err != nil {
			t.Logf("NOT RUN: line %d: there is no %s here", b.line, b.needs)
			continue
		}
		if !b.notRun {
			s.add(i, b)
			wanted++
		}
	}
	s.script.WriteString("fresh\n")
	printed, logged, err := s.run()
	if errors.Is(err, errNoSession) {
		t.Skipf("the page's %d blocks were not run: %v", wanted, err)
	}
	last := -1
	for i, b := range found {
		if out, ran := between(printed, i); ran {
			last = i
			if want := missing(b.output, out); want != "" {
				t.Errorf("line %d: it printed\n%s\nand not, in that order, %q", b.line, out, want)
			}
		}
	}
	if err != nil && last >= 0 {
		out, _ := between(printed, last)
		t.Errorf("line %d: %v\n%s\nit printed\n%s\n%s", found[last].line, err, found[last].text, out, tail(logged))
	} else if err != nil {
		t.Errorf("%v\n%s", err, logged)
	}
	t.Logf("%d of %d blocks were run", wanted, len(found))
	if testing.Verbose() {
		t.Logf("%s%s", printed, logged)
	}
}

// needsTools skips where what a session takes for granted is missing.
func needsTools(t *testing.T) {
	t.Helper()
	for _, name := range []string{"bash", "curl", "make", "openssl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("commands of pages were not run: there is no %s here", name)
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-4000):] }

// shorten makes the loads of examples last two seconds.
var shorten = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`t < \d+`), "t < 2"},
	{regexp.MustCompile(`duration: \d+s`), "duration: 2s"},
}

// prepare fills the folders with what a session needs.
func (s *session) prepare(hosts []string) {
	s.t.Helper()
	root := harness.Root()
	for name, text := range map[string]string{"bin/stampede": stampedeScript, "bin/make": makeScript, "bin/go": goScript, "hosts": "127.0.0.1 localhost " + strings.Join(hosts, " ") + "\n::1 localhost\n"} {
		s.write(filepath.Join(s.helpers, name), text, 0o755)
	}
	for name, to := range map[string]string{filepath.Join(s.helpers, "bin", "grpcurl"): harness.Grpcurl(), filepath.Join(s.home, "stampede"): filepath.Join(s.helpers, "bin", "stampede")} {
		if err := os.Symlink(to, name); err != nil {
			s.t.Fatal(err)
		}
	}
	examples, err := filepath.Glob(filepath.Join(root, "examples", "*"))
	if err != nil || len(examples) == 0 {
		s.t.Fatalf("examples: %v, %v", examples, err)
	}
	for _, name := range examples {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a folder
		}
		for _, sh := range shorten {
			text = sh.from.ReplaceAll(text, []byte(sh.to))
		}
		s.write(filepath.Join(s.home, "examples", filepath.Base(name)), string(text), 0o644)
	}
	if err := os.CopyFS(filepath.Join(s.home, "deploy"), os.DirFS(filepath.Join(root, "deploy"))); err != nil {
		s.t.Fatal(err)
	}
	s.script.WriteString(sessionScript)
}

func (s *session) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// add appends a block to the script. A block is a file that is sourced, so that
// bash names its lines.
func (s *session) add(i int, b block) {
	if b.fresh {
		s.script.WriteString("fresh\n")
	}
	if b.model != "" {
		fmt.Fprintf(&s.script, "model %s\n", b.model)
	}
	file := filepath.Join(s.helpers, fmt.Sprintf("line-%d.sh", b.line))
	command := "source " + file
	if b.language == "go" {
		file = strings.TrimSuffix(file, ".sh") + ".go"
		command = fmt.Sprintf("(cd %q && go run %q)", harness.Root(), file)
	}
	s.write(file, b.text, 0o644)
	fmt.Fprintf(&s.script, "echo %q\n", marker(i))
	if b.exit == 0 {
		s.script.WriteString(command + "\n")
	} else {
		fmt.Fprintf(&s.script, "set +e\n%s\ncode=$?\nset -e\n[ $code = %d ] || { echo \"exit status $code, want %d\" >&2; exit 1; }\n", command, b.exit, b.exit)
	}
	fmt.Fprintf(&s.script, "echo; echo %q\n", marker(i)+"end")
}

func marker(i int) string { return fmt.Sprintf("@@block-%d@@", i) }

// between is what a block has printed, and whether it was begun.
func between(printed string, i int) (string, bool) {
	_, rest, ran := strings.Cut(printed, marker(i)+"\n")
	out, _, _ := strings.Cut(rest, marker(i)+"end\n")
	return out, ran
}

var errNoSession = errors.New("a network of its own can't be had here")

// run runs the script and returns what it printed and logged.
func (s *session) run() (printed, logged string, err error) {
	script := filepath.Join(s.helpers, "session.sh")
	s.write(script, s.script.String(), 0o644)
	maker, err := exec.LookPath("make")
	if err != nil {
		maker = "false"
	}
	compiler, err := exec.LookPath("go")
	if err != nil {
		compiler = "false"
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Dir = s.home
	cmd.Env = append(os.Environ(), sessionVariable+"="+script, hostsVariable+"="+filepath.Join(s.helpers, "hosts"), "HELPERS="+s.helpers,
		"STAMPEDE_REAL="+harness.Binary(), "STAMPEDE_ROOT="+harness.Root(), "MAKE_REAL="+maker, "GO_REAL="+compiler)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errb, 5*time.Second
	alone(cmd)
	runtime.LockOSThread() // whose end would be the session's
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return "", "", fmt.Errorf("%w: %w", errNoSession, err)
	}
	defer func() { _ = killAll(cmd) }()
	err = cmd.Wait()
	if err != nil && out.Len() == 0 {
		err = fmt.Errorf("%w (%s)", err, strings.TrimSpace(errb.String()))
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("not done within %v", patience)
	}
	return out.String(), errb.String(), err
}

// A command that fails, or prints something else, is found.
func TestSession(t *testing.T) {
	needsTools(t)
	for text, want := range map[string]string{
		"echo one\nstampede nonsense\necho two\n": "exit status",
		"X=1\n(exit 4)\n":                         "exit status 4",
		"stampede version && make help\n":         "",
		"make no-such-target\n":                   "exit status 2",
		"curl localhost:1\n":                      "exit status 7",
		"! curl http://bench-9/\n":                "", // a network of its own, with names of its own
	} {
		s := &session{t: t, home: t.TempDir(), helpers: t.TempDir()}
		s.prepare([]string{"bench-9"})
		s.add(0, block{line: 1, language: "sh", text: text})
		printed, logged, err := s.run()
		if errors.Is(err, errNoSession) {
			t.Skip(err)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q\n%s%s", text, err, want, printed, logged)
		}
		if out, ran := between(printed, 0); !ran || strings.Contains(out, "two") {
			t.Errorf("%q: printed %q", text, out)
		}
	}
}

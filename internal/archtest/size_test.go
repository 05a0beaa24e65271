package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What a user takes along. Whoever needs more raises a number here and says in the
// commit what for; whoever needs less lowers it.
const (
	mostDirect = 34       // modules that go.mod requires itself
	mostLinked = 58       // modules that are linked into the binary, on Linux
	mostBytes  = 52 << 20 // vocabularies of tokenizers are a good part of it
)

func TestDependenciesAreCounted(t *testing.T) {
	root := filepath.Join("..", "..")
	linked := modules(t, root, "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/stampede")
	if len(linked) > mostLinked {
		t.Errorf("%d modules are linked, at most %d are allowed: %s", len(linked), mostLinked, strings.Join(linked, " "))
	}
	direct := modules(t, root, "list", "-m", "-f", "{{if not (or .Main .Indirect)}}{{.Path}}{{end}}", "all")
	if len(direct) > mostDirect {
		t.Errorf("%d modules are required directly, at most %d are allowed: %s", len(direct), mostDirect, strings.Join(direct, " "))
	}
	t.Logf("%d direct, %d linked", len(direct), len(linked))
}

// modules runs go list and returns its lines, each once.
func modules(t *testing.T, root string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env, cmd.Stderr = root, append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	seen := map[string]bool{}
	var all []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !seen[line] {
			seen[line] = true
			all = append(all, line)
		}
	}
	return all
}

func TestTheBinaryIsSmall(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "stampede")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "./cmd/stampede")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > mostBytes {
		t.Errorf("the stripped binary takes %.1f MiB, at most %d MiB are allowed", float64(info.Size())/(1<<20), mostBytes>>20)
	}
	t.Logf("%.1f MiB", float64(info.Size())/(1<<20))
}

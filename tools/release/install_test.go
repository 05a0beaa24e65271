package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

const (
	path0    = "github.com/stampede-bench/stampede"
	version0 = "v0.0.1"
)

// proxy is a module proxy on disk that has this tree as a version, with what git
// would have of it.
func proxy(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var files []modzip.File
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(root, name)); err == nil && info.Mode().IsRegular() && !inner(root, name) {
			files = append(files, treeFile{root, name})
		}
	}
	dir := filepath.Join(t.TempDir(), filepath.FromSlash(path0), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	if err := modzip.Create(&zipped, module.Version{Path: path0, Version: version0}, files); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]string{"Version": version0, "Time": "2026-01-01T00:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"list": []byte(version0 + "\n"), version0 + ".info": info, version0 + ".mod": mod, version0 + ".zip": zipped.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(dir))))
}

// inner files belong to modules of their own below this one.
func inner(root, name string) bool {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

type treeFile struct{ root, name string }

func (f treeFile) Path() string                 { return filepath.ToSlash(f.name) }
func (f treeFile) Lstat() (os.FileInfo, error)  { return os.Lstat(filepath.Join(f.root, f.name)) }
func (f treeFile) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(f.root, f.name)) }

// go install …@latest works from a module cache that is empty: from this tree's
// zip and from the sums and modules that it asks for, without what go install
// refuses, such as replace. Everything is resolved, fetched and planned; with
// STAMPEDE_INSTALL=1 it is also compiled, and the binary says its version.
func TestGoInstall(t *testing.T) {
	known, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, bin := t.TempDir(), t.TempDir()
	t.Cleanup(func() {
		clean := exec.Command("go", "clean", "-modcache")
		clean.Env = append(os.Environ(), "GOMODCACHE="+cache)
		_ = clean.Run()
	})
	// What other modules the machine has stands in for the network.
	proxies := fmt.Sprintf("file://%s,file://%s", filepath.ToSlash(proxy(t)), filepath.ToSlash(filepath.Join(strings.TrimSpace(string(known)), "cache", "download")))
	env := append(os.Environ(), "GOMODCACHE="+cache, "GOBIN="+bin, "GOPROXY="+proxies, "GONOSUMDB="+path0, "GOSUMDB=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	args := []string{"install", "-n", path0 + "/cmd/stampede@latest"}
	compile := os.Getenv("STAMPEDE_INSTALL") != ""
	if compile {
		args = []string{"install", "-trimpath", path0 + "/cmd/stampede@latest"}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = t.TempDir(), env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out[max(len(out)-4000, 0):])
	}
	if _, err := os.Stat(filepath.Join(cache, filepath.FromSlash(path0)+"@"+version0, "cmd", "stampede", "main.go")); err != nil {
		t.Error(err)
	}
	if compile {
		out, err := exec.Command(filepath.Join(bin, "stampede"), "version").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "stampede "+version0+" ") {
			t.Errorf("version: %v %s", err, out)
		}
	}
}

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func lay(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(filepath.Base(name)+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPack(t *testing.T) {
	in, a, b := t.TempDir(), t.TempDir(), t.TempDir()
	lay(t, in, "build/linux_arm64/stampede", "build/windows_amd64/stampede.exe", "extra/man/stampede.1", "extra/LICENSE")
	for _, out := range []string{a, b} {
		if err := errors.Join(pack("v1.2.3", filepath.Join(in, "build"), filepath.Join(in, "extra"), out), sum(out)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"stampede_1.2.3_linux_arm64/LICENSE", "stampede_1.2.3_linux_arm64/man/stampede.1", "stampede_1.2.3_linux_arm64/stampede"}
	if got := tarred(t, filepath.Join(a, "stampede_1.2.3_linux_arm64.tar.gz")); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	z, err := zip.OpenReader(filepath.Join(a, "stampede_1.2.3_windows_amd64.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if len(z.File) != 3 || z.File[2].Name != "stampede_1.2.3_windows_amd64/stampede.exe" || z.File[2].Mode().Perm() != 0o755 {
		t.Errorf("%d files, the last is %s", len(z.File), z.File[len(z.File)-1].Name)
	}
	for _, name := range []string{"checksums.txt", "stampede_1.2.3_linux_arm64.tar.gz", "stampede_1.2.3_windows_amd64.zip"} {
		one, err := os.ReadFile(filepath.Join(a, name))
		two, err2 := os.ReadFile(filepath.Join(b, name))
		if err != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Errorf("%s is not the same twice (%v, %v)", name, err, err2)
		}
	}
	if _, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.Command("sha256sum", "--strict", "-c", "checksums.txt")
		cmd.Dir = a
		if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), ": OK") != 2 {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// tarred lists an archive; only the binary may be run.
func tarred(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(g); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if runs := strings.HasSuffix(h.Name, "/stampede"); (h.Mode == 0o755) != runs || !runs && h.Mode != 0o644 {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
		names = append(names, h.Name)
	}
}

func TestPackRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := pack("", dir, "", dir); err == nil {
		t.Error("no version")
	}
	if err := pack("v1", dir, "", dir); err == nil || !strings.Contains(err.Error(), "OS_ARCH") {
		t.Errorf("nothing to pack: %v", err)
	}
	lay(t, dir, "linux_amd64/other")
	if err := pack("v1", dir, "", t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no binary: %v", err)
	}
}

// Command release packs binaries that were built into archives, the same bytes
// for the same input, and sums them up. It builds, signs and uploads nothing.
//
//	release -version v1.2.3 -binaries dist/build -extra dist/extra -out dist
//	release -sums dist
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	version := flag.String("version", "", "`VERSION` in the archives' names")
	binaries := flag.String("binaries", "", "`DIR` with OS_ARCH/stampede in it")
	extra := flag.String("extra", "", "`DIR` of files that every archive gets")
	out := flag.String("out", "dist", "`DIR` for the archives")
	sums := flag.String("sums", "", "only write checksums.txt of the files in `DIR`")
	flag.Parse()
	var err error
	if *sums != "" {
		err = sum(*sums)
	} else {
		err = pack(*version, *binaries, *extra, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// entry is one file of an archive.
type entry struct {
	name string
	mode fs.FileMode
	from string
}

func pack(version, binaries, extra, out string) error {
	if version == "" || binaries == "" {
		return errors.New("-version and -binaries are required")
	}
	platforms, err := os.ReadDir(binaries)
	if err != nil {
		return err
	}
	shared, err := files(extra)
	if err != nil {
		return err
	}
	packed := 0
	for _, p := range platforms {
		goos, _, ok := strings.Cut(p.Name(), "_")
		if !p.IsDir() || !ok {
			continue
		}
		top := fmt.Sprintf("stampede_%s_%s", strings.TrimPrefix(version, "v"), p.Name())
		binary, write, ending := "stampede", writeTar, ".tar.gz"
		if goos == "windows" {
			binary, write, ending = "stampede.exe", writeZip, ".zip"
		}
		all := append([]entry{{name: binary, mode: 0o755, from: filepath.Join(binaries, p.Name(), binary)}}, shared...)
		for i := range all {
			all[i].name = path.Join(top, all[i].name)
		}
		slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		if err := toFile(filepath.Join(out, top+ending), func(w io.Writer) error { return write(w, all) }); err != nil {
			return fmt.Errorf("%s: %w", top, err)
		}
		packed++
	}
	if packed == 0 {
		return fmt.Errorf("%s has no folder OS_ARCH", binaries)
	}
	return nil
}

// files lists what is below a folder, by slash-separated names.
func files(dir string) ([]entry, error) {
	if dir == "" {
		return nil, nil
	}
	var all []entry
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		all = append(all, entry{name: filepath.ToSlash(rel), mode: 0o644, from: p})
		return nil
	})
	return all, err
}

// epoch is the time of every file: when it was built says nothing of what it is.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func writeTar(w io.Writer, entries []entry) error {
	zipped, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(zipped)
	for _, e := range entries {
		text, err := os.ReadFile(e.from)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: e.name, Mode: int64(e.mode), Size: int64(len(text)), ModTime: epoch, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), zipped.Close())
}

func writeZip(w io.Writer, entries []entry) error {
	z := zip.NewWriter(w)
	for _, e := range entries {
		text, err := os.ReadFile(e.from)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: epoch}
		h.SetMode(e.mode)
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(text); err != nil {
			return err
		}
	}
	return z.Close()
}

// sum writes checksums.txt, as sha256sum -c reads it.
func sum(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IsDir() || e.Name() == "checksums.txt" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		h := sha256.Sum256(text)
		fmt.Fprintf(&b, "%s  %s\n", hex.EncodeToString(h[:]), e.Name())
	}
	return toFile(filepath.Join(dir, "checksums.txt"), func(w io.Writer) error {
		_, err := io.WriteString(w, b.String())
		return err
	})
}

func toFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// Package gather finds the files of a spec's dataset: one by its path, or those of
// a dataset of the hub by its name. It does not read them; package source does.
package gather

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/internal/hub"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/source"
)

// Data is what a dataset consists of. Its files are opened, and those of the hub
// fetched, when they are read.
type Data struct {
	Name   string // what notices call it
	Inputs []source.Input
	open   []*os.File
}

// Close closes the files that were opened.
func (d *Data) Close() {
	for _, f := range d.open {
		_ = f.Close() // it was only read
	}
}

// Check refuses a spec's path that is no file of this host, as workload.Errors.
func Check(d workload.Dataset) error {
	info, err := os.Stat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrongPath("there is no file %s%s", d.Path, folderOf(d.Path))
	case err != nil:
		return wrongPath("%s can't be read: %v", d.Path, cause(err))
	case info.IsDir():
		return wrongPath("must be a file, %s is a folder", d.Path)
	}
	return nil
}

func wrongPath(format string, args ...any) error {
	return workload.Errors{{Path: "dataset.path", Message: fmt.Sprintf(format, args...), Type: "value_error"}}
}

// folderOf says what folder a path is meant from, where that matters.
func folderOf(path string) string {
	if folder, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
		return " in " + folder
	}
	return ""
}

// file is the data of the one file that a spec's path names.
func file(d workload.Dataset) (*Data, error) {
	if err := Check(d); err != nil {
		return nil, err
	}
	name := d.Path
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, wrongPath("must be a plain file, which %s is not", name)
	}
	data := &Data{Name: filepath.Base(name)}
	data.add(data.Name, func() (string, error) { return name, nil })
	return data, nil
}

// Opened is the data of one file that is open; Close closes it.
func Opened(name string, f *os.File) (*Data, error) {
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &Data{Name: name, Inputs: []source.Input{{Name: name, Data: f, Size: info.Size()}}, open: []*os.File{f}}, nil
}

// add appends a file whose place is asked for when it is read.
func (d *Data) add(name string, find func() (string, error)) {
	d.Inputs = append(d.Inputs, source.Input{Name: name, Open: func() (io.ReaderAt, int64, error) {
		place, err := find()
		if err != nil {
			return nil, 0, err
		}
		f, err := os.Open(place)
		if err != nil {
			return nil, 0, err
		}
		d.open = append(d.open, f)
		info, err := f.Stat()
		if err != nil {
			return nil, 0, err
		}
		return f, info.Size(), nil
	}})
}

// Env is where data is looked for, and who is told about it.
type Env struct {
	// Lookup finds the variables that the hub's own libraries know.
	Lookup func(string) (string, bool)
	// Progress and Notice are those of hub.Config.
	Progress func(file string, done, total int64)
	Notice   func(text string)
}

// Hub returns a client of the hub; a token of the spec goes before the
// environment's.
func (e Env) Hub(d workload.Dataset) (*hub.Client, error) {
	cfg := hub.FromEnv(e.Lookup)
	cfg.Progress, cfg.Notice = e.Progress, e.Notice
	if !d.HubToken.Empty() {
		cfg.Token = d.HubToken
	}
	return hub.New(cfg)
}

// Find is the data of a spec's dataset, wherever it is.
func (e Env) Find(ctx context.Context, d workload.Dataset) (*Data, error) {
	if !d.OnHub() {
		return file(d)
	}
	c, err := e.Hub(d)
	if err != nil {
		return nil, fmt.Errorf("dataset.name: %w", err)
	}
	data, err := Hub(ctx, c, d)
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", d.Name, err)
	}
	return data, nil
}

// Cached reports whether any file of a named dataset is in the cache.
func Cached(c *hub.Client, known source.Named) bool {
	for _, f := range c.CachedFiles(hub.Dataset, known.Repository, "") {
		for _, pattern := range known.Files {
			if ok, err := path.Match(pattern, f); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// Hub is the data of a dataset that is fetched by its name.
func Hub(ctx context.Context, c *hub.Client, d workload.Dataset) (*Data, error) {
	if known, ok := source.FindNamed(d.Name); ok {
		return namedData(ctx, c, known)
	}
	name, err := workload.ParseHubName(d.Name)
	if err != nil {
		return nil, fmt.Errorf("dataset.name: %w", err)
	}
	return repositoryData(ctx, c, name)
}

// namedData is the data of a dataset whose files are known.
func namedData(ctx context.Context, c *hub.Client, known source.Named) (*Data, error) {
	l, err := c.List(ctx, hub.Dataset, known.Repository, "")
	if err != nil {
		return nil, err
	}
	var files []string
	for _, pattern := range known.Files {
		for _, f := range l.Files {
			if ok, err := path.Match(pattern, f); err == nil && ok {
				files = append(files, f)
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: has none of the files that were expected: %s", known.Repository, strings.Join(known.Files, ", "))
	}
	return fetched(ctx, c, known.Name, known.Repository, l.Commit, files), nil
}

// fetched is data of files of the hub at one commit.
func fetched(ctx context.Context, c *hub.Client, name, repo, commit string, files []string) *Data {
	d := &Data{Name: name}
	for _, f := range files {
		d.add(repo+"/"+f, func() (string, error) { return c.File(ctx, hub.Dataset, repo, commit, f) })
	}
	return d
}

// repositoryData is the data of any dataset of the hub: of the configuration and
// split that are named, or else of the usual ones.
func repositoryData(ctx context.Context, c *hub.Client, name workload.HubName) (*Data, error) {
	l, err := c.List(ctx, hub.Dataset, name.Repository, name.Revision)
	if err != nil {
		return nil, err
	}
	files, err := chosen(ctx, c, name, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name.Repository, err)
	}
	if len(files) == 0 && name.Revision == "" {
		// The hub converts what it can to Parquet, on a branch of its own.
		converted, err := c.List(ctx, hub.Dataset, name.Repository, parquetBranch)
		if err != nil && !isAnswer(err) {
			return nil, err
		}
		if files = convertedFiles(name, converted.Files); len(files) > 0 {
			l = converted
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: has no file of rows%s that can be read; it has %s", name.Repository, ofWhich(name), someOf(l.Files))
	}
	return fetched(ctx, c, path.Base(name.Repository), name.Repository, l.Commit, files), nil
}

const parquetBranch = "refs/convert/parquet"

func isAnswer(err error) bool {
	var e *hub.Error
	return errors.As(err, &e) && hub.NotFound(err)
}

func ofWhich(name workload.HubName) string {
	if name.Config == "" {
		return ""
	}
	return " of configuration " + name.Config + ", split " + name.Split
}

func someOf(files []string) string {
	const most = 8
	if len(files) > most {
		return strings.Join(files[:most], ", ") + fmt.Sprintf(" and %d more", len(files)-most)
	}
	return strings.Join(files, ", ")
}

// convertedFiles picks from the branch that the hub makes: config/split/0000.parquet.
func convertedFiles(name workload.HubName, files []string) []string {
	config, split := name.Config, name.Split
	if config == "" {
		split = defaultSplit
		for _, f := range files {
			if parts := strings.Split(f, "/"); len(parts) == 3 && (config == "" || parts[0] == "default") {
				config = parts[0]
			}
		}
	}
	prefix := config + "/" + split + "/"
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !strings.HasPrefix(f, prefix) || !isData(f) })
}

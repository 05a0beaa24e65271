package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

// corpusFile is a corpus file that is open.
type corpusFile struct {
	*dataset.File
	name string // of its source
	file *os.File
}

func (c *corpusFile) close() { _ = c.file.Close() } // it was only read

// openCorpus opens data that is kept.
func (f files) openCorpus(hash string) (*corpusFile, error) {
	path, err := f.corpus(hash)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data with hash %s: %w", hash, err)
	}
	c, err := openedCorpus(file, path)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("data with hash %s: %w", hash, err)
	}
	return c, nil
}

func openedCorpus(file *os.File, path string) (*corpusFile, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	opened, err := dataset.OpenFile(file, info.Size())
	if err != nil {
		return nil, err
	}
	name, err := os.ReadFile(path + ".name")
	if err != nil {
		return nil, err
	}
	return &corpusFile{File: opened, name: string(name), file: file}, nil
}

// stored is data that was brought into the form of a corpus file and is there for
// agents to fetch.
type stored struct {
	hash, name string
	size       int64 // as it came
}

// keepUpload keeps data that comes as a stream.
func (f files) keepUpload(ctx context.Context, name, schema string, r io.Reader, limit int64) (stored, error) {
	tmp, err := os.CreateTemp(f.corpora(), ".upload-*")
	if err != nil {
		return stored{}, fmt.Errorf("keep data: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	size, err := io.Copy(tmp, io.LimitReader(r, limit+1))
	if err == nil && size > limit {
		err = fmt.Errorf("a file may have %d bytes: %w", limit, errTooLarge)
	}
	if err != nil {
		return stored{}, fmt.Errorf("keep data %.80q: %w", name, err)
	}
	return f.keepCorpus(ctx, name, []source.Input{{Name: name, Data: tmp, Size: size}}, source.Options{Schema: schema, Plain: true})
}

// keepVerbatim keeps what comes as a stream under the hash of its bytes.
func (f files) keepVerbatim(name string, r io.Reader, limit int64) (stored, error) {
	tmp, err := os.CreateTemp(f.corpora(), ".upload-*")
	if err != nil {
		return stored{}, fmt.Errorf("keep %.80q: %w", name, err)
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(r, limit+1))
	if err == nil && size > limit {
		err = fmt.Errorf("a file may have %d bytes: %w", limit, errTooLarge)
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return stored{}, fmt.Errorf("keep %.80q: %w", name, err)
	}
	k := stored{hash: hex.EncodeToString(sum.Sum(nil)), name: name, size: size}
	path := filepath.Join(f.corpora(), k.hash)
	if err := errors.Join(writeFile(path+".name", []byte(name)), os.Rename(tmp.Name(), path)); err != nil {
		return stored{}, fmt.Errorf("keep %.80q: %w", name, err)
	}
	return k, nil
}

// keepCorpus converts data and stores it under its hash. name is what notices
// will call it.
func (f files) keepCorpus(ctx context.Context, name string, in []source.Input, o source.Options) (stored, error) {
	folder, err := os.MkdirTemp(f.corpora(), ".convert-*")
	if err != nil {
		return stored{}, fmt.Errorf("keep data: %w", err)
	}
	defer os.RemoveAll(folder)
	made := filepath.Join(folder, "corpus")
	c, err := source.Convert(ctx, in, o, made)
	if err != nil {
		if source.IsBad(err) {
			err = fmt.Errorf("%w: %w", err, errInvalid)
		}
		return stored{}, err
	}
	path := filepath.Join(f.corpora(), c.Hash)
	if err := errors.Join(writeFile(path+".name", []byte(name)), os.Rename(made, path)); err != nil {
		return stored{}, fmt.Errorf("keep data %.80q: %w", name, err)
	}
	k := stored{hash: c.Hash, name: name}
	for _, one := range in {
		k.size += one.Size
	}
	return k, nil
}

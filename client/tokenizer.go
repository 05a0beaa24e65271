package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// TokenizerFile finds the tokenizer.json that a name means on this host: a file,
// or owner/name or hf://owner/name[@revision] in the cache of the Hugging Face
// hub. It is nil for what needs no file: the built-in ones and the server's own.
func TokenizerFile(name string, open func(path string) (io.ReadCloser, error), lookupEnv func(string) (string, bool)) ([]byte, error) {
	if name == "" || name == workload.TokenizerServer || tokenizer.IsBuiltin(name) {
		return nil, nil
	}
	repo, isRepo := hubName(name)
	if !strings.HasPrefix(name, "hf://") {
		data, err := readTokenizer(name, open)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	if !isRepo {
		return nil, fmt.Errorf("dataset.tokenizer: %q is neither a file, nor built in (%s and OpenAI's models), nor a name on the hub (owner/name): %w",
			name, strings.Join(tokenizer.Encodings, ", "), fs.ErrNotExist)
	}
	folder := hubCache(lookupEnv)
	path, err := repo.cached(folder)
	if err != nil {
		return nil, fmt.Errorf("dataset.tokenizer: %q is not a file here, and not in the hub's cache in %s; give the path of a tokenizer.json: %w", name, folder, err)
	}
	return readTokenizer(path, open)
}

func readTokenizer(path string, open func(string) (io.ReadCloser, error)) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("dataset.tokenizer: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, tokenizer.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("dataset.tokenizer: %w", err)
	}
	return data, nil
}

// hubRepo is a model on the hub.
type hubRepo struct{ owner, name, revision string }

var hubPattern = regexp.MustCompile(`^(?:hf://)?([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9][A-Za-z0-9._-]*)(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?$`)

func hubName(name string) (hubRepo, bool) {
	m := hubPattern.FindStringSubmatch(name)
	if m == nil || strings.Contains(name, "..") {
		return hubRepo{}, false
	}
	r := hubRepo{m[1], m[2], m[3]}
	if r.revision == "" {
		r.revision = "main"
	}
	return r, true
}

// hubCache is where the hub's own tools keep files.
func hubCache(lookupEnv func(string) (string, bool)) string {
	if lookupEnv == nil {
		lookupEnv = os.LookupEnv
	}
	for _, place := range []struct{ variable, below string }{{"HF_HUB_CACHE", ""}, {"HF_HOME", "hub"}, {"XDG_CACHE_HOME", "huggingface/hub"}} {
		if v, ok := lookupEnv(place.variable); ok && v != "" {
			return filepath.Join(v, filepath.FromSlash(place.below))
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface", "hub")
}

// cached is the path of the tokenizer in the cache's layout: a branch's file in
// refs names the snapshot.
func (r hubRepo) cached(folder string) (string, error) {
	repo := filepath.Join(folder, "models--"+r.owner+"--"+r.name)
	snapshot := r.revision
	if ref, err := os.ReadFile(filepath.Join(repo, "refs", filepath.FromSlash(r.revision))); err == nil {
		snapshot = strings.TrimSpace(string(ref))
	}
	path := filepath.Join(repo, "snapshots", filepath.Base(snapshot), "tokenizer.json")
	_, err := os.Stat(path)
	return path, err
}

// resolveTokenizer uploads the tokenizer that a spec names, so that neither
// controller nor agents need this host's files.
func (c *Client) resolveTokenizer(ctx context.Context, d *workload.Dataset) error {
	data, err := TokenizerFile(d.Tokenizer, c.openFile, c.lookupEnv)
	if errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(d.Tokenizer, "hf://") {
		return nil // perhaps the controller has it
	}
	if err != nil || data == nil {
		return err
	}
	if _, err := tokenizer.Load(data); err != nil {
		return fmt.Errorf("dataset.tokenizer: %q: %w: %w", d.Tokenizer, ErrInvalidSpec, err)
	}
	first := &stampedev1.UploadDatasetRequest{FileName: "tokenizer.json", Verbatim: true}
	d.TokenizerHash, err = c.upload(ctx, first, bytes.NewReader(data))
	return err
}

package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/stampede-bench/stampede/internal/gather"
	"github.com/stampede-bench/stampede/internal/hub"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// TokenizerFile finds the tokenizer.json that a name means: a file of this host, or
// owner/name or hf://owner/name[@revision] on the Hugging Face hub or in its cache
// here. It is nil for what needs no file: the built-in ones and the server's own.
func TokenizerFile(ctx context.Context, d workload.Dataset, open func(path string) (io.ReadCloser, error), env gather.Env) ([]byte, error) {
	name := d.Tokenizer
	if name == "" || name == workload.TokenizerServer || tokenizer.IsBuiltin(name) {
		return nil, nil
	}
	if !strings.HasPrefix(name, "hf://") {
		data, err := readTokenizer(name, open)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	m := hubPattern.FindStringSubmatch(name)
	if m == nil || strings.Contains(name, "..") {
		return nil, fmt.Errorf("dataset.tokenizer: %q is neither a file, nor built in (%s and OpenAI's models), nor a name on the hub (owner/name): %w",
			name, strings.Join(tokenizer.Encodings, ", "), fs.ErrNotExist)
	}
	client, err := env.Hub(d)
	if err != nil {
		return nil, fmt.Errorf("dataset.tokenizer: %w", err)
	}
	path, err := client.File(ctx, hub.Model, m[1], m[2], "tokenizer.json")
	if err != nil {
		return nil, fmt.Errorf("dataset.tokenizer: %w", err)
	}
	return readTokenizer(path, func(path string) (io.ReadCloser, error) { return os.Open(path) })
}

// hubPattern is a repository of the hub and perhaps a revision of it.
var hubPattern = regexp.MustCompile(`^(?:hf://)?([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?$`)

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

// resolveTokenizer uploads the tokenizer that a spec names, so that neither
// controller nor agents need this host's files.
func (c *Client) resolveTokenizer(ctx context.Context, d *workload.Dataset) error {
	lookup := c.lookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	data, err := TokenizerFile(ctx, *d, c.openFile, gather.Env{Lookup: lookup, Progress: c.progress, Notice: c.notice})
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

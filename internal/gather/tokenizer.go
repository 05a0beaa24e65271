package gather

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/stampede-bench/stampede/internal/hub"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

const tokenizerKey = "dataset.tokenizer"

// Opener opens a file by its path.
type Opener func(path string) (io.ReadCloser, error)

// OpenHere is the Opener of this host's files.
func OpenHere(path string) (io.ReadCloser, error) { return os.Open(path) }

// Tokenizer finds the tokenizer.json that a spec's name means: a file, or owner/name
// or hf://owner/name[@revision] on the hub or in its cache here. It is nil for what
// needs no file: the built-in ones and the server's own. What is nowhere is
// workload.Errors; such an error is fs.ErrNotExist, too, where a controller may have
// the file.
func (e Env) Tokenizer(ctx context.Context, d workload.Dataset, open Opener) ([]byte, error) {
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
	m := hubTokenizer(name)
	if m == nil {
		return nil, noTokenizer(name)
	}
	client, err := e.Hub(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerKey, err)
	}
	path, err := client.File(ctx, hub.Model, m[1], m[2], "tokenizer.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerKey, err)
	}
	return readTokenizer(path, OpenHere)
}

// CheckTokenizer refuses a tokenizer that is no file of this host and can't be
// anything else, without looking for it on the hub.
func CheckTokenizer(d workload.Dataset) error {
	name := d.Tokenizer
	if name == "" || name == workload.TokenizerServer || tokenizer.IsBuiltin(name) || hubTokenizer(name) != nil {
		return nil
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return noTokenizer(name)
	}
	return nil
}

// hubPattern is a repository of the hub and perhaps a revision of it.
var hubPattern = regexp.MustCompile(`^(?:hf://)?([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?$`)

// hubTokenizer takes a name on the hub apart; it is nil for other names.
func hubTokenizer(name string) []string {
	if strings.Contains(name, "..") {
		return nil
	}
	return hubPattern.FindStringSubmatch(name)
}

// nowhere is the error on a file that is not there.
type nowhere struct{ workload.Errors }

func (n nowhere) Unwrap() []error { return []error{n.Errors, fs.ErrNotExist} }

func noTokenizer(name string) error {
	return nowhere{workload.Errors{{
		Path: tokenizerKey, Type: "value_error",
		Message: fmt.Sprintf("%q is no file%s, nor built in (%s and OpenAI's models), nor a name on the hub (owner/name)", name, folderOf(name), strings.Join(tokenizer.Encodings, ", ")),
	}}}
}

func readTokenizer(path string, open Opener) ([]byte, error) {
	file, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var data []byte
	if err == nil {
		defer file.Close()
		data, err = io.ReadAll(io.LimitReader(file, tokenizer.MaxFile+1))
	}
	if err != nil {
		return nil, workload.Errors{{Path: tokenizerKey, Message: fmt.Sprintf("%q can't be read: %v", path, cause(err)), Type: "value_error"}}
	}
	return data, nil
}

// cause is an error of the file system without its call and path.
func cause(err error) error {
	var host *fs.PathError
	if errors.As(err, &host) {
		return host.Err
	}
	return err
}

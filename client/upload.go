package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/stampede-bench/stampede/internal/secret"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// pieceBytes is how much of a file goes up in one message.
const pieceBytes = 512 << 10

// UploadDataset brings data to the controller and returns the hash to put into
// dataset.corpus_hash. The ending of name tells the format.
func (c *Client) UploadDataset(ctx context.Context, name string, data io.Reader) (hash string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when data fails
	stream, err := c.rpc.UploadDataset(ctx)
	if err != nil {
		return "", fail(err, "upload dataset %q", name)
	}
	buf := make([]byte, pieceBytes)
	for first := true; ; first = false {
		n, readErr := io.ReadFull(data, buf)
		if readErr != nil && !errors.Is(readErr, io.EOF) && !errors.Is(readErr, io.ErrUnexpectedEOF) {
			return "", fmt.Errorf("upload dataset %q: read: %w", name, readErr)
		}
		if n > 0 || first {
			piece := &stampedev1.UploadDatasetRequest{Data: buf[:n]}
			if first {
				piece.FileName = filepath.Base(name)
			}
			if stream.Send(piece) != nil {
				break // the reason is what CloseAndRecv returns
			}
		}
		if readErr != nil {
			break
		}
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return "", fail(err, "upload dataset %q", name)
	}
	return answer.GetCorpusHash(), nil
}

// resolve returns a copy of spec in which what belongs to the calling process,
// its environment and its files, has been replaced by values.
func (c *Client) resolve(ctx context.Context, spec *workload.Spec) (*workload.Spec, error) {
	if spec == nil {
		return nil, fmt.Errorf("register test: %w: there is no spec", ErrInvalidSpec)
	}
	resolved := *spec
	if key, ok := c.key(spec); ok {
		resolved.Endpoint.APIKey = secret.New(key)
	}
	if spec.Dataset.Path == "" || spec.Dataset.CorpusHash != "" {
		return &resolved, nil
	}
	file, err := c.openFile(spec.Dataset.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return &resolved, nil // perhaps the controller has it
	}
	if err != nil {
		return nil, fmt.Errorf("dataset.path: %w", err)
	}
	defer file.Close()
	resolved.Dataset.CorpusHash, err = c.UploadDataset(ctx, spec.Dataset.Path, file)
	return &resolved, err
}

// key looks up the environment variable that holds the endpoint's key; a default
// of the spec counts as said.
func (c *Client) key(spec *workload.Spec) (string, bool) {
	if c.lookupEnv == nil {
		return "", false
	}
	complete, _ := spec.WithDefaults()
	if complete.Endpoint.APIKeyEnv == "" || !complete.Endpoint.APIKey.Empty() {
		return "", false
	}
	return c.lookupEnv(complete.Endpoint.APIKeyEnv)
}

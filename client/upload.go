package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stampede-bench/stampede/internal/gather"
	"github.com/stampede-bench/stampede/internal/secret"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/source"
)

// pieceBytes is how much of a file goes up in one message.
const pieceBytes = 512 << 10

// UploadDataset brings data to the controller and returns the hash to put into
// dataset.corpus_hash. The controller reads it as what its columns say.
func (c *Client) UploadDataset(ctx context.Context, name string, data io.Reader) (hash string, err error) {
	return c.upload(ctx, &stampedev1.UploadDatasetRequest{FileName: filepath.Base(name)}, data)
}

// upload sends data behind what first says of it. The controller may have it
// already and answer at once.
func (c *Client) upload(ctx context.Context, first *stampedev1.UploadDatasetRequest, data io.Reader) (hash string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when data fails
	stream, err := c.rpc.UploadDataset(ctx)
	if err != nil {
		return "", fail(err, "upload dataset %q", first.GetFileName())
	}
	buf := make([]byte, pieceBytes)
	for piece := first; ; piece = new(stampedev1.UploadDatasetRequest) {
		n, readErr := io.ReadFull(data, buf)
		if readErr != nil && !errors.Is(readErr, io.EOF) && !errors.Is(readErr, io.ErrUnexpectedEOF) {
			return "", fmt.Errorf("upload dataset %q: read: %w", first.GetFileName(), readErr)
		}
		if piece.Data = buf[:n]; n > 0 || piece == first {
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
		return "", fail(err, "upload dataset %q", first.GetFileName())
	}
	return answer.GetCorpusHash(), nil
}

// resolve returns a copy of spec in which what belongs to the calling process,
// its environment and its files, has been replaced by values. Paths of files that
// were read are absolute in it, so that whoever repeats the run finds them from
// any folder.
func (c *Client) resolve(ctx context.Context, spec *workload.Spec) (_ *workload.Spec, err error) {
	if spec == nil {
		return nil, fmt.Errorf("%s: %w: there is no spec", opRegister, ErrInvalidSpec)
	}
	resolved := *spec
	if key, ok := c.key(spec); ok {
		resolved.Endpoint.APIKey = secret.New(key)
	}
	if err := c.resolveTokenizer(ctx, &resolved.Dataset); err != nil {
		return nil, err
	}
	if spec.Dataset.OnHub() {
		resolved.Dataset.CorpusHash, err = c.uploadNamed(ctx, spec.Dataset)
		resolved.Dataset.HubToken = secret.String{} // it has done its work
		return &resolved, wrongSpec(err)
	}
	if spec.Dataset.Path == "" || spec.Dataset.CorpusHash != "" {
		return &resolved, nil
	}
	file, err := c.openFile(spec.Dataset.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return &resolved, nil // perhaps the controller has it
	}
	if err != nil {
		return nil, faulty("dataset.path", err)
	}
	defer file.Close()
	if resolved.Dataset.Path, err = placeOf(file, spec.Dataset.Path); err != nil {
		return nil, faulty("dataset.path", err)
	}
	resolved.Dataset.CorpusHash, err = c.uploadFile(ctx, spec, file)
	return &resolved, wrongSpec(err)
}

// uploadFile converts a spec's file and uploads it.
func (c *Client) uploadFile(ctx context.Context, spec *workload.Spec, file io.Reader) (hash string, err error) {
	folder, err := os.MkdirTemp("", "stampede-corpus-*")
	if err != nil {
		return "", fmt.Errorf("dataset: %w", err)
	}
	defer os.RemoveAll(folder)
	name := filepath.Base(spec.Dataset.Path)
	whole, err := spooled(file, folder)
	if err != nil {
		return "", fmt.Errorf("dataset.path: %w", err)
	}
	defer whole.Close()
	info, err := whole.Stat()
	if err != nil {
		return "", fmt.Errorf("dataset.path: %w", err)
	}
	in := source.Input{Name: name, Data: whole, Size: info.Size()}
	return c.uploadInputs(ctx, name, spec.Dataset, []source.Input{in}, filepath.Join(folder, "corpus"))
}

// uploadNamed fetches a dataset of the hub, converts it, and uploads it.
func (c *Client) uploadNamed(ctx context.Context, d workload.Dataset) (hash string, err error) {
	lookup := c.lookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	data, err := gather.Env{Lookup: lookup, Progress: c.progress, Notice: c.notice}.Find(ctx, d)
	if err != nil {
		return "", err
	}
	defer data.Close()
	folder, err := os.MkdirTemp("", "stampede-corpus-*")
	if err != nil {
		return "", fmt.Errorf("dataset: %w", err)
	}
	defer os.RemoveAll(folder)
	return c.uploadInputs(ctx, data.Name, d, data.Inputs, filepath.Join(folder, "corpus"))
}

// uploadInputs converts data into the file at path and uploads it.
func (c *Client) uploadInputs(ctx context.Context, name string, d workload.Dataset, in []source.Input, path string) (hash string, err error) {
	o := source.OptionsOf(d)
	if d.Path != "" {
		o.ReadFile = source.ReadBeside(d.Path)
	}
	converted, err := source.Convert(ctx, in, o, path)
	if err != nil {
		return "", source.OfSpec(d, err)
	}
	made, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("dataset: %w", err)
	}
	defer made.Close()
	return c.upload(ctx, &stampedev1.UploadDatasetRequest{FileName: name, CorpusHash: converted.Hash}, made)
}

// spooled returns a file that can be read at any place: the one that is given, or
// a copy of it in folder.
func spooled(file io.Reader, folder string) (*os.File, error) {
	if f, ok := file.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f, nil
		}
	}
	spool, err := os.Create(filepath.Join(folder, "spool"))
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(spool, file); err != nil {
		_ = spool.Close()
		return nil, err
	}
	return spool, nil
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

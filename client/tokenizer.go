package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/stampede-bench/stampede/internal/gather"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// resolveTokenizer uploads the tokenizer that a spec names, so that neither
// controller nor agents need this host's files.
func (c *Client) resolveTokenizer(ctx context.Context, d *workload.Dataset) error {
	lookup := c.lookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	place := d.Tokenizer
	open := func(path string) (io.ReadCloser, error) {
		file, err := c.openFile(path)
		if err == nil {
			place, err = placeOf(file, path)
		}
		return file, err
	}
	data, err := gather.Env{Lookup: lookup, Progress: c.progress, Notice: c.notice}.Tokenizer(ctx, *d, open)
	if errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(d.Tokenizer, "hf://") {
		d.TokenizerHash = "" // that of a run which is repeated elsewhere
		return nil           // perhaps the controller has it
	}
	if err != nil || data == nil {
		return wrongSpec(err)
	}
	if _, err := tokenizer.Load(data); err != nil {
		return faulty("dataset.tokenizer", fmt.Errorf("%q: %w", d.Tokenizer, err))
	}
	d.Tokenizer = place
	first := &stampedev1.UploadDatasetRequest{FileName: "tokenizer.json", Verbatim: true}
	d.TokenizerHash, err = c.upload(ctx, first, bytes.NewReader(data))
	return err
}

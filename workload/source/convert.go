package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// Converted is a corpus file that Convert wrote.
type Converted struct {
	Hash    string // SHA-256 of its bytes, in hex
	Bytes   int64
	Records int64
	Schema  string // what the rows were taken for
	Notes   []dataset.Note
}

// Convert writes inputs as a corpus file to path, which it replaces whole. An
// input that is a corpus file already is checked and copied.
func Convert(ctx context.Context, inputs []Input, o Options, path string) (Converted, error) {
	var c Converted
	err := replace(path, func(out *os.File) (err error) {
		if len(inputs) == 1 && inputs[0].Open != nil {
			one := inputs[0]
			if one.Data, one.Size, err = one.Open(); err != nil {
				return err
			}
			one.Open = nil
			inputs = []Input{one}
		}
		if len(inputs) == 1 && isCorpus(inputs[0]) && o.Most == 0 {
			c, err = copyCorpus(inputs[0], out)
			return err
		}
		c, err = convert(ctx, inputs, o, out)
		return err
	})
	return c, err
}

// replace writes a file beside path and puts it in its place when all went well.
func replace(path string, write func(out *os.File) error) error {
	out, err := os.CreateTemp(filepath.Dir(path), ".corpus-*")
	if err != nil {
		return fmt.Errorf("corpus file: %w", err)
	}
	defer os.Remove(out.Name())
	if err := errors.Join(write(out), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return fmt.Errorf("corpus file: %w", err)
	}
	return nil
}

func isCorpus(in Input) bool {
	head := make([]byte, min(in.Size, 64))
	n, _ := in.Data.ReadAt(head, 0)
	return dataset.IsFile(head[:n])
}

func copyCorpus(in Input, out io.Writer) (Converted, error) {
	f, err := dataset.OpenFile(in.Data, in.Size)
	if err != nil {
		return Converted{}, bad(fmt.Errorf("%s: %w", in.Name, err))
	}
	hash, err := dataset.Copy(out, io.NewSectionReader(in.Data, 0, in.Size))
	if err != nil {
		return Converted{}, fmt.Errorf("%s: %w", in.Name, err)
	}
	return Converted{Hash: hash, Bytes: in.Size, Records: f.Len(), Notes: f.Notes()}, nil
}

// checkEvery is after how many records ctx is looked at.
const checkEvery = 256

func convert(ctx context.Context, inputs []Input, o Options, out *os.File) (Converted, error) {
	r, err := NewReader(inputs, o)
	if err != nil {
		return Converted{}, bad(err)
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	w, err := dataset.NewWriter(buffered)
	if err != nil {
		return Converted{}, err
	}
	for one, err := range r.Records() {
		if err == nil && w.Len()%checkEvery == 0 {
			err = ctx.Err()
		}
		if err == nil {
			if err = w.Write(&one); err != nil {
				err = bad(fmt.Errorf("%s: record %d: %w", inputs[0].Name, w.Len()+1, err))
			}
		}
		if err != nil {
			return Converted{}, err
		}
	}
	c := Converted{Records: w.Len(), Schema: r.Schema(), Notes: r.Notes()}
	if c.Hash, err = w.Close(r.Notes()); err != nil {
		return c, fmt.Errorf("corpus file: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return c, fmt.Errorf("corpus file: %w", err)
	}
	if !w.Sorted() {
		if c.Hash, err = sorted(out); err != nil {
			return c, fmt.Errorf("corpus file: %w", err)
		}
	}
	info, err := out.Stat()
	if err != nil {
		return c, fmt.Errorf("corpus file: %w", err)
	}
	c.Bytes = info.Size()
	return c, nil
}

// sorted brings the records of a file into the order of their arrivals.
func sorted(file *os.File) (hash string, err error) {
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file.Name()), ".sorted-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	buffered := bufio.NewWriterSize(tmp, 1<<20)
	if hash, err = dataset.Sort(file, info.Size(), buffered); err != nil {
		return "", err
	}
	if err := buffered.Flush(); err != nil {
		return "", err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	n, err := io.Copy(file, tmp)
	if err != nil {
		return "", err
	}
	return hash, file.Truncate(n)
}

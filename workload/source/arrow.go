package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// arrowRows reads an Arrow IPC file or stream, which is what the datasets library
// keeps in its cache.
func arrowRows(in Input, head []byte) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		n := int64(0)
		err := guarded(func() error {
			batches, err := openArrow(in, head)
			if err != nil {
				return err
			}
			for {
				batch, err := batches.Read()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				if more, err := arrowBatch(in.Name, batch, &n, yield); err != nil || !more {
					return err
				}
			}
		})
		if err != nil {
			yield(nil, fmt.Errorf("%s: row %d: %w", in.Name, n+1, err))
		}
	}
}

// batchReader is what both readers of package ipc do.
type batchReader interface {
	Read() (arrow.RecordBatch, error)
}

func openArrow(in Input, head []byte) (batchReader, error) {
	section := io.NewSectionReader(in.Data, 0, in.Size)
	if bytes.HasPrefix(head, []byte(arrowMagic)) {
		return ipc.NewFileReader(section)
	}
	return ipc.NewReader(bufio.NewReaderSize(section, 1<<20))
}

// arrowBatch yields the rows of one batch, as JSON in slices of it.
func arrowBatch(file string, batch arrow.RecordBatch, n *int64, yield func(*row, error) bool) (more bool, err error) {
	for from := int64(0); from < batch.NumRows(); from += batchRows {
		var text bytes.Buffer
		if err := array.RecordToJSON(batch.NewSlice(from, min(from+batchRows, batch.NumRows())), &text); err != nil {
			return false, err
		}
		for line := range bytes.Lines(text.Bytes()) {
			*n++
			if !yield(&row{data: bytes.TrimSpace(line), file: file, number: *n}, nil) {
				return false, nil
			}
		}
	}
	return true, nil
}

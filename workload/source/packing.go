package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// unpack opens a compressed stream.
type unpack func(io.Reader) (io.ReadCloser, error)

// packing tells by its first bytes how a file is compressed; nil means it is not.
func packing(head []byte) unpack {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return func(r io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		}
	}
	return nil
}

// unpacked opens what lies in a compressed file: something made of lines. Other
// forms are compressed inside and are not to be wrapped again.
func unpacked(name string, stream io.Reader, open unpack) (opened, error) {
	in, err := open(stream)
	if err != nil {
		return opened{}, fmt.Errorf("%s: %w", name, err)
	}
	r := bufio.NewReaderSize(&checked{in}, 1<<16)
	head, err := r.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = in.Close()
		return opened{}, fmt.Errorf("%s: %w", name, err)
	}
	if kind := binaryForm(head); kind != "" {
		_ = in.Close()
		return opened{}, fmt.Errorf("%s: holds a %s file, which can't be read through compression; unpack it first", name, kind)
	}
	inner, err := text(strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst"), name, r, head)
	if err != nil {
		_ = in.Close()
		return opened{}, err
	}
	return opened{rows: closing(inner.rows, in)}, nil
}

// closing closes c when rows end.
func closing(rows iter.Seq2[*row, error], c io.Closer) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		defer c.Close()
		rows(yield)
	}
}

// checked names the compression in errors, which would pass for the rows' own.
type checked struct{ in io.Reader }

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the compressed data is damaged or ends too early: %v", err) //nolint:errorlint // an EOF inside must not look like the file's end
	}
	return n, err
}

// Forms of files that are not made of lines.
const (
	formParquet = "Parquet"
	formArrow   = "Arrow"

	arrowMagic = "ARROW1\x00\x00"
)

// isBinary reports whether the head of a file has characters that no text has. All
// of UTF-16 counts as such.
func isBinary(head []byte) bool {
	return bytes.ContainsFunc(head, func(c rune) bool { return c < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1a\x1b", c) })
}

// binaryForm names the form of a file that is not made of lines, or returns
// nothing.
func binaryForm(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return formParquet
	case bytes.HasPrefix(head, []byte(arrowMagic)), bytes.HasPrefix(head, []byte{0xff, 0xff, 0xff, 0xff}):
		return formArrow
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "ZIP"
	}
	return ""
}

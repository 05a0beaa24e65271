package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// maxRow bounds one row in a file.
const maxRow = dataset.MaxRecordBytes

var errLong = fmt.Errorf("the row is longer than %d MiB", maxRow>>20)

// jsonRows reads an array of objects, or objects one after another, mostly one a
// line.
func jsonRows(name string, in io.Reader) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		r := bufio.NewReaderSize(in, 1<<16)
		line, column, c, err := skipSpace(r, 1, 1)
		switch {
		case errors.Is(err, io.EOF):
			yield(nil, fmt.Errorf("%s: the file is empty", name))
		case err != nil:
			yield(nil, fmt.Errorf("%s: %w", name, err))
		case c == '[':
			newValues(name, r, line, column).array(yield)
		case c == '{':
			jsonLines(name, r, line, column, yield)
		default:
			yield(nil, fmt.Errorf("%s:%d:%d: a dataset begins with [ (a JSON array of rows) or { (one JSON object a line)", name, line, column))
		}
	}
}

// skipSpace reads up to the first character that is no space, and not that one.
func skipSpace(r *bufio.Reader, line, column int) (int, int, byte, error) {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return line, column, 0, err
		}
		if !isSpace(c) {
			return line, column, c, r.UnreadByte()
		}
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
}

// jsonLines reads one object a line. When the first does not end on its line,
// objects are taken to go over lines.
func jsonLines(name string, r *bufio.Reader, line, column int, yield func(*row, error) bool) {
	first := true
	for ; ; line, column = line+1, 1 {
		data, err := readLine(r)
		if errors.Is(err, io.EOF) && len(data) == 0 {
			return
		}
		if err != nil && !errors.Is(err, io.EOF) {
			yield(nil, fmt.Errorf("%s:%d:%d: %w", name, line, column, err))
			return
		}
		one := &row{data: bytes.TrimRight(data, "\n"), file: name, line: line, column: column}
		if len(bytes.TrimSpace(one.data)) == 0 {
			continue
		}
		if first && err == nil && unended(one.data) {
			newValues(name, io.MultiReader(bytes.NewReader(data), r), line, column).sequence(yield)
			return
		}
		first = false
		if !yieldObject(one, yield) {
			return
		}
	}
}

// unended reports whether data is the beginning of a JSON value.
func unended(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	return errors.Is(d.Decode(&raw), io.ErrUnexpectedEOF)
}

// yieldObject yields a row that must be an object.
func yieldObject(one *row, yield func(*row, error) bool) bool {
	trimmed := bytes.TrimLeft(one.data, " \t\r\n")
	skip := len(one.data) - len(trimmed)
	if trimmed[0] != '{' {
		yield(nil, one.fail(skip, errors.New("a row must be a JSON object")))
		return false
	}
	return yield(one, nil)
}

// readLine reads up to and including the end of a line, in memory of its own.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxRow {
			return nil, errLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// values reads JSON values by a decoder and knows where they stand.
type values struct {
	file    string
	window  *window
	decoder *json.Decoder
}

func newValues(file string, r io.Reader, line, column int) *values {
	w := &window{in: r, line: line, column: column}
	return &values{file: file, window: w, decoder: json.NewDecoder(w)}
}

// array yields the elements of one array.
func (v *values) array(yield func(*row, error) bool) {
	if _, err := v.decoder.Token(); err != nil { // the bracket
		yield(nil, v.fail(err))
		return
	}
	for v.decoder.More() {
		if !v.next(yield) {
			return
		}
	}
	if _, err := v.decoder.Token(); err != nil {
		yield(nil, v.fail(err))
		return
	}
	if _, err := v.decoder.Token(); !errors.Is(err, io.EOF) {
		yield(nil, v.failAt(v.decoder.InputOffset(), errors.New("something follows the end of the array")))
	}
}

// sequence yields objects that follow one another.
func (v *values) sequence(yield func(*row, error) bool) {
	for v.decoder.More() && v.next(yield) {
		continue
	}
}

func (v *values) next(yield func(*row, error) bool) bool {
	var raw json.RawMessage
	if err := v.decoder.Decode(&raw); err != nil {
		yield(nil, v.fail(err))
		return false
	}
	v.window.pass(v.decoder.InputOffset() - int64(len(raw)))
	return yieldObject(&row{data: raw, file: v.file, line: v.window.line, column: v.window.column}, yield)
}

// fail places an error of the decoder.
func (v *values) fail(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, errLong):
		return v.failAt(v.window.from, err)
	case errors.As(err, &syntax):
		at := max(syntax.Offset-1, 0) // the offset is behind the character, mostly
		for c, ok := v.window.at(at); ok && isSpace(c); c, ok = v.window.at(at) {
			at++
		}
		return v.failAt(at, err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return v.failAt(v.window.end(), errors.New("the file ends in the middle of a row"))
	}
	return v.failAt(v.decoder.InputOffset(), err)
}

func (v *values) failAt(at int64, err error) error {
	v.window.pass(at)
	return fmt.Errorf("%s:%d:%d: %w", v.file, v.window.line, v.window.column, err)
}

// window keeps what was read of a stream from a place on, to tell lines and
// columns.
type window struct {
	in           io.Reader
	held         []byte
	passed       int   // of held, which is dropped in bulk
	from         int64 // where what is left of held begins
	line, column int   // likewise
}

// Read implements io.Reader.
func (w *window) Read(p []byte) (int, error) {
	if len(w.left()) > maxRow+1<<20 {
		return 0, errLong
	}
	n, err := w.in.Read(p)
	w.held = append(w.held, p[:n]...)
	return n, err
}

func (w *window) left() []byte { return w.held[w.passed:] }

func (w *window) end() int64 { return w.from + int64(len(w.left())) }

// pass forgets what lies before a place.
func (w *window) pass(at int64) {
	n := min(max(at-w.from, 0), int64(len(w.left())))
	w.line, w.column = after(w.left()[:n], w.line, w.column)
	w.passed += int(n)
	w.from += n
	if w.passed > len(w.held)/2 {
		w.held = append(w.held[:0], w.left()...)
		w.passed = 0
	}
}

func (w *window) at(at int64) (byte, bool) {
	if at < w.from || at >= w.end() {
		return 0, false
	}
	return w.left()[at-w.from], true
}

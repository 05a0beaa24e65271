package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
)

// delimiter tells whether text is a table with a line of names on top, by the
// name's ending or else by the first line, and what separates its cells.
func delimiter(name string, head []byte) rune {
	switch strings.ToLower(path.Ext(name)) {
	case ".tsv":
		return '\t'
	case ".csv":
		if d := separator(head); d != 0 {
			return d
		}
		return ','
	case ".json", ".jsonl", ".ndjson":
		return 0
	}
	if trimmed := bytes.TrimLeft(head, " \t\r\n"); len(trimmed) == 0 || trimmed[0] == '{' || trimmed[0] == '[' {
		return 0
	}
	return separator(head)
}

// separator is what separates the most names in the first line.
func separator(head []byte) rune {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	var best rune
	most := 0
	for _, d := range []rune{',', '\t', ';'} {
		if n := bytes.Count(first, []byte(string(d))); n > most {
			best, most = d, n
		}
	}
	return best
}

// tableRows reads a table whose first line names the columns.
func tableRows(name string, in io.Reader, delimiter rune) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		t := table{file: name, csv: csv.NewReader(&longLine{in: in})}
		t.csv.Comma = delimiter
		t.csv.ReuseRecord = true
		if err := t.header(); err != nil {
			yield(nil, err)
			return
		}
		for {
			one, err := t.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

type table struct {
	file  string
	csv   *csv.Reader
	names []string
}

func (t *table) header() error {
	names, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the file is empty", t.file)
	}
	if err != nil {
		return t.fail(err)
	}
	for i, n := range names {
		n = strings.TrimSpace(n)
		if slices.Contains(t.names, n) {
			line, column := t.csv.FieldPos(i)
			return fmt.Errorf("%s:%d:%d: column %q stands there twice", t.file, line, column, n)
		}
		t.names = append(t.names, n)
	}
	if !slices.ContainsFunc(t.names, func(n string) bool { return !isNumber(n) }) {
		return fmt.Errorf("%s:1:1: the first line must name the columns, such as timestamp,input_tokens,output_tokens", t.file)
	}
	return nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// next reads a line; empty cells are left out.
func (t *table) next() (*row, error) {
	values, err := t.csv.Read()
	if err != nil {
		return nil, t.fail(err)
	}
	one := &row{file: t.file, cells: make([]cell, 0, len(values))}
	one.line, one.column = t.csv.FieldPos(0)
	for i, v := range values {
		if v == "" {
			continue
		}
		line, column := t.csv.FieldPos(i)
		one.cells = append(one.cells, cell{name: t.names[i], text: v, line: line, column: column})
	}
	return one, nil
}

func (t *table) fail(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return err
	case errors.As(err, &parse):
		return fmt.Errorf("%s:%d:%d: %s", t.file, parse.Line, max(parse.Column, 1), t.explain(parse.Err))
	}
	return fmt.Errorf("%s: %w", t.file, err)
}

// explain says in a user's words what package csv found.
func (t *table) explain(err error) string {
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Sprintf("must have as many cells as the first line, which has %d", len(t.names))
	case errors.Is(err, csv.ErrBareQuote):
		return `has a quotation mark inside a cell; such a cell stands in quotation marks, with those inside doubled`
	case errors.Is(err, csv.ErrQuote):
		return `has a cell whose quotation mark is not closed, or is followed by something`
	}
	return err.Error()
}

// longLine refuses lines that would not fit into a row; package csv would hold
// whatever comes. A quoted cell with breaks in it is bounded by its lines only.
type longLine struct {
	in    io.Reader
	since int
}

// Read implements io.Reader.
func (l *longLine) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		l.since = n - i
	} else if l.since += n; l.since > maxRow {
		return n, errLong
	}
	return n, err
}

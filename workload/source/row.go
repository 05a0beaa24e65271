package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// row is one row as a JSON object, and where it stands.
type row struct {
	data   []byte
	file   string
	line   int    // where data begins, from 1; 0: the file has no lines
	column int    // likewise
	number int64  // of the row in a file without lines, from 1
	cells  []cell // of a table: data is made of them
}

// fail is an error at an offset of the row's data.
func (r *row) fail(at int, err error) error {
	if r.line == 0 {
		return fmt.Errorf("%s: row %d: %w", r.file, r.number, err)
	}
	line, column := r.line, r.column
	switch {
	case len(r.cells) > 0:
		for _, c := range r.cells {
			if c.from <= at {
				line, column = c.line, c.column
			}
		}
	default:
		before := r.data[:min(max(at, 0), len(r.data))]
		line, column = after(before, line, column)
	}
	return fmt.Errorf("%s:%d:%d: %w", r.file, line, column, err)
}

// after is the place behind data that begins at line and column.
func after(data []byte, line, column int) (int, int) {
	n := bytes.Count(data, []byte("\n"))
	if n == 0 {
		return line, column + len(data)
	}
	return line + n, len(data) - bytes.LastIndexByte(data, '\n')
}

// decode fills a struct from the row.
func (r *row) decode(into any) error {
	if r.cells != nil {
		r.render(into)
	}
	if err := json.Unmarshal(r.data, into); err != nil {
		return r.failJSON(err)
	}
	return nil
}

// columns are the names of the row's members.
func (r *row) columns() (map[string]bool, error) {
	names := map[string]bool{}
	for _, c := range r.cells {
		names[c.name] = true
	}
	if r.cells != nil {
		return names, nil
	}
	var members map[string]json.RawMessage
	if err := r.decode(&members); err != nil {
		return nil, err
	}
	for name := range members {
		names[name] = true
	}
	return names, nil
}

// has names the row's members, for errors on those that are missing.
func (r *row) has() string {
	const most = 12
	columns, err := r.columns()
	names := slices.Sorted(maps.Keys(columns))
	switch {
	case err != nil || len(names) == 0:
		return "it is empty"
	case len(names) > most:
		return fmt.Sprintf("it has %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "it has " + strings.Join(names, ", ")
}

// failJSON places an error of package json.
func (r *row) failJSON(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at := max(int(syntax.Offset)-1, 0) // the offset is behind the character, mostly
		for at < len(r.data) && isSpace(r.data[at]) {
			at++
		}
		return r.fail(at, err)
	case errors.As(err, &kind):
		return r.fail(max(int(kind.Offset)-1, 0), fmt.Errorf("%s: must be %s, got %s", kind.Field, wanted(kind), kind.Value))
	}
	return r.fail(0, err)
}

func isSpace(c byte) bool { return strings.IndexByte(" \t\r\n", c) >= 0 }

// wanted names the JSON type that a field takes.
func wanted(err *json.UnmarshalTypeError) string {
	switch kind := err.Type.Kind().String(); {
	case kind == "slice":
		return "a list"
	case kind == "struct":
		return "an object"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "bool":
		return "true or false"
	}
	return "a string"
}

package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// reader parses a file of rows: a JSON array, or one JSON object a line.
type reader struct {
	file              string
	data              []byte
	conversationsOnly bool
	multiTurn         bool
	most              int64 // conversations to keep; 0: all
	tokensPerWord     float64

	kept                  [][]Turn
	cut, noHuman, noWords int
}

// notices says what was cut or left out.
func (r *reader) notices() []string {
	var notices []string
	say := func(n int, what string) {
		if n > 0 {
			notices = append(notices, fmt.Sprintf("%s: conversations %s: %d", r.file, what, n))
		}
	}
	say(r.cut, "that began with a model's turn, which was left out")
	say(r.noHuman, "without a human turn, left out")
	say(r.noWords, "with an empty first prompt, left out")
	return notices
}

func (r *reader) read() error {
	r.data = bytes.TrimPrefix(r.data, []byte("\xef\xbb\xbf"))
	body := bytes.TrimLeft(r.data, " \t\r\n")
	switch {
	case len(body) == 0:
		return fmt.Errorf("%s: the file is empty", r.file)
	case body[0] == '[':
		return r.array()
	case body[0] == '{':
		return r.lines()
	}
	return r.fail(len(r.data)-len(body), errors.New("a dataset begins with [ (a JSON array of rows) or { (one JSON object a line)"))
}

// full says that no more rows are wanted.
func (r *reader) full() bool { return r.most > 0 && int64(len(r.kept)) >= r.most }

// lines reads one row a line.
func (r *reader) lines() error {
	rest, at := r.data, 0
	for len(rest) > 0 && !r.full() {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if len(bytes.TrimSpace(line)) > 0 {
			if err := r.row(line, at); err != nil {
				return err
			}
		}
		at += len(rest) - len(after)
		rest = after
	}
	return nil
}

// array reads the elements of one array.
func (r *reader) array() error {
	d := json.NewDecoder(bytes.NewReader(r.data))
	if _, err := d.Token(); err != nil { // the bracket
		return r.failJSON(0, err)
	}
	for d.More() && !r.full() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return r.failJSON(0, err)
		}
		if err := r.row(raw, int(d.InputOffset())-len(raw)); err != nil {
			return err
		}
	}
	if r.full() {
		return nil
	}
	if _, err := d.Token(); err != nil {
		return r.failJSON(0, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r.fail(int(d.InputOffset()), errors.New("something follows the end of the array"))
	}
	return nil
}

// row parses one row that stands at an offset of the file.
func (r *reader) row(raw []byte, at int) error {
	var parsed row
	if trimmed := bytes.TrimLeft(raw, " \t\r"); trimmed[0] != '{' {
		return r.fail(at+len(raw)-len(trimmed), errors.New("a row must be a JSON object"))
	}
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return r.failJSON(at, err)
	}
	if r.conversationsOnly && parsed.Conversations == nil {
		return r.fail(at, errors.New("the row has no conversations, which data in the form of ShareGPT must have"))
	}
	turns, cut, err := parsed.conversation(r.multiTurn, r.tokensPerWord)
	recorded := parsed.Conversations != nil // collected in the wild, so skipped and counted
	switch {
	case recorded && errors.Is(err, errNoHuman):
		r.noHuman++
	case recorded && errors.Is(err, errEmpty):
		r.noWords++
	case err != nil:
		return r.fail(at, err)
	default:
		if cut {
			r.cut++
		}
		r.kept = append(r.kept, turns)
	}
	return nil
}

// failJSON places an error of package json in the file; base is where the parsed
// part begins.
func (r *reader) failJSON(base int, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at := base + max(int(syntax.Offset)-1, 0) // the offset is behind the character, mostly
		for at < len(r.data) && strings.IndexByte(" \t\r\n", r.data[at]) >= 0 {
			at++
		}
		return r.fail(at, err)
	case errors.As(err, &kind):
		return r.fail(base+max(int(kind.Offset)-1, 0), fmt.Errorf("%s: must be %s, got %s", kind.Field, wanted(kind), kind.Value))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return r.fail(len(r.data), errors.New("the file ends in the middle of a row"))
	}
	return r.fail(base, err)
}

// wanted names the JSON type that a field takes.
func wanted(err *json.UnmarshalTypeError) string {
	switch kind := err.Type.Kind().String(); {
	case kind == "slice":
		return "a list"
	case kind == "struct":
		return "an object"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	}
	return "a string"
}

// fail is an error at an offset of the file.
func (r *reader) fail(at int, err error) error {
	before := r.data[:min(at, len(r.data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%s:%d:%d: %w", r.file, line, column, err)
}

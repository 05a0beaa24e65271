package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// Bounds on documents, so that a hostile one costs little.
const (
	maxDocument = 64 << 20 // bytes, reports included
	maxSpec     = 4 << 20  // bytes of a spec
	maxDepth    = 64
	maxNodes    = 200_000 // after aliases were expanded
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindText
	kindList
	kindObject
)

// node is one value of a document, whichever notation it was written in. Order,
// duplicate keys and numbers are kept as written.
type node struct {
	kind    kind
	text    string // scalars: the value; a number is in JSON's notation
	raw     string // scalars: as written, for places where text is expected
	items   []*node
	members []member
}

type member struct {
	key   string
	value *node
}

func (n *node) get(key string) *node {
	for _, m := range n.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// describe names a value for a message; keep it away from secrets.
func (n *node) describe() string {
	switch n.kind {
	case kindNull:
		return "null"
	case kindList:
		return "a list"
	case kindObject:
		return "an object"
	case kindText:
		return quote(n.text)
	default:
		return shorten(n.raw)
	}
}

func quote(s string) string { return strconv.Quote(shorten(s)) }

func shorten(s string) string {
	const most = 60
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}

// builder makes a tree and collects what is wrong with the document as such.
type builder struct {
	nodes int
	errs  Errors
}

var errTooLarge = fmt.Errorf("has more than %d values", maxNodes)
var errTooDeep = fmt.Errorf("is nested more than %d levels deep", maxDepth)

// enter accounts for one more value.
func (b *builder) enter(depth int) error {
	b.nodes++
	if b.nodes > maxNodes {
		return errTooLarge
	}
	if depth > maxDepth {
		return errTooDeep
	}
	return nil
}

// put adds a member and reports a key that was there before.
func (b *builder) put(o *node, seen map[string]bool, path, key string, v *node) {
	if seen[key] {
		b.errs.add(FieldError{Path: join(path, key), Message: "is given more than once", Type: typeValue})
		return
	}
	seen[key] = true
	o.members = append(o.members, member{key, v})
}

// json reads one JSON document.
func (b *builder) json(data []byte) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	n, err := b.jsonValue(dec, "", 0)
	if err != nil {
		return nil, jsonError(data, dec, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: there is text after the end of the JSON object", position(data, dec.InputOffset()))
	}
	return n, nil
}

func jsonError(data []byte, dec *json.Decoder, err error) error {
	if errors.Is(err, errTooLarge) || errors.Is(err, errTooDeep) {
		return err
	}
	offset := dec.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err, offset = errors.New("unexpected end of the document"), int64(len(data))
	}
	return fmt.Errorf("%s: %w", position(data, offset), err)
}

// position names a line only: encoding/json's offsets point before or behind
// what they are about.
func position(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	return fmt.Sprintf("line %d", bytes.Count(before, []byte("\n"))+1)
}

func (b *builder) jsonValue(dec *json.Decoder, path string, depth int) (*node, error) {
	if err := b.enter(depth); err != nil {
		return nil, err
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '{' {
			return b.jsonObject(dec, path, depth)
		}
		return b.jsonList(dec, path, depth)
	case json.Number:
		return &node{kind: kindNumber, text: t.String(), raw: t.String()}, nil
	case string:
		return &node{kind: kindText, text: t, raw: t}, nil
	case bool:
		return boolNode(t), nil
	default:
		return &node{kind: kindNull, raw: "null"}, nil
	}
}

func boolNode(v bool) *node {
	s := strconv.FormatBool(v)
	return &node{kind: kindBool, text: s, raw: s}
}

func (b *builder) jsonObject(dec *json.Decoder, path string, depth int) (*node, error) {
	o := &node{kind: kindObject}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok {
			return nil, errors.New("an object's key must be a string")
		}
		v, err := b.jsonValue(dec, join(path, key), depth+1)
		if err != nil {
			return nil, err
		}
		b.put(o, seen, path, key, v)
	}
	_, err := dec.Token()
	return o, err
}

func (b *builder) jsonList(dec *json.Decoder, path string, depth int) (*node, error) {
	l := &node{kind: kindList}
	for dec.More() {
		v, err := b.jsonValue(dec, at(path, len(l.items)), depth+1)
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, v)
	}
	_, err := dec.Token()
	return l, err
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// appendJSON writes the tree back, compactly and in its own order.
func (n *node) appendJSON(dst []byte) []byte {
	switch n.kind {
	case kindNull:
		return append(dst, "null"...)
	case kindBool, kindNumber:
		return append(dst, n.text...)
	case kindText:
		return appendString(dst, n.text)
	case kindList:
		dst = append(dst, '[')
		for i, v := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.appendJSON(dst)
		}
		return append(dst, ']')
	default:
		dst = append(dst, '{')
		for i, m := range n.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, m.key), ':')
			dst = m.value.appendJSON(dst)
		}
		return append(dst, '}')
	}
}

// appendString leaves <, > and & as they are: gates and functions are full of
// them, and people read these files.
func appendString(dst []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(dst, `""`...) // a string always encodes
	}
	return append(dst, bytes.TrimRight(buf.Bytes(), "\n")...)
}

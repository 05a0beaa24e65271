package workload

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// InlineLengths replaces every length distribution that names a file, "file:PATH",
// by the histogram of what the file holds, so that the spec says by itself what is
// sent. read returns a file of the calling process. Errors name file, line and
// column.
func (s *Spec) InlineLengths(read func(path string) ([]byte, error)) error {
	var errs Errors
	for _, l := range s.lengths() {
		path, text := l.path, l.text
		kind, file, _ := strings.Cut(strings.TrimSpace(*text), ":")
		if kind != distFile {
			continue
		}
		d, err := readLengths(file, read)
		if err != nil {
			errs.add(FieldError{Path: path, Message: err.Error(), Type: typeValue})
			continue
		}
		*text = d.String()
	}
	return errs.orNil()
}

// lengthKey is a key that takes a distribution of tokens.
type lengthKey struct {
	path string
	text *string
}

func (s *Spec) lengths() []lengthKey {
	d := &s.Dataset
	keys := []lengthKey{{"dataset.input_tokens", &d.InputTokens}, {"dataset.output_tokens", &d.OutputTokens}}
	if d.Prefix != nil {
		keys = append(keys, lengthKey{"dataset.prefix.tokens", &d.Prefix.Tokens})
	}
	if d.Chat != nil {
		keys = append(keys, lengthKey{"dataset.chat.input_tokens", &d.Chat.InputTokens}, lengthKey{"dataset.chat.turns", &d.Chat.Turns})
	}
	return keys
}

func readLengths(file string, read func(string) ([]byte, error)) (Dist, error) {
	if strings.TrimSpace(file) == "" {
		return Dist{}, errors.New("must name a file of lengths, as in file:lengths.txt")
	}
	data, err := read(file)
	if err != nil {
		return Dist{}, fmt.Errorf("file of lengths: %w", err)
	}
	return parseLengthFile(file, data)
}

// parseLengthFile reads one length a line, or a length or range and its weight:
// "17", "17 3", "100-200,5". What follows a # is a remark; a first line of words is
// a heading.
func parseLengthFile(file string, data []byte) (Dist, error) {
	var bins []bin
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	number, heading := 0, true
	for line := range bytes.Lines(data) {
		number++
		text, _, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if heading = heading && !strings.ContainsAny(text, "0123456789"); heading {
			heading = false
			continue
		}
		b, column, err := parseLengthLine(text)
		if err != nil {
			return Dist{}, fmt.Errorf("%s:%d:%d: %w", file, number, column, err)
		}
		bins = append(bins, b)
		if len(bins) > 10_000_000 {
			return Dist{}, fmt.Errorf("%s: must have at most 10000000 lengths", file)
		}
	}
	d, err := newHistogram(bins)
	if err != nil {
		return Dist{}, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// parseLengthLine reads a length, or a length and its weight. column is where it
// goes wrong.
func parseLengthLine(text string) (b bin, column int, err error) {
	apart := func(r rune) bool { return r == ',' || r == ';' || r == '=' || unicode.IsSpace(r) }
	words := strings.FieldsFunc(text, apart)
	if len(words) == 0 || len(words) > 2 {
		return bin{}, 1, fmt.Errorf("must be a length, or a length and its weight, got %s", quote(text))
	}
	weight := "1"
	if len(words) == 2 {
		weight = words[1]
	}
	if b, err = parseBin(words[0], weight); err != nil {
		at := strings.Index(text, words[0])
		if _, wrong := parseBin(words[0], "1"); wrong == nil {
			at += len(words[0]) + strings.Index(text[at+len(words[0]):], weight)
		}
		return bin{}, at + 1, err
	}
	return b, 0, nil
}

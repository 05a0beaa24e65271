package workload

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxErrors bounds how many errors one document can cause; past it the rest is
// only counted.
const maxErrors = 100

// FieldError says what is wrong with one key of a spec.
type FieldError struct {
	// Path names the key in snake_case, such as load.stages[1].rate. It is empty
	// when the document as a whole is meant.
	Path string
	// Message is a sentence without the path, such as "must be greater than 0,
	// got -3". It never contains a secret's value.
	Message string
	// Hint says what to do about it, or is empty.
	Hint string
	// Type classifies the error for machines in FastAPI's words, such as
	// "missing", "string_type" or "value_error".
	Type string
}

// Types of field errors beside those of the scalar decoders.
const (
	typeMissing = "missing"
	typeUnknown = "extra_forbidden"
	typeValue   = "value_error"
	typeSyntax  = "json_invalid"
	typeNotYet  = "not_yet_supported"
)

// Error returns "path: message".
func (e FieldError) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

var pathStep = regexp.MustCompile(`\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|[^.\[\]]+`)

// Loc returns the path as its steps, keys as strings and indexes as ints, as
// FastAPI's error bodies give it (there after a first step "body").
func (e FieldError) Loc() []any {
	loc := []any{}
	for _, m := range pathStep.FindAllStringSubmatch(e.Path, -1) {
		switch {
		case m[1] != "":
			i, err := strconv.Atoi(m[1])
			if err != nil {
				loc = append(loc, m[1])
				continue
			}
			loc = append(loc, i)
		case strings.HasPrefix(m[0], `["`):
			loc = append(loc, m[2])
		default:
			loc = append(loc, m[0])
		}
	}
	return loc
}

// Errors are all the errors of a spec, in the order of its keys. It is the only
// type of error that the parsing and validating functions of this package return.
type Errors []FieldError

// Error returns all errors, separated by semicolons.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "; ")
}

// Unwrap gives the single errors to errors.Is and errors.As.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, f := range e {
		errs[i] = f
	}
	return errs
}

// orNil returns e as an error, and a nil interface when there is none.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func (e *Errors) add(f FieldError) {
	switch {
	case len(*e) < maxErrors:
		*e = append(*e, f)
	case len(*e) == maxErrors:
		*e = append(*e, FieldError{Message: fmt.Sprintf("there are more than %d errors; the rest is not shown", maxErrors), Type: typeValue})
	}
}

// Without leaves out the errors that follow from those in earlier: an error at
// a path that earlier names too, or at a parent or child of one.
func (e Errors) Without(earlier Errors) Errors {
	var kept Errors
	for _, f := range e {
		if !relatedToAny(f.Path, earlier) {
			kept = append(kept, f)
		}
	}
	return kept
}

func relatedToAny(path string, errs Errors) bool {
	for _, f := range errs {
		if within(path, f.Path) || within(f.Path, path) {
			return true
		}
	}
	return false
}

// within reports whether path is parent or lies below it. The whole document
// counts as a parent of nothing, so that its errors don't hide others.
func within(path, parent string) bool {
	if parent == "" || !strings.HasPrefix(path, parent) {
		return false
	}
	rest := path[len(parent):]
	return rest == "" || rest[0] == '.' || rest[0] == '['
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// join appends a key to a path; a key that is no plain word is quoted.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		if len(key) > 80 {
			key = strings.ToValidUTF8(key[:80], "") + "…"
		}
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

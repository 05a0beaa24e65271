package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/internal/secret"
)

// Parsed is what a document says.
type Parsed struct {
	// Spec is what was said; defaults are not filled in.
	Spec *Spec
	// Partial is what could be read of a document with errors, whose Spec is nil: for
	// whoever has more to say of it, so that all that is wrong is said at once.
	Partial *Spec
	// Notices are sentences about what was understood in a way that the writer
	// may want to know.
	Notices []string
	// TestID is the id that the seed's body asks for, or empty.
	TestID string
	// Seed says that the document is the seed's body.
	Seed bool
	// Report says that the document is a report, whose spec this is.
	Report bool

	origin map[string]string // spec path → the seed body's path
}

var errEmpty = errors.New("the document is empty")

// Parse reads a spec: YAML, JSON, protojson, the seed's body, or a report, whose
// spec it takes. It returns what was said, without defaults, and notices. The
// error, of type Errors, holds all that is wrong, in the document and in what
// Validate finds.
func Parse(data []byte) (*Spec, []string, error) {
	p, err := ParseFull(data)
	return p.Spec, p.Notices, err
}

// ParseFull is Parse with all that is known about the document.
func ParseFull(data []byte) (Parsed, error) { return parse(data, readAny, (*Spec).Validate) }

// ParseDraft is ParseFull for a document that flags will complete: what is
// missing, or masked in a report, is no error yet.
func ParseDraft(data []byte) (Parsed, error) { return parse(data, readAny, (*Spec).validateDraft) }

// ParseSeed is ParseFull for where only the seed's body is expected: a document
// that could be either is read as one, so that its errors speak of the seed's
// keys.
func ParseSeed(data []byte) (Parsed, error) { return parse(data, readSeed, (*Spec).Validate) }

type reader func(*decoder, *node) Parsed

func parse(data []byte, read reader, validate func(*Spec) error) (Parsed, error) {
	n, report, errs := document(data)
	if n == nil {
		return Parsed{}, errs
	}
	d := &decoder{errs: errs}
	p := read(d, n)
	if p.Spec == nil {
		return Parsed{}, d.errs.orNil()
	}
	p.Report = report
	dropMaskedKey(p.Spec)
	if report && p.Spec.Dataset.Path != "" {
		p.Spec.Dataset.CorpusHash = "" // the upload may be gone; the file is read again
	}
	var more Errors
	if err := validate(p.Spec); errors.As(err, &more) {
		for _, f := range p.relocate(more).Without(d.errs) {
			d.errs.add(f)
		}
	}
	if len(d.errs) > 0 {
		return Parsed{Partial: p.Spec, origin: p.origin}, d.errs
	}
	return p, nil
}

// AllFaults adds to the error of a document what is wrong with its spec beyond
// that, by the paths of the spec: as Errors, by those that the writer used.
func (p Parsed) AllFaults(err error, more Errors) error {
	var errs Errors
	if err != nil && !errors.As(err, &errs) {
		return err
	}
	return append(slices.Clip(errs), p.relocate(more).Without(errs)...).orNil()
}

func readAny(d *decoder, n *node) Parsed {
	if isSeed(n) {
		return readSeedBody(d, n)
	}
	return readSpec(d, n)
}

func readSeed(d *decoder, n *node) Parsed {
	if n.kind != kindObject || !hasAnyKey(n, specSections()) {
		return readSeedBody(d, n)
	}
	return readSpec(d, n)
}

func readSpec(d *decoder, n *node) Parsed {
	if n.kind != kindObject {
		d.bad("", "model_attributes_type", "a spec is an object of keys such as endpoint and load, got %s", n.describe())
		return Parsed{}
	}
	s := &Spec{}
	d.object("", "", n, reflect.ValueOf(s).Elem())
	return Parsed{Spec: s}
}

// dropMaskedKey forgets a masked key whose variable is named: it is read again.
func dropMaskedKey(s *Spec) {
	if s.Endpoint.APIKeyEnv != "" && isMasked(s.Endpoint.APIKey) {
		s.Endpoint.APIKey = secret.String{}
	}
}

// document makes the tree of a spec from bytes in any notation, and says whether
// they are a report.
func document(data []byte) (n *node, report bool, errs Errors) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) > maxDocument {
		return nil, false, syntax(fmt.Errorf("the document has %d bytes, at most %d are read", len(data), maxDocument))
	}
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return nil, false, syntax(errEmpty)
	}
	if trimmed[0] == '{' {
		return jsonDocument(data)
	}
	n, errs = tree((*builder).yaml, data)
	return n, false, errs
}

// jsonDocument reads what begins like JSON; YAML's flow notation does, too.
func jsonDocument(data []byte) (n *node, report bool, errs Errors) {
	inner, wrapped, report := unwrap(data)
	n, errs = tree((*builder).json, inner)
	if n != nil || wrapped {
		return n, report, errs
	}
	if y, yamlErrs := tree((*builder).yaml, data); y != nil {
		return y, false, yamlErrs
	}
	return nil, false, errs
}

// unwrap returns the spec of a report, or of a RegisterTest request.
func unwrap(data []byte) (inner []byte, wrapped, report bool) {
	var outer map[string]json.RawMessage
	if json.Unmarshal(data, &outer) != nil {
		return data, false, false
	}
	spec, ok := outer["spec"]
	if !ok || !bytes.HasPrefix(bytes.TrimSpace(spec), []byte("{")) {
		return data, false, false
	}
	_, verdict := outer["verdict"]
	_, accounting := outer["accounting"]
	if report = verdict || accounting; report || isRequest(outer) {
		return spec, true, report
	}
	return data, false, false
}

func isRequest(outer map[string]json.RawMessage) bool {
	for key := range outer {
		if key != "spec" && key != "request_id" && key != "requestId" {
			return false
		}
	}
	return true
}

func tree(read func(*builder, []byte) (*node, error), data []byte) (*node, Errors) {
	if len(data) > maxSpec {
		return nil, syntax(fmt.Errorf("the spec has %d bytes, at most %d are read", len(data), maxSpec))
	}
	b := &builder{}
	n, err := read(b, data)
	if err != nil {
		return nil, syntax(err)
	}
	return n, b.errs
}

func syntax(err error) Errors {
	return Errors{{Message: strings.TrimSpace(err.Error()), Type: typeSyntax}}
}

// UnmarshalJSON reads a spec's JSON form, with snake_case or lowerCamel keys. It
// checks types and keys, but not values; Validate does.
func (s *Spec) UnmarshalJSON(data []byte) error {
	n, errs := tree((*builder).json, data)
	if n == nil {
		return errs
	}
	d := &decoder{errs: errs}
	var fresh Spec
	if n.kind != kindNull {
		d.object("", "", n, reflect.ValueOf(&fresh).Elem())
	}
	if len(d.errs) > 0 {
		return d.errs
	}
	*s = fresh
	return nil
}

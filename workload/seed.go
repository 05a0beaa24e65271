package workload

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// seedKeys are the keys of the seed's body that no spec has at its top.
var seedKeys = []string{"dataset_name", "dataset_config", "endpoint_type", "kwargs", "legacy", "random_seed", "test_id", "workload_range"}

var seedAllKeys = append([]string{"url", "model", "key", "max_run_time"}, seedKeys...)

// specSections are the keys of a spec that no seed body has.
func specSections() []string {
	return []string{"agents", "dataset", "endpoint", "gates", "limits", "load", "preflight", "sampling", "sessions", "slo", "trials", "wait_ready", "waitReady"}
}

// IsSection reports whether a key stands at the top of a spec, and nowhere else.
func IsSection(key string) bool { return slices.Contains(specSections(), key) }

func isSeed(n *node) bool {
	return n.kind == kindObject && hasAnyKey(n, seedKeys) && !hasAnyKey(n, specSections())
}

func hasAnyKey(n *node, keys []string) bool {
	return slices.ContainsFunc(n.members, func(m member) bool { return slices.Contains(keys, m.key) })
}

// seedReader reads the seed's body. Its complaints are worded as FastAPI words
// them, because the scripts that send such bodies know those.
type seedReader struct {
	d       *decoder
	body    *node
	config  *node // dataset_config
	kwargs  *node
	spec    *Spec
	testID  string
	notices []string
	origin  map[string]string
}

func readSeedBody(d *decoder, n *node) Parsed {
	if n.kind != kindObject {
		d.bad("", "model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
		return Parsed{}
	}
	r := &seedReader{d: d, body: n, spec: &Spec{}, origin: map[string]string{}}
	r.config, r.kwargs = r.object("dataset_config"), r.object("kwargs")
	r.endpoint()
	r.dataset()
	r.sampling()
	r.limits()
	r.seed()
	r.rest()
	return Parsed{Spec: r.spec, Notices: r.notices, TestID: r.testID, Seed: true, origin: r.origin}
}

func (r *seedReader) say(format string, args ...any) {
	r.notices = append(r.notices, fmt.Sprintf(format, args...))
}

// from remembers where in the body a key of the spec came from.
func (r *seedReader) from(specPath, bodyPath string) { r.origin[specPath] = bodyPath }

// Locate returns the path in the document of a path in the spec; they differ for
// the seed's body only.
func (p Parsed) Locate(path string) string {
	for parent := path; parent != ""; parent = parentOf(parent) {
		if from, ok := p.origin[parent]; ok {
			return from + path[len(parent):]
		}
	}
	return path
}

// Relocate returns errs with the paths that the document's writer used.
func (p Parsed) Relocate(errs Errors) Errors { return p.relocate(errs) }

func (p Parsed) relocate(errs Errors) Errors {
	out := slices.Clone(errs)
	for i := range out {
		out[i].Path = p.Locate(out[i].Path)
	}
	return out
}

func parentOf(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// The readers below return the value of a key of one of the body's objects, with
// its path, and whether it was given.

func (r *seedReader) object(key string) *node {
	n := r.body.get(key)
	if n == nil {
		return &node{kind: kindObject}
	}
	if n.kind != kindObject {
		r.d.bad(key, "dict_type", "Input should be a valid dictionary")
		return &node{kind: kindObject}
	}
	return n
}

func (r *seedReader) text(path string, n *node) (string, bool) {
	if n.kind != kindText {
		r.d.bad(path, "string_type", "Input should be a valid string")
		return "", false
	}
	return n.text, true
}

// required reads a text that must be there, as pydantic does.
func (r *seedReader) required(o *node, prefix, key string) string {
	n, path := o.get(key), join(prefix, key)
	if n == nil {
		r.d.bad(path, typeMissing, "Field required")
		return ""
	}
	s, _ := r.text(path, n)
	return s
}

func (r *seedReader) number(path string, n *node) (float64, bool) {
	switch n.kind {
	case kindNumber, kindText:
		f, err := strconv.ParseFloat(strings.TrimSpace(n.text), 64)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && !isHexFloat(n.text) {
			return f, true
		}
		r.d.bad(path, "float_parsing", "Input should be a valid number, unable to parse string as a number")
	default:
		r.d.bad(path, "float_type", "Input should be a valid number")
	}
	return 0, false
}

func (r *seedReader) integer(path string, n *node) (int64, bool) {
	i, ok := wholeNumber(n)
	switch {
	case ok:
		return i, true
	case n.kind == kindNumber:
		r.d.bad(path, "int_from_float", "Input should be a valid integer, got a number with a fractional part")
	case n.kind == kindText:
		r.d.bad(path, "int_parsing", "Input should be a valid integer, unable to parse string as an integer")
	default:
		r.d.bad(path, "int_type", "Input should be a valid integer")
	}
	return 0, false
}

// boolean takes what pydantic takes for true and false.
func (r *seedReader) boolean(path string, n *node) bool {
	switch n.kind {
	case kindBool, kindText, kindNumber:
		switch strings.ToLower(n.text) {
		case "true", "1", "on", "yes", "y", "t":
			return true
		case "false", "0", "off", "no", "n", "f":
			return false
		}
		r.d.bad(path, "bool_parsing", "Input should be a valid boolean, unable to interpret input")
	default:
		r.d.bad(path, "bool_type", "Input should be a valid boolean")
	}
	return false
}

// seconds reads a number of seconds.
func (r *seedReader) seconds(path string, n *node) (Duration, bool) {
	f, ok := r.number(path, n)
	if !ok {
		return 0, false
	}
	d, err := durationOfSeconds(f, n.raw)
	if err != nil {
		r.d.bad(path, typeValue, "Value error, %s", err)
		return 0, false
	}
	return d, true
}

// value returns a key's value unless it is absent or null.
func value(o *node, key string) (*node, bool) {
	n := o.get(key)
	return n, n != nil && n.kind != kindNull
}

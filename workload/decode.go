package workload

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/internal/secret"
)

// decoder fills structs from a tree by their json tags. It goes on after an
// error, so that all of them are reported, each with its path.
type decoder struct {
	errs   Errors
	fields map[reflect.Type][]field
}

// field is one key of an object.
type field struct {
	name  string // snake_case
	camel string // protojson's lowerCamel
	index int
}

func (d *decoder) bad(path, kind, format string, args ...any) {
	d.errs.add(FieldError{Path: path, Type: kind, Message: fmt.Sprintf(format, args...)})
}

// mismatch reports a value of a wrong type, without the value where the key's
// name says that it is secret.
func (d *decoder) mismatch(path, key, kind, want string, n *node) {
	if IsSecretName(key) {
		d.bad(path, kind, "must be %s", want)
		return
	}
	d.bad(path, kind, "must be %s, got %s", want, n.describe())
}

func (d *decoder) fieldsOf(t reflect.Type) []field {
	if fs, ok := d.fields[t]; ok {
		return fs
	}
	fs := structFields(t)
	if d.fields == nil {
		d.fields = map[reflect.Type][]field{}
	}
	d.fields[t] = fs
	return fs
}

func structFields(t reflect.Type) []field {
	fs := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fs = append(fs, field{name: name, camel: camel(name), index: i})
	}
	return fs
}

// camel is protojson's name of a snake_case field.
func camel(snake string) string {
	var b strings.Builder
	up := false
	for _, r := range snake {
		switch {
		case r == '_':
			up = true
		case up && r >= 'a' && r <= 'z':
			b.WriteRune(r - 'a' + 'A')
			up = false
		default:
			b.WriteRune(r)
			up = false
		}
	}
	return b.String()
}

// object fills a struct from an object.
func (d *decoder) object(path, key string, n *node, v reflect.Value) {
	if n.kind != kindObject {
		d.mismatch(path, key, "dict_type", "an object", n)
		return
	}
	fs := d.fieldsOf(v.Type())
	given := make(map[string]bool, len(n.members))
	for _, m := range n.members {
		f, ok := find(fs, m.key)
		if !ok {
			d.unknown(path, m.key, fs)
			continue
		}
		p := join(path, f.name)
		if given[f.name] {
			d.bad(p, typeValue, "is given twice, as %s and as %s", f.name, f.camel)
			continue
		}
		given[f.name] = true
		d.value(p, f.name, m.value, v.Field(f.index))
	}
}

func find(fs []field, key string) (field, bool) {
	for _, f := range fs {
		if f.name == key || f.camel == key {
			return f, true
		}
	}
	return field{}, false
}

func (d *decoder) unknown(path, key string, fs []field) {
	if len(d.errs) > maxErrors {
		return // looking for hints costs more than the document did
	}
	d.errs.add(FieldError{Path: join(path, key), Message: "is not a key of a spec", Hint: keyHint(path, key, fs), Type: typeUnknown})
}

// value fills v, whatever its type. A null leaves it as it is: not said.
func (d *decoder) value(path, key string, n *node, v reflect.Value) {
	if n.kind == kindNull {
		return
	}
	if d.leaf(path, key, n, v) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		before := len(d.errs)
		p := reflect.New(v.Type().Elem())
		d.value(path, key, n, p.Elem())
		if len(d.errs) == before || v.Type().Elem().Kind() == reflect.Struct {
			v.Set(p)
		}
	case reflect.Struct:
		d.object(path, key, n, v)
	case reflect.Slice:
		d.list(path, key, n, v)
	case reflect.String:
		d.text(path, key, n, v)
	case reflect.Bool:
		if n.kind != kindBool {
			d.mismatch(path, key, "bool_type", "true or false", n)
			return
		}
		v.SetBool(n.text == "true")
	case reflect.Float64:
		if f, ok := d.number(path, key, n); ok {
			v.SetFloat(f)
		}
	default:
		d.integer(path, key, n, v)
	}
}

// leaf fills the types that have a notation of their own.
func (d *decoder) leaf(path, key string, n *node, v reflect.Value) bool {
	switch p := v.Addr().Interface().(type) {
	case *Duration:
		d.duration(path, key, n, p)
	case *Rate:
		d.rate(path, key, n, p)
	case *secret.String:
		if s, ok := d.scalar(path, key, n); ok {
			*p = secret.New(s)
		}
	case *Headers:
		*p = Headers(d.textMap(path, key, n))
	case *map[string]string:
		*p = d.textMap(path, key, n)
	case *ExtraBody:
		if n.kind != kindObject {
			d.mismatch(path, key, "dict_type", "an object", n)
			return true
		}
		*p = ExtraBody(d.anyObject(path, n))
	default:
		return false
	}
	return true
}

// list fills a slice; a single text stands for a list of one.
func (d *decoder) list(path, key string, n *node, v reflect.Value) {
	items := n.items
	if n.kind == kindText && v.Type().Elem().Kind() == reflect.String {
		items = []*node{n}
	} else if n.kind != kindList {
		d.mismatch(path, key, "list_type", "a list", n)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if item.kind == kindNull {
			d.bad(at(path, i), typeMissing, "must not be null")
			continue
		}
		d.value(at(path, i), key, item, out.Index(i))
	}
	v.Set(out)
}

func (d *decoder) text(path, key string, n *node, v reflect.Value) {
	if s, ok := d.scalar(path, key, n); ok {
		v.SetString(s)
	}
}

// scalar takes a text, or a number or a truth value as it was written: people
// write 550 for a length and 4e21 for a commit.
func (d *decoder) scalar(path, key string, n *node) (string, bool) {
	switch n.kind {
	case kindText, kindNumber, kindBool:
		return n.raw, true
	default:
		d.mismatch(path, key, "string_type", "a text", n)
		return "", false
	}
}

func (d *decoder) number(path, key string, n *node) (float64, bool) {
	if n.kind == kindNumber || n.kind == kindText {
		f, err := strconv.ParseFloat(strings.TrimSpace(n.text), 64)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && !isHexFloat(n.text) {
			return f, true
		}
	}
	d.mismatch(path, key, "float_type", "a number", n)
	return 0, false
}

// integer fills an int, which goes as 32 bits on the wire, or an int64.
func (d *decoder) integer(path, key string, n *node, v reflect.Value) {
	least, most := int64(math.MinInt32), int64(math.MaxInt32)
	if v.Kind() == reflect.Int64 {
		least, most = math.MinInt64, math.MaxInt64
	}
	i, ok := wholeNumber(n)
	if !ok {
		d.mismatch(path, key, "int_type", "a whole number", n)
		return
	}
	if i < least || i > most {
		d.bad(path, "int_parsing_size", "must be between %d and %d, got %s", least, most, shorten(n.raw))
		return
	}
	v.SetInt(i)
}

// wholeNumber reads 8, "8" and 8e3, exactly.
func wholeNumber(n *node) (int64, bool) {
	if n.kind != kindNumber && n.kind != kindText {
		return 0, false
	}
	s := strings.TrimSpace(n.text)
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 || isHexFloat(s) {
		return 0, false
	}
	return int64(f), true
}

func (d *decoder) duration(path, key string, n *node, p *Duration) {
	if n.kind != kindNumber && n.kind != kindText {
		d.mismatch(path, key, "time_delta_type", DurationForm, n)
		return
	}
	v, err := ParseDuration(n.text)
	if err != nil {
		d.bad(path, "time_delta_parsing", "%s", err)
		return
	}
	if v == 0 && strings.HasPrefix(path, "slo.") {
		d.bad(path, "greater_than", "must be greater than 0, got %s; leave it out when it is no objective", shorten(n.raw))
		return
	}
	*p = v
}

func (d *decoder) rate(path, key string, n *node, p *Rate) {
	if n.kind != kindNumber && n.kind != kindText {
		d.mismatch(path, key, "float_type", "a number of requests per second or inf", n)
		return
	}
	v, err := ParseRate(n.text)
	if err != nil {
		d.bad(path, "float_parsing", "%s", err)
		return
	}
	*p = v
}

func (d *decoder) textMap(path, key string, n *node) map[string]string {
	if n.kind != kindObject {
		d.mismatch(path, key, "dict_type", "an object", n)
		return nil
	}
	out := make(map[string]string, len(n.members))
	for _, m := range n.members {
		if s, ok := d.scalar(join(path, m.key), m.key, m.value); ok {
			out[m.key] = s
		}
	}
	return out
}

// anyObject decodes free JSON. Numbers become doubles, which is what the wire
// carries, so that a body is the same on every agent.
func (d *decoder) anyObject(path string, n *node) map[string]any {
	out := make(map[string]any, len(n.members))
	for _, m := range n.members {
		out[m.key] = d.any(join(path, m.key), m.key, m.value)
	}
	return out
}

func (d *decoder) any(path, key string, n *node) any {
	switch n.kind {
	case kindNull:
		return nil
	case kindBool:
		return n.text == "true"
	case kindText:
		return n.text
	case kindNumber:
		return d.double(path, key, n)
	case kindList:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = d.any(at(path, i), key, item)
		}
		return out
	default:
		return d.anyObject(path, n)
	}
}

// double refuses whole numbers that a double would change.
func (d *decoder) double(path, key string, n *node) float64 {
	f, ok := d.number(path, key, n)
	i, err := strconv.ParseInt(n.text, 10, 64)
	exact := err == nil && max(i, -i) <= 1<<53
	if ok && !exact && !strings.ContainsAny(n.text, ".eE") {
		d.mismatch(path, key, "int_parsing_size", "a whole number of at most 2^53, which is what the wire carries exactly", n)
	}
	return f
}

package report

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/measure"
)

// roots are the parts of a report, and of a stage, whose figures need no prefix:
// ttft.p99 is metrics.ttft.p99.
var roots = []string{"metrics", "throughput", "accounting", "slo", "generator"}

// otherStats are other tools' and people's words for the values of a
// distribution.
var otherStats = map[string]string{"avg": "mean", "average": "mean", "median": "p50", "stddev": "std"}

// key is one step on the way to a figure. Quoted ones are names even when they
// are numbers.
type key struct {
	name   string
	quoted bool
}

// splitPath cuts stages["rate 10"].ttft.p99.9 into its steps.
func splitPath(path string) []key {
	var keys []key
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			inner, rest, _ := strings.Cut(path[1:], "]")
			if strings.HasPrefix(path, `["`) {
				name, after, _ := strings.Cut(path[2:], `"`)
				keys = append(keys, key{name, true})
				path = strings.TrimPrefix(after, "]")
				continue
			}
			keys = append(keys, key{name: strings.TrimSpace(inner)})
			path = rest
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			keys = append(keys, key{name: path[:end]})
			path = path[end:]
		}
	}
	return joinPercentile(keys)
}

// joinPercentile makes p99.9, which looks like two steps, p999.
func joinPercentile(keys []key) []key {
	if n := len(keys); n > 1 && keys[n-2].name == "p99" && keys[n-1].name == "9" {
		return append(keys[:n-2:n-2], key{name: "p999"})
	}
	return keys
}

// lookup returns the number at a path of r, nil when it is null or not there.
func lookup(r *Report, keys []key) *float64 {
	v := reflect.ValueOf(r).Elem()
	for _, k := range keys {
		if v = child(v, k); !v.IsValid() {
			return nil
		}
	}
	return numberOf(v)
}

// child is the part of v that k names, followed through pointers; the zero Value
// when there is none.
func child(v reflect.Value, k key) reflect.Value {
	switch v = follow(v); v.Kind() {
	case reflect.Struct:
		return member(v, k.name)
	case reflect.Map:
		return v.MapIndex(reflect.ValueOf(k.name).Convert(v.Type().Key()))
	case reflect.Slice:
		return element(v, k)
	default:
		return reflect.Value{}
	}
}

func follow(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

// member is the field of a struct with a JSON name.
func member(v reflect.Value, name string) reflect.Value {
	for i, f := range fieldsOf(v.Type()) {
		switch f {
		case name:
			return v.Field(i)
		case "":
			if inner := member(v.Field(i), name); inner.IsValid() {
				return inner
			}
		}
	}
	return reflect.Value{}
}

// fieldsOf are the JSON names of a struct's fields: "" for embedded structs, "-"
// for what is not shown.
func fieldsOf(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "":
		case tag == "" || !f.IsExported():
			names[i] = "-"
		default:
			names[i] = tag
		}
	}
	return names
}

// element is the member of a list at an index or with a name.
func element(v reflect.Value, k key) reflect.Value {
	if i, err := strconv.Atoi(k.name); err == nil && !k.quoted {
		if i < 0 || i >= v.Len() {
			return reflect.Value{}
		}
		return v.Index(i)
	}
	for i := range v.Len() {
		e := follow(v.Index(i))
		if e.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		if name := member(e, "name"); name.Kind() == reflect.String && name.String() == k.name {
			return e
		}
	}
	return reflect.Value{}
}

// numberOf is v as a number, nil when it is none or null.
func numberOf(v reflect.Value) *float64 {
	var n float64
	switch v = follow(v); v.Kind() {
	case reflect.Float64:
		n = v.Float()
	case reflect.Int, reflect.Int32, reflect.Int64:
		n = float64(v.Int())
	default:
		return nil
	}
	return &n
}

// unitAt is the unit of the figure at a path: of its distribution, or by its
// name.
func unitAt(keys []key) string {
	last := keys[len(keys)-1].name
	if len(keys) > 1 && reflectStat(last) {
		if last == "count" {
			return "1"
		}
		if d, ok := definition(keys[len(keys)-2].name); ok {
			return d.Unit
		}
	}
	if u, ok := plainUnits[last]; ok {
		return u
	}
	for _, id := range []string{last, "slo." + last} {
		if d, ok := definition(id); ok {
			return d.Unit
		}
	}
	return "1"
}

// plainUnits are the units of what has no definition of its own.
var plainUnits = map[string]string{
	"begin": "s", "end": "s", "limit": "s", "clock_bound": "s", "clock_offset": "s", "gc_pause_max": "s",
	"scheduler_latency_p99": "s", "cpu_seconds": "s", "cpu_wait_seconds": "s", "Total_duration_sec": "s", "lateness_p99": "s",
	"cpu_utilization_max": "ratio", "kernel_stamped": "ratio", "Fail_rate": "ratio", "wanted": "ratio", "got": "ratio",
	// counts of tokens under throughput, not the distributions of that name
	"input_tokens": "1", "output_tokens": "1",
}

var statNames = func() map[string]bool {
	names := map[string]bool{}
	for _, v := range []any{measure.Distribution{}, Seed{}} {
		for _, n := range fieldsOf(reflect.TypeOf(v)) {
			names[n] = true
		}
	}
	return names
}()

func reflectStat(name string) bool { return statNames[name] }

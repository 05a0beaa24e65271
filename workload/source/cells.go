package source

import (
	"encoding/json"
	"reflect"
	"strings"
)

// cell is one value of a table, and where it stands.
type cell struct {
	name, text   string
	line, column int
	from         int // where it stands in the row's data
}

// render makes an object of the cells, with values of the types that a struct
// takes: a table does not say whether 12 is a text or a number.
func (r *row) render(into any) {
	kinds := kindsOf(reflect.TypeOf(into))
	r.data = append(r.data[:0], '{')
	for i := range r.cells {
		c := &r.cells[i]
		if i > 0 {
			r.data = append(r.data, ',')
		}
		c.from = len(r.data)
		r.data = append(appendText(r.data, c.name), ':')
		if kind, known := kinds[strings.ToLower(c.name)]; known && kind != reflect.String && json.Valid([]byte(c.text)) {
			r.data = append(r.data, c.text...)
		} else {
			r.data = appendText(r.data, c.text)
		}
	}
	r.data = append(r.data, '}')
}

func appendText(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return dst
	}
	return append(dst, quoted...)
}

// kindsOf are the kinds of a struct's fields, by the lower-case names that they
// have in JSON; those that read any text by themselves count as strings.
func kindsOf(t reflect.Type) map[string]reflect.Kind {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	kinds := make(map[string]reflect.Kind, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind := f.Type
		for kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		kinds[strings.ToLower(name)] = kind.Kind()
	}
	return kinds
}

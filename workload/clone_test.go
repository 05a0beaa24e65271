package workload

import (
	"reflect"
	"testing"

	"github.com/stampede-bench/stampede/internal/secret"
)

// TestCloneSharesNothing fills every field of a spec by reflection, so that a
// new field can't be forgotten.
func TestCloneSharesNothing(t *testing.T) {
	s := &Spec{}
	populate(t, reflect.ValueOf(s).Elem())
	c := s.Clone()
	if !reflect.DeepEqual(c, s) {
		t.Errorf("got  %s\nwant %s", asJSON(t, c), asJSON(t, s))
	}
	shared(t, "spec", reflect.ValueOf(s).Elem(), reflect.ValueOf(c).Elem())
}

func populate(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[secret.String]() {
			v.Set(reflect.ValueOf(secret.New("x")))
			return
		}
		for i := range v.NumField() {
			populate(t, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		populate(t, v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		if value.Kind() == reflect.Interface {
			value.Set(reflect.ValueOf([]any{map[string]any{"b": 1.0}}))
		} else {
			populate(t, value)
		}
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	default:
		t.Fatalf("a spec has a field of kind %s, which this test doesn't know", v.Kind())
	}
}

func shared(t *testing.T, path string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[secret.String]() {
			return // its value never changes
		}
		for i := range a.NumField() {
			shared(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
			return
		}
		if a.Kind() == reflect.Pointer {
			shared(t, path, a.Elem(), b.Elem())
		}
		for i := 0; a.Kind() == reflect.Slice && i < a.Len(); i++ {
			shared(t, path+"[]", a.Index(i), b.Index(i))
		}
		for _, k := range mapKeys(a) {
			shared(t, path+"{}", a.MapIndex(k), b.MapIndex(k))
		}
	case reflect.Interface:
		shared(t, path, a.Elem(), b.Elem())
	}
}

func mapKeys(v reflect.Value) []reflect.Value {
	if v.Kind() != reflect.Map {
		return nil
	}
	return v.MapKeys()
}

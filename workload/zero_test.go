package workload

import (
	"reflect"
	"testing"
)

// A field that is added to Sampling belongs into IsZero.
func TestSamplingIsZero(t *testing.T) {
	if !(Sampling{}).IsZero() || !(Sampling{ExtraBody: ExtraBody{}}).IsZero() {
		t.Error("nothing is something")
	}
	for i := range reflect.TypeFor[Sampling]().NumField() {
		var s Sampling
		f := reflect.ValueOf(&s).Elem().Field(i)
		if f.Kind() == reflect.Map {
			f.Set(reflect.ValueOf(ExtraBody{"a": 1}))
		} else {
			f.Set(reflect.New(f.Type().Elem()))
		}
		if s.IsZero() {
			t.Errorf("%s is forgotten", reflect.TypeFor[Sampling]().Field(i).Name)
		}
	}
}

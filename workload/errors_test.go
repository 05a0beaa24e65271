package workload

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestFieldErrorLoc(t *testing.T) {
	for path, want := range map[string][]any{
		"":                          {},
		"name":                      {"name"},
		"load.stages[1].rate":       {"load", "stages", 1, "rate"},
		"workload_range[0]":         {"workload_range", 0},
		`labels["a b.c"]`:           {"labels", "a b.c"},
		"kwargs.top-k":              {"kwargs", "top-k"},
		"x[99999999999999999999].y": {"x", "99999999999999999999", "y"},
	} {
		if got := (FieldError{Path: path}).Loc(); !reflect.DeepEqual(got, want) {
			t.Errorf("Loc of %q = %v, want %v", path, got, want)
		}
	}
}

func TestErrorsFormAndUnwrapping(t *testing.T) {
	errs := Errors{{Path: "seed", Message: "must be whole"}, {Message: "the document is odd"}}
	if got, want := errs.Error(), "seed: must be whole; the document is odd"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	wrapped := fmt.Errorf("register: %w", errs)
	var all Errors
	var one FieldError
	if !errors.As(wrapped, &all) || len(all) != 2 || !errors.As(wrapped, &one) || one.Path != "seed" {
		t.Errorf("errors.As found %v and %v", all, one)
	}
	if (Errors)(nil).orNil() != nil {
		t.Error("no errors must be a nil error")
	}
}

func TestErrorsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("endpoint: {url: 'http://h'}\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	_, _, err := Parse([]byte(b.String()))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != maxErrors+1 || !strings.Contains(errs[maxErrors].Message, "more than 100 errors") {
		t.Errorf("got %d errors, want %d and a sentence about the rest", len(errs), maxErrors)
	}
}

func TestErrorsThatFollowFromOthersAreLeftOut(t *testing.T) {
	earlier := Errors{{Path: "load.stages[1].rate"}}
	for path, related := range map[string]bool{
		"load.stages[1].rate": true, "load.stages[1]": true, "load": true,
		"load.stages[1].rates": false, "load.stages[10]": false, "load.stages[1].requests": false, "": false,
	} {
		if got := len(Errors{{Path: path}}.Without(earlier)) == 0; got != related {
			t.Errorf("error at %q left out: %v, want %v", path, got, related)
		}
	}
}

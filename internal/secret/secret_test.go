package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const value = "s3kr3t"

func TestNoWayOfPrintingReachesTheValue(t *testing.T) {
	s := New(value)
	type holder struct {
		Key  String
		Ptr  *String
		List []String
		Map  map[string]String
		Any  any
	}
	h := holder{s, &s, []String{s}, map[string]String{"a": s}, s}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%t", "%c", "%U", "%e", "%20v", "%-20.10s", "%#q", "%+q"} {
		for _, v := range []any{s, &s, h, &h, []any{s}, map[string]any{"a": s}} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
	}
	shown = append(shown, fmt.Sprint(s, &s, h), fmt.Sprintln(s), s.String(), s.GoString(), fmt.Errorf("key %v: %w", s, errors.ErrUnsupported).Error())
	for _, v := range []any{s, &s, h, map[String]int{s: 1}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, string(data))
	}
	for _, text := range []bool{true, false} {
		var b bytes.Buffer
		var handler slog.Handler = slog.NewJSONHandler(&b, nil)
		if text {
			handler = slog.NewTextHandler(&b, nil)
		}
		slog.New(handler).Info("m", "key", s, "ptr", &s, "in", h, "list", []String{s})
		shown = append(shown, b.String())
	}
	for _, text := range shown {
		if strings.Contains(text, value) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", value)) {
			t.Errorf("the value is shown in %s", text)
		}
	}
}

func TestMaskAndEmptiness(t *testing.T) {
	for _, tt := range []struct {
		s          String
		text, json string
		empty      bool
	}{{New(value), Mask, `"***"`, false}, {New(""), "", `""`, true}, {String{}, "", `""`, true}} {
		data, err := json.Marshal(tt.s)
		if err != nil || string(data) != tt.json || fmt.Sprint(tt.s) != tt.text || tt.s.Empty() != tt.empty || tt.s.IsZero() != tt.empty {
			t.Errorf("%#v: json %s, text %q, empty %v, %v", tt.s, data, tt.s, tt.s.Empty(), err)
		}
	}
	if New(value).Reveal() != value {
		t.Error("a secret must reveal its value")
	}
	holder := struct{ hidden String }{New(value)}
	if text := fmt.Sprintf("%v %+v %#v", holder, holder, holder); strings.Contains(text, value) {
		t.Errorf("inside an unexported field it is %s", text)
	}
	if got := fmt.Sprintf("%q %#v", New(value), New(value)); got != `"***" "***"` {
		t.Errorf("quoted it is %s", got)
	}
}

func TestOmitZeroLeavesAnEmptySecretOut(t *testing.T) {
	data, err := json.Marshal(struct {
		A String `json:"a,omitzero"`
		B String `json:"b,omitzero"`
	}{B: New(value)})
	if err != nil || string(data) != `{"b":"***"}` {
		t.Errorf("got %s, %v", data, err)
	}
}

package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
)

func TestParseImages(t *testing.T) {
	for text, want := range map[string]workload.Images{
		"1": {Count: 1}, "2:64x48": {Count: 2, Width: 64, Height: 48}, "3:1x2:png": {Count: 3, Width: 1, Height: 2, Format: "png"},
	} {
		if got, err := parseImages(text); err != nil || *got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "1:64", "1:x", "1:axb", "1:1x1:png:more"} {
		if _, err := parseImages(text); err == nil || !strings.Contains(err.Error(), "such as 1:512x512:png") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestParseAudio(t *testing.T) {
	got, err := parseAudio("2:1500ms")
	if err != nil || got.Count != 2 || got.Duration.D() != 1500*time.Millisecond {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "x", "1:5", "1:x"} {
		if _, err := parseAudio(text); err == nil || !strings.Contains(err.Error(), "such as 1:5s") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestParseMix(t *testing.T) {
	half := 0.5
	got, err := parseMix("base, org/lora:v1=0.5")
	if want := []workload.ModelShare{{Name: "base"}, {Name: "org/lora:v1", Weight: &half}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := parseMix("a=b"); err == nil || !strings.Contains(err.Error(), "NAME=WEIGHT") {
		t.Errorf("error %v", err)
	}
}

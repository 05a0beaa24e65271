package source

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload/dataset"
)

func readRows(t *testing.T, text string, read func(string) ([]byte, error)) ([]dataset.Record, error) {
	t.Helper()
	r, err := NewReader([]Input{{Name: "a.jsonl", Data: strings.NewReader(text), Size: int64(len(text))}}, Options{ReadFile: read})
	if err != nil {
		t.Fatal(err)
	}
	var list []dataset.Record
	for one, err := range r.Records() {
		if err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

func mediaRow(parts string) string {
	return `{"messages":[{"role":"user","content":[` + parts + `]}]}` + "\n"
}

// Parts that are no text are kept; files that they name are put into them.
func TestMediaParts(t *testing.T) {
	png := []byte("\x89PNG\r\n\x1a\nrest")
	read := func(path string) ([]byte, error) {
		switch path {
		case "pics/a.png":
			return png, nil
		case "b.wav":
			return []byte("RIFF"), nil
		case "empty.png":
			return nil, nil
		}
		return nil, fs.ErrNotExist
	}
	encoded := base64.StdEncoding.EncodeToString(png)
	for parts, want := range map[string]string{
		`{"type":"text","text":"Hi"},{"type":"image_url", "image_url":{"url":"https://h/a.png","detail":"low"}}`: `{"image_url":{"detail":"low","url":"https://h/a.png"},"type":"image_url"}`,
		`{"type":"image_url","image_url":"data:image/png;base64,AA=="},{"type":"text","text":"Hi"}`:              `{"image_url":{"url":"data:image/png;base64,AA=="},"type":"image_url"}`,
		`{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"pics/a.png"}}`:                      `{"image_url":{"url":"data:image/png;base64,` + encoded + `"},"type":"image_url"}`,
		`{"type":"text","text":"Hi"},{"type":"input_audio","input_audio":{"data":"file://b.wav"}}`:               `{"input_audio":{"data":"UklGRg==","format":"wav"},"type":"input_audio"}`,
		`{"type":"text","text":"Hi"},{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}`:        `{"input_audio":{"data":"UklG","format":"wav"},"type":"input_audio"}`,
	} {
		got, err := readRows(t, mediaRow(parts), read)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %d records, %v", parts, len(got), err)
			continue
		}
		if m := got[0].Turns[0].Messages[0]; m.Content != "Hi" || m.Media != want {
			t.Errorf("%s: %q, %s, want %s", parts, m.Content, m.Media, want)
		}
	}
	for parts, want := range map[string]string{
		`{"type":"image_url","image_url":{"url":"no.png"}}`:    "file does not exist",
		`{"type":"image_url","image_url":{"url":"empty.png"}}`: `"empty.png" of a part is empty`,
		`{"type":"image_url","image_url":{}}`:                  "has no image_url.url",
		`{"type":"input_audio","input_audio":{"data":5}}`:      "has no input_audio.data",
		`{"type":"hologram"}`:                                  `has a part of type "hologram"`,
	} {
		if _, err := readRows(t, mediaRow(parts), read); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "a.jsonl:1:1: ") {
			t.Errorf("%s: error %v, want %q", parts, err, want)
		}
	}
	if _, err := readRows(t, mediaRow(`{"type":"image_url","image_url":{"url":"a.png"}}`), nil); err == nil || !strings.Contains(err.Error(), "can only be read where the data is uploaded from") {
		t.Errorf("without files: error %v", err)
	}
	if _, err := readRows(t, mediaRow(`{"type":"image_url","image_url":{"url":"a.png"}}`), func(string) ([]byte, error) { return bytes.Repeat([]byte("x"), maxMediaBytes+1), nil }); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("too large: error %v", err)
	}
}

package gateway

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestDownloadHoldsTheFilesOfAnID(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.g.plots = newPlots()
		for _, id := range []string{"done", "done.1"} {
			w := r.ask(http.MethodGet, "/report/download/"+id, "")
			archive, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
			if err != nil {
				t.Fatalf("%d %v", w.Code, err)
			}
			var names []string
			for _, f := range archive.File {
				names = append(names, f.Name)
				checkFile(t, f, id)
			}
			want := fmt.Sprintf("[report_%[1]s.json requests_%[1]s.jsonl rs_%[1]s.png tp_%[1]s.png]", id)
			if fmt.Sprint(names) != want {
				t.Errorf("%v, want %s", names, want)
			}
		}
	})
}

func checkFile(t *testing.T, f *zip.File, id string) {
	t.Helper()
	in, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.HasSuffix(f.Name, ".png"):
		if _, err := png.DecodeConfig(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	case strings.HasPrefix(f.Name, "report_") && !strings.Contains(string(data), `"test_id": "done"`):
		t.Errorf("%s of %s: %s", f.Name, id, data)
	}
}

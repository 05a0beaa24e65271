package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

// convertFile converts a file that holds data.
func convertFile(t *testing.T, name, data string, d workload.Dataset) error {
	t.Helper()
	d.Path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(d.Path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	o := OptionsOf(d)
	o.ReadFile = ReadBeside(d.Path)
	_, err = Convert(t.Context(), []Input{{Name: name, Data: file, Size: int64(len(data))}}, o, filepath.Join(t.TempDir(), "corpus"))
	return OfSpec(d, err)
}

func TestBadDataIsAFaultOfTheSpec(t *testing.T) {
	for _, c := range []struct {
		name, data string
		d          workload.Dataset
		want       string
	}{
		{"a.bin", "\x00\x01\x02", workload.Dataset{}, "a.bin: holds bytes that are no text"},
		{"a.json", "", workload.Dataset{}, "a.json: the file is empty"},
		{"a.csv", "", workload.Dataset{}, "a.csv: the file is empty"},
		{"a.csv", "x,y\n1,2\n", workload.Dataset{}, "a.csv:2:1: the row has none of prompt, messages and conversations; it has x, y"},
		{"a.csv", "x,y\n1,2\n", workload.Dataset{Columns: &workload.Columns{Prompt: "z"}}, "a.csv:2:1: column z: is not in the row; it has x, y"},
		{"a.csv", "x,when\nhi,-3\n", workload.Dataset{Columns: &workload.Columns{Prompt: "x", Time: "when"}}, "a.csv:2:1: column when: must not be negative, nor before 1970, got -3"},
		{"a.jsonl", `{"timestamp": -5, "input_length": 1, "output_length": 1}`, workload.Dataset{}, "a.jsonl:1:15: timestamp: must not be negative, got -5"},
		{"a.gz", "\x1f\x8bxx", workload.Dataset{}, "a.gz: "},
		{"a.parquet", "PAR1xx", workload.Dataset{}, "a.parquet: row 1: "},
		{"a.jsonl", `{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "no.png"}]}]}`, workload.Dataset{}, "a.jsonl:1:1: messages.content: the file of a part: open "},
	} {
		err := convertFile(t, c.name, c.data, c.d)
		var errs workload.Errors
		if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Path != "dataset.path" || !strings.HasPrefix(errs[0].Message, c.want) {
			t.Errorf("%q: got %v, want dataset.path: %s", c.data, err, c.want)
		}
	}
}

func TestWhatStoppedReadingIsNotBadData(t *testing.T) {
	gone := &fs.PathError{Op: "read", Path: "x", Err: errors.New("input/output error")}
	for _, cause := range []error{gone, context.Canceled, context.DeadlineExceeded} {
		in := Input{Name: "x", Open: nil, Data: broken{cause}, Size: 100}
		_, err := Convert(t.Context(), []Input{in}, Options{}, filepath.Join(t.TempDir(), "corpus"))
		if !errors.Is(err, cause) || IsBad(err) {
			t.Errorf("%v: got %v, bad %v", cause, err, IsBad(err))
		}
		var errs workload.Errors
		if err = OfSpec(workload.Dataset{Path: "x"}, err); errors.As(err, &errs) || !strings.HasPrefix(err.Error(), "dataset: ") {
			t.Errorf("%v: got %v", cause, err)
		}
	}
	if err := OfSpec(workload.Dataset{}, nil); err != nil {
		t.Errorf("got %v", err)
	}
}

// broken is a file that can't be read.
type broken struct{ err error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

package source

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// read reads all records of data.
func read(name string, data []byte, o Options) ([]dataset.Record, []dataset.Note, error) {
	r, err := NewReader([]Input{{Name: name, Data: bytes.NewReader(data), Size: int64(len(data))}}, o)
	if err != nil {
		return nil, nil, err
	}
	var records []dataset.Record
	for one, err := range r.Records() {
		if err != nil {
			return records, r.Notes(), err
		}
		records = append(records, one)
	}
	return records, r.Notes(), nil
}

func TestMalformedFilesAreNamedByLineAndColumn(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"a.jsonl", "", "a.jsonl: the file is empty"},
		{"a.jsonl", " \n\n", "a.jsonl: the file is empty"},
		{"a", "PK\x03\x04", "a: ZIP files can't be read"},
		{"a", "ARROW1\x00\x00", "a: Arrow files can't be read"},
		{"a.jsonl", "{\n\"prompt\": \"x\"\n}\n{\n\"prompt\": 7\n}", "a.jsonl:5:11: prompt: must be a string, got number"},
		{"a.jsonl", "{\n\"prompt\": \"x\"\n", "a.jsonl:3:1: the file ends in the middle of a row"},
		{"a.csv", "prompt,output_tokens\nhello,5\n\"a, \n b\",x\n", "a.csv:4:5: output_tokens: must be a whole number, got string"},
		{"a.csv", "prompt,output_tokens\nhello\n", "a.csv:2:1: must have as many cells as the first line, which has 2"},
		{"a.csv", "prompt,n\n\"hello\n", "a.csv:2:8: has a cell whose quotation mark is not closed"},
		{"a.csv", "prompt,n\nhel\"lo,5\n", "a.csv:2:4: has a quotation mark inside a cell"},
		{"a.csv", "\x00\x01,\x02\n", "a.csv: holds bytes that are no text in UTF-8; JSON, JSON lines, "},
		{"a.csv", "p\x00r\x00o\x00", "a.csv: holds bytes that are no text in UTF-8"},
		{"a.csv", "prompt,prompt\nhello,x\n", "a.csv:1:8: column \"prompt\" stands there twice"},
		{"a", "\n hello", "a:2:2: a dataset begins with [ (a JSON array of rows) or { (one JSON object a line)"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n{\"prompt\": x}\n", "a.jsonl:2:12: invalid character 'x' looking for beginning of value"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n{\"prompt\": 5}\n", "a.jsonl:2:12: prompt: must be a string, got number"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n{\"promt\": \"y\"}\n", "a.jsonl:2:1: the row has none of prompt, messages and conversations; it has promt"},
		{"a.jsonl", "{}\n", "a.jsonl:1:1: the row has none of prompt, messages and conversations; it is empty"},
		{"a.jsonl", "{\"prompt\": \"x\", \"messages\": []}\n", "a.jsonl:1:1: the row has prompt and messages, it must have only one of them"},
		{"a.jsonl", "{\"prompt\": \"\"}\n", "a.jsonl:1:1: its first prompt is empty"},
		{"a.jsonl", "{\"messages\": []}\n", "a.jsonl:1:1: no turn in it is a human's"},
		{"a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": 5}]}\n", "a.jsonl:1:1: messages.content: must be a string or a list of parts"},
		{"a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}]}\n", `a.jsonl:1:1: messages.content: a part of type "image_url" has no image_url`},
		{"a.jsonl", "{\"messages\": \"x\"}\n", "a.jsonl:1:16: messages: must be a list, got string"},
		{"a.jsonl", "{\"messages\": [7]}\n", "a.jsonl:1:15: messages: must be an object, got number"},
		{"a.jsonl", "{\"prompt\": \"x\", \"output_tokens\": 0}\n", "a.jsonl:1:1: output_tokens: must be from 1 to 10000000, got 0"},
		{"a.jsonl", "{\"prompt\": \"x\", \"max_tokens\": 1.5}\n", "a.jsonl:1:33: max_tokens: must be a whole number, got number 1.5"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n[1]\n", "a.jsonl:2:1: a row must be a JSON object"},
		{"a.jsonl", "{\"prompt\": \"x\"", "a.jsonl:1:14: unexpected end of JSON input"},
		{"a.json", "[{\"prompt\": \"x\"},\n {\"prompt\": \"y\"", "a.json:2:16: the file ends in the middle of a row"},
		{"a.json", "[{\"prompt\": \"x\"},\n  5]", "a.json:2:3: a row must be a JSON object"},
		{"a.json", "[{\"prompt\": \"x\"},\n  {\"prompt\": [1]}]", "a.json:2:14: prompt: must be a string, got array"},
		{"a.json", "[{\"prompt\": \"x\"}\n  {\"prompt\": \"y\"}]", "a.json:2:3: expected comma after array element"},
		{"a.json", "[{\"prompt\": \"x\"}\n] 7", "a.json:2:"},
		{"a.json", "[{\"prompt\": \"x\"}", "a.json:1:17: the file ends in the middle of a row"},
	} {
		_, _, err := read(c.name, []byte(c.data), Options{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.data, err, c.want)
		}
	}
	_, _, err := read("a.json", []byte(`[{"prompt": "x"}]`), Options{Schema: "sharegpt"})
	if want := "a.json:1:2: the row has no conversations, which data in the form of ShareGPT must have"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := NewReader(nil, Options{Schema: "sharegtp"}); err == nil || !strings.HasPrefix(err.Error(), `schema "sharegtp" is not known; there are arena, `) {
		t.Errorf("got %v", err)
	}
}

func TestByteOrderMarkIsSkipped(t *testing.T) {
	records, _, err := read("x", []byte("\xef\xbb\xbf{\"prompt\":\"hi\"}\r\n"), Options{})
	if err != nil || records[0].Turns[0].Messages[0].Content != "hi" {
		t.Errorf("got %v", err)
	}
}

// FuzzRead looks for files that crash, and for records that can't be sent.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"sharegpt.json", "rows.jsonl"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, name := range []string{"arena.jsonl", "dolly.jsonl", "oasst_trees.jsonl", "mt_bench.jsonl"} {
		f.Add(testdata(f, name))
	}
	f.Add([]byte(forestRows))
	f.Add(arenaParquet(f, 1))
	f.Add([]byte("prompt,output_tokens\nhello,5\n"))
	f.Add([]byte("{\n\"prompt\": \"x\"\n}\n{\n\"prompt\": 7\n}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, _, err := read("f", data, Options{Plain: true})
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("an error that does not name the file: %v", err)
		}
		for i, r := range records {
			if len(r.Turns) == 0 {
				t.Fatalf("record %d has no turns", i)
			}
			for _, turn := range r.Turns {
				m := turn.Messages
				if len(m) == 0 && turn.InputTokens == 0 || len(m) > 0 && m[len(m)-1].Role != dataset.RoleUser {
					t.Fatalf("record %d has a turn that does not end with a user's message: %+v", i, turn)
				}
			}
		}
	})
}

package source

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// outline writes records as text: arrival, then for each turn its lengths, when it
// comes, its blocks and its text.
func outline(records []dataset.Record) string {
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "%v:", time.Duration(r.OffsetNanos))
		for _, t := range r.Turns {
			fmt.Fprintf(&b, " %d>%d", t.InputTokens, t.OutputTokens)
			if t.OffsetNanos >= 0 {
				fmt.Fprintf(&b, " at %v", time.Duration(t.OffsetNanos))
			}
			if t.ThinkNanos != 0 {
				fmt.Fprintf(&b, " after %v", time.Duration(t.ThinkNanos))
			}
			if t.Blocks != nil {
				fmt.Fprintf(&b, " %v*%d", t.Blocks, t.BlockTokens)
			}
			for _, m := range t.Messages {
				fmt.Fprintf(&b, " %q", m.Content)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func readFile(t *testing.T, name string) ([]dataset.Record, []dataset.Note) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	records, notes, err := read(name, data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return records, notes
}

func TestTracesOfEveryForm(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"burstgpt.csv", "", "5s: 472>18\n45s: 1087>230\n1m58.5s: 417>276\n"},
		{"bailian.jsonl", "", "1m1.114s: 40>13 [7 8 9]*16\n1m2.5s: 70>3 [7 8 11 12 13]*16\n"},
		{"sessions.jsonl", "", `1.2005s: 1000>7 [1 2]*512
1s: 50>10 80>5 after 2.5s 93>5 at 8s
1.5s: 0>20 "What is the tallest mountain?" 0>0 after -1ns "And the second?"
`},
		{"otel.json", "", "472222h13m22.5s: 64>8\n472222h13m21s: 120>30 170>12 at 3s\n"},
		{"plain.csv", "timestamp,input_tokens,output_tokens\n0,10,1\n0.25,20,2\n1e1,5,5\n", "0s: 10>1\n250ms: 20>2\n10s: 5>5\n"},
		{"dates.csv", "output_tokens,input_tokens,timestamp\n4,3,2023-11-16T18:15:46Z\n4,3,2023-11-16 18:15:46.5\n", "472266h15m46s: 3>4\n472266h15m46.5s: 3>4\n"},
		{"plain.jsonl", `{"timestamp": 1.5, "input_tokens": 7, "output_tokens": 3}`, "1.5s: 7>3\n"},
		{"lengths.jsonl", `{"input_length": 7}`, "-1ns: 7>1\n"},
		{"texts.jsonl", `{"text_input": "Hi", "output_length": 4}`, "-1ns: 0>4 \"Hi\"\n"},
		{"azure24.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n", "476472h0m0.00993s: 2162>5\n"},
	} {
		data := []byte(c.data)
		if c.data == "" {
			var err error
			if data, err = os.ReadFile(filepath.Join("testdata", c.name)); err != nil {
				t.Fatal(err)
			}
		}
		records, _, err := read(c.name, data, Options{})
		if err != nil || outline(records) != c.want {
			t.Errorf("%s: %v\ngot\n%swant\n%s", c.name, err, outline(records), c.want)
		}
	}
}

func TestRealTraces(t *testing.T) {
	azure, _ := readFile(t, "azure_conv.csv")
	if got := outline(azure[:2]); len(azure) != 40 || got != "472266h15m46.68059s: 374>44\n472266h15m50.995169s: 396>109\n" {
		t.Errorf("%d rows, the first are\n%s", len(azure), got)
	}
	mooncake, _ := readFile(t, "mooncake_conversation.jsonl")
	if got := outline(mooncake[:1]); len(mooncake) != 201 || got != "0s: 2290>316 [0 42 43 44 45]*512\n" {
		t.Errorf("%d rows, the first is\n%s", len(mooncake), got)
	}
}

func TestWhatTracesLeaveOutIsCounted(t *testing.T) {
	_, notes := readFile(t, "burstgpt.csv")
	if len(notes) != 1 || notes[0] != (dataset.Note{Text: noteFailed, Count: 1}) {
		t.Errorf("got %v", notes)
	}
	_, notes = readFile(t, "otel.json")
	if fmt.Sprint(notes) != fmt.Sprint([]dataset.Note{{Text: noteForeign, Count: 1}, {Text: noteNoReply, Count: 1}}) {
		t.Errorf("got %v", notes)
	}
}

func TestMalformedTracesAreNamedByLineAndColumn(t *testing.T) {
	const azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n"
	for _, c := range []struct{ name, data, want string }{
		{"a.csv", azure + "yesterday,1,2\n", `a.csv:3:1: TIMESTAMP: must be a number or a date such as 2023-11-16 18:15:46.68, got "yesterday"`},
		{"a.csv", azure + "2023-11-16 18:15:47,x,2\n", "a.csv:3:21: ContextTokens: must be a whole number, got string"},
		{"a.csv", azure + "2023-11-16 18:15:47,5,0\n", "a.csv:3:23: GeneratedTokens: must be from 1 to 10000000, got 0"},
		{"a.csv", azure + "2023-11-16 18:15:47,,2\n", "a.csv:3:1: ContextTokens: is missing"},
		{"a.csv", azure + "2023-11-16 18:15:47,5\n", "a.csv:3:1: must have as many cells as the first line, which has 3"},
		{"a.csv", azure + "1066-10-14 09:00:00,5,5\n", "a.csv:3:1: TIMESTAMP: must be between the years 1970 and 2200, got 1066-10-14 09:00:00"},
		{"a.csv", "0.0,100,20\n1.0,50,3\n", "a.csv:1:1: the first line must name the columns, such as timestamp,input_tokens,output_tokens"},
		{"m.jsonl", `{"timestamp": 0, "input_length": 5, "output_length": 5}` + "\n" + `{"timestamp": -3, "input_length": 5, "output_length": 5}`, "m.jsonl:2:15: timestamp: must not be negative"},
		{"m.jsonl", `{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": [1, 2]}`, "m.jsonl:1:69: hash_ids: must be at most 1 blocks of 512 tokens for an input_length of 5, got 2"},
		{"m.jsonl", `{"timestamp": 0, "input_length": "5"}`, "m.jsonl:1:36: input_length: must be a whole number, got string"},
		{"m.jsonl", `{"timestamp": 0, "input_length": 5, "hash_ids": ["x"]}`, "m.jsonl:1:52: hash_ids: must be a whole number, got string"},
		{"m.jsonl", `{"timestamp": 0, "text_input": " "}`, "m.jsonl:1:32: text_input: is empty"},
		{"m.jsonl", `{"timestamp": 1e30, "input_length": 5}`, "m.jsonl:1:15: timestamp: must be at most"},
		{"b.csv", "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,m,7,3,10,API log\n6,m,,3,10,API log\n", "b.csv:3:1: Request tokens: is missing"},
		{"o.json", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"soon"}]}]}]}`, "o.json:1:"},
		{"o.json", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"gen_ai.usage.input_tokens","value":{"intValue":"5"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":"5"}}]}]}]}]}`, "o.json:1:1: startTimeUnixNano: must be nanoseconds since 1970, got 0"},
	} {
		_, _, err := read(c.name, []byte(c.data), Options{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.data, err, c.want)
		}
	}
}

func FuzzTraces(f *testing.F) {
	for _, name := range []string{"azure_conv.csv", "burstgpt.csv", "bailian.jsonl", "sessions.jsonl", "otel.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 500)])
	}
	f.Add([]byte("timestamp,input_tokens,output_tokens\n0.5,1,2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, _, err := read("f", data, Options{})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		var out bytes.Buffer
		w, err := dataset.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			if err := w.Write(&records[i]); err != nil && len(records[i].Turns) > 0 {
				return // some rows have times and some don't, which the writer says
			}
		}
	})
}

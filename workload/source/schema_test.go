package source

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// brief writes a record as text: when, messages by role, the answer, what it
// replies to.
func brief(r dataset.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "@%v", time.Duration(r.OffsetNanos))
	for i, turn := range r.Turns {
		if turn.OffsetNanos >= 0 {
			fmt.Fprintf(&b, " +%v", time.Duration(turn.OffsetNanos))
		}
		if i > 0 {
			fmt.Fprintf(&b, " [%d", i-1-turn.Skip)
			if turn.Heard != "" {
				fmt.Fprintf(&b, " %s", turn.Heard)
			}
			b.WriteString("]")
		}
		for _, m := range turn.Messages {
			b.WriteString(" " + m.Role[:1] + "(" + m.Content + ")")
		}
		b.WriteString(" -> (" + turn.Answer + ")")
	}
	return b.String() + "\n"
}

func briefs(records []dataset.Record) string {
	var b strings.Builder
	for _, r := range records {
		b.WriteString(brief(r))
	}
	return b.String()
}

// second is a moment of the arena rows, from which the others are counted.
const arenaBegin = 1682351591132200000

func TestSchemasAreRecognisedByTheirColumns(t *testing.T) {
	for _, c := range []struct{ file, schema, want string }{
		{"arena.jsonl", "arena", `@9.1178s u(Name a river in Spain.) -> (The Ebro.) [0] u(How long is it?) -> (About 930 kilometres.)
@0s u(Is a tomato a fruit?) -> (Botanically, yes.)
@12.3678s u(Schreibe einen Satz über Käse.) -> (Käse reift in Ruhe.)
`},
		{"dolly.jsonl", "dolly", `@0s u(When did the ferry sink?
The ferry was built in 1901. It sank in 1913.) -> (In 1913.)
@1s u(Give me three words that rhyme with sun.) -> (Fun, run and bun.)
`},
		{"openorca.jsonl", "openorca", `@0s s(You are a patient teacher.) u(Why is the sky blue?) -> (Air scatters blue light more than red light.)
@1s u(Translate to French: good morning) -> (Bonjour)
`},
	} {
		for _, o := range []Options{{}, {Schema: c.schema}} {
			records, _, err := read(c.file, testdata(t, c.file), o)
			for i := range records {
				if c.schema == "arena" {
					records[i].OffsetNanos -= arenaBegin
				}
			}
			if got := briefs(records); err != nil || got != c.want {
				t.Errorf("%s: %v\n got %s\nwant %s", c.file, err, got, c.want)
			}
		}
	}
}

func TestQuestionsOfSeveralTurns(t *testing.T) {
	records, _, err := read("mt_bench.jsonl", testdata(t, "mt_bench.jsonl"), Options{})
	if err != nil || len(records) != 6 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	const want = "@-1ns u(Given that f(x) = 4x^3 - 9x - 14, find the value of f(2).) -> (f(2) = 0) [0] u(Find x such that f(x) = 0.) -> (x = 2)\n"
	if got := brief(records[0]); got != want {
		t.Errorf("got %s", got)
	}
	records, _, err = read("arena_hard.jsonl", testdata(t, "arena_hard.jsonl"), Options{})
	if err != nil || len(records) != 8 || records[1].Turns[0].Messages[0].Content != "Find Re(Li2(i))" {
		t.Errorf("%v, %v", records, err)
	}
}

// tree is a tree as text: each prompt and reply by its first letters.
const forestRows = `{"message_id": "r2", "parent_id": "r1", "message_tree_id": "t", "text": "best", "role": "assistant", "rank": 0, "created_date": "2023-02-05T14:23:51.000000+00:00"}
{"message_id": "p3", "parent_id": "r3", "message_tree_id": "t", "text": "to the worse", "role": "prompter", "created_date": "2023-02-05T14:25:00+00:00"}
{"message_id": "r3", "parent_id": "r1", "message_tree_id": "t", "text": "worse", "role": "assistant", "rank": 1, "created_date": "2023-02-05T14:24:00+00:00"}
{"message_id": "r1", "parent_id": null, "message_tree_id": "t", "text": "first", "role": "prompter", "created_date": "2023-02-05T14:23:50.500000+00:00"}
{"message_id": "p2", "parent_id": "r2", "message_tree_id": "t", "text": "to the best", "role": "prompter", "created_date": "2023-02-05T14:26:00+00:00"}
{"message_id": "r4", "parent_id": "p3", "message_tree_id": "t", "text": "deep", "role": "assistant", "rank": 0, "created_date": "2023-02-05T14:27:00+00:00"}
{"message_id": "x", "parent_id": "gone", "message_tree_id": "u", "text": "lost", "role": "prompter", "created_date": "2023-02-05T14:27:00+00:00"}
{"message_id": "o", "parent_id": null, "message_tree_id": "o", "text": "earlier", "role": "prompter", "created_date": "2023-02-05T14:00:00+00:00"}
`

func TestTreesOfMessagesBecomeVisits(t *testing.T) {
	records, notes, err := read("f", []byte(forestRows), Options{Schema: "oasst1"})
	if err != nil || len(records) != 2 {
		t.Fatalf("%v, %v", records, err)
	}
	at, _ := time.Parse(time.RFC3339Nano, "2023-02-05T14:23:50.5Z")
	want := fmt.Sprintf("@%v u(first) -> (best) +1m9.5s [0 worse] u(to the worse) -> (deep) +2m9.5s [0] u(to the best) -> ()\n", time.Duration(at.UnixNano()))
	if got := brief(records[0]); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if len(notes) != 1 || notes[0].Count != 1 {
		t.Errorf("notes %v", notes)
	}
}

func TestExportedTreesAreTheSameData(t *testing.T) {
	for _, schema := range []string{"", "oasst1"} {
		records, _, err := read("trees", testdata(t, "oasst_trees.jsonl"), Options{Schema: schema})
		if err != nil || len(records) != 4 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		prompts := 0
		for i, r := range records {
			prompts += len(r.Turns)
			if r.OffsetNanos != int64(i)*int64(time.Second) || r.Turns[0].Skip != 0 {
				t.Errorf("record %d: %s", i, brief(r))
			}
		}
		// As counted by jq: every message whose role is prompter.
		if prompts != 14 {
			t.Errorf("%d prompts, the file has 14", prompts)
		}
	}
}

// parquetMessage and parquetRow are rows of Chatbot Arena as the hub keeps them.
type parquetMessage struct {
	Content *string `parquet:"content,optional"`
	Role    *string `parquet:"role,optional"`
}

type parquetRow struct {
	ID           string           `parquet:"question_id"`
	Conversation []parquetMessage `parquet:"conversation_a,list"`
	Turn         *int64           `parquet:"turn,optional"`
	Stamp        float64          `parquet:"tstamp"`
	Moderation   struct {
		Flagged bool `parquet:"flagged"`
	} `parquet:"openai_moderation,optional"`
}

func arenaParquet(t testing.TB, copies int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&b, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(50))
	for range copies {
		for line := range bytes.Lines(testdata(t, "arena.jsonl")) {
			var in struct {
				ID           string                            `json:"question_id"`
				Conversation []struct{ Content, Role *string } `json:"conversation_a"`
				Stamp        float64                           `json:"tstamp"`
			}
			if err := json.Unmarshal(line, &in); err != nil {
				t.Fatal(err)
			}
			row := parquetRow{ID: in.ID, Stamp: in.Stamp}
			for _, m := range in.Conversation {
				row.Conversation = append(row.Conversation, parquetMessage{m.Content, m.Role})
			}
			if _, err := w.Write([]parquetRow{row}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jsonArray(lines []byte) []byte {
	return []byte("[" + strings.Join(strings.Split(strings.TrimSpace(string(lines)), "\n"), ",\n") + "]")
}

func TestParquet(t *testing.T) {
	records, _, err := read("a.parquet", arenaParquet(t, 70), Options{})
	if err != nil || len(records) != 210 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if _, _, err := read("a.parquet", arenaParquet(t, 1), Options{Plain: true}); err == nil || !strings.Contains(err.Error(), "Parquet is not taken from callers") {
		t.Errorf("a stranger's Parquet: %v", err)
	}
	want, _, err := read("arena.jsonl", testdata(t, "arena.jsonl"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		if !reflect.DeepEqual(r, want[i%3]) {
			t.Fatalf("record %d: %s", i, brief(r))
		}
	}
}

func packed(t testing.TB, data []byte, how string) []byte {
	t.Helper()
	var b bytes.Buffer
	switch how {
	case ".gz":
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
	case ".zst":
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
		w.Close()
	default:
		return data
	}
	return b.Bytes()
}

func TestTheSameRowsInEveryForm(t *testing.T) {
	lines := testdata(t, "dolly.jsonl")
	want, _, err := read("dolly.jsonl", lines, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	w.Write([]string{"instruction", "context", "response", "category"})
	for line := range bytes.Lines(lines) {
		var r map[string]string
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		w.Write([]string{r["instruction"], r["context"], r["response"], r["category"]})
	}
	w.Flush()
	forms := map[string][]byte{
		"dolly.jsonl": lines, "dolly.json": jsonArray(lines), "dolly.csv": table.Bytes(), "dolly": table.Bytes(),
		"indented.json": indented(t, lines),
	}
	for name, data := range forms {
		for _, how := range []string{"", ".gz", ".zst"} {
			got, _, err := read(name+how, packed(t, data, how), Options{})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v\n%s", name+how, err, briefs(got))
			}
		}
	}
}

func indented(t testing.TB, lines []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for line := range bytes.Lines(lines) {
		if err := json.Indent(&out, line, "", "  "); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestPackedFilesThatAreBroken(t *testing.T) {
	whole := packed(t, bytes.Repeat(testdata(t, "dolly.jsonl"), 500), ".gz")
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"cut short":    {whole[:len(whole)/2], "f.jsonl.gz:"},
		"not gzip":     {[]byte{0x1f, 0x8b, 1, 2, 3}, "f.jsonl.gz: "},
		"parquet.gz":   {packed(t, arenaParquet(t, 1), ".gz"), "f.jsonl.gz: holds a Parquet file, which can't be read through compression"},
		"parquet, cut": {arenaParquet(t, 50)[:3000], "f.jsonl.gz: row 1: "},
	} {
		_, _, err := read("f.jsonl.gz", c.data, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	_, _, err := read("f.jsonl.gz", whole[:len(whole)/2], Options{})
	if err == nil || !strings.Contains(err.Error(), "the compressed data is damaged or ends too early") {
		t.Errorf("got %v", err)
	}
}

func TestColumnsAreMapped(t *testing.T) {
	for _, c := range []struct {
		rows    string
		columns workload.Columns
		want    string
	}{
		{`{"q": {"text": "2 + 2?"}, "a": "4", "who": "Be exact.", "n": 7, "t": "2024-01-01T00:00:02Z"}`,
			workload.Columns{Prompt: "q.text", Answer: "a", System: "who", Time: "t", OutputTokens: "n"},
			"@473352h0m2s s(Be exact.) u(2 + 2?) -> (4)\n"},
		{`{"x": "sum", "y": [1], "z": null, "when": 1.5}`, workload.Columns{Prompt: "Do the {x} of {z}now.", Time: "when"}, "@1.5s u(Do the sum of now.) -> ()\n"},
		{`{"chat": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]}`,
			workload.Columns{Messages: "chat"}, "@-1ns u(a) -> (b) [0] u(c) -> ()\n"},
		{`{"chat": "[{\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", \"value\": \"b\"}]"}`, workload.Columns{Messages: "chat"}, "@-1ns u(a) -> (b)\n"},
		{`{"chat": ["a", "b", "c"]}`, workload.Columns{Messages: "chat"}, "@-1ns u(a) -> (b) [0] u(c) -> ()\n"},
	} {
		records, _, err := read("f", []byte(c.rows), Options{Columns: c.columns})
		if got := briefs(records); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.rows, err, got, c.want)
		}
	}
	for want, c := range map[string]workload.Columns{
		"f:1:1: column b: is not in the row":                                   {Prompt: "b"},
		"f:1:1: column a.b: a is no object":                                    {Prompt: "a.b"},
		"f:1:1: column n: must be a text":                                      {Prompt: "{n}"},
		"f:1:1: column a: must be a whole number of tokens from 0 to 10000000": {Prompt: "a", OutputTokens: "a"},
		"f:1:1: column a: a time must be seconds or a date":                    {Prompt: "a", Time: "a"},
		"f:1:1: column a: must be a list of {role, content}":                   {Messages: "a"},
		"dataset.columns: must name the column of the prompt or":               {Answer: "a"},
	} {
		if _, _, err := read("f", []byte(`{"a": "x", "n": {"m": 1}}`), Options{Columns: c}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestMomentsInEveryUnit(t *testing.T) {
	for text, want := range map[string]int64{
		`1.5`: 1.5e9, `"1.5"`: 1.5e9, `1700000000`: 17e17, `1700000000123`: 17e17 + 123e6, `1700000000123456`: 17e17 + 123456e3,
		`"2023-11-16 18:15:46.6805900"`: 1700158546680590000, `"2023-11-16T18:15:46Z"`: 1700158546e9, `0`: 0,
	} {
		var m when
		if err := json.Unmarshal([]byte(text), &m); err != nil || m.nanos != want || !m.given {
			t.Errorf("%s: %d, want %d: %v", text, m.nanos, want, err)
		}
	}
	for _, text := range []string{`"yesterday"`, `1e30`, `true`, `""`, `[1]`} {
		var m when
		if err := json.Unmarshal([]byte(text), &m); err == nil {
			t.Errorf("%s is %d", text, m.nanos)
		}
	}
}

func TestArrivalsPutRecordsInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corpus")
	data := testdata(t, "arena.jsonl")
	in := Input{Name: "arena.jsonl", Data: bytes.NewReader(data), Size: int64(len(data))}
	// Data with arrivals is read whole before it is cut.
	c, err := Convert(t.Context(), []Input{in}, Options{Most: 1}, path)
	if err != nil || c.Records != 3 || c.Schema != "arena" {
		t.Fatalf("%+v, %v", c, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dataset.OpenFile(bytes.NewReader(raw), c.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if f.Offset(0) != 0 || f.Offset(1) != 9117800000 || f.Offset(2) != 12367800000 || f.Turns(1) != 2 {
		t.Errorf("offsets %d %d %d", f.Offset(0), f.Offset(1), f.Offset(2))
	}
	// A corpus file is copied as it is.
	again, err := Convert(t.Context(), []Input{{Name: "x", Data: bytes.NewReader(raw), Size: c.Bytes}}, Options{}, path+"2")
	if err != nil || again.Hash != c.Hash {
		t.Errorf("%+v, %v", again, err)
	}
	two := []Input{in, in}
	if c, err := Convert(t.Context(), two, Options{}, path); err != nil || c.Records != 6 {
		t.Errorf("two files: %+v, %v", c, err)
	}
}

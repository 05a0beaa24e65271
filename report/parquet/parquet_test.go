package parquet_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/report/parquet"
)

func context() *report.RowContext {
	return &report.RowContext{
		RunID: "5fe3affd-f6ac-44cf-bbd6-f1d3661447ae.1", Agent: "agent-1", Model: "m", URL: "http://127.0.0.1:8000/v1",
		AnchorUnix: 1_790_000_000_000_000_000, FirstStagePhase: 1, SLO: measure.SLO{TTFT: 5e7}, Streaming: true,
	}
}

// sample is any outcome, chunks and all.
func sample(rng *rand.Rand, s *measure.Sample, index int64) {
	at := index * 1_000_000
	*s = measure.Sample{
		Index: index, Session: index, Phase: rng.Int32N(3), Attempt: 1, Status: measure.Status(rng.IntN(7)),
		ScheduleOffset: at, Intended: at, Sent: at + 1000, Headers: at + 2_000_000, FirstToken: measure.Absent, FirstOutput: measure.Absent,
		LastToken: measure.Absent, End: at + 9e8, InputTokens: 256, OutputTokens: -1, ReasoningTokens: -1, CachedTokens: rng.Int32N(5) - 1,
		ReadDelayMax: rng.Int64N(1e6), HTTPStatus: 200, ChunkOffsets: s.ChunkOffsets[:0],
	}
	if s.Status != measure.Succeeded {
		s.ErrorKind, s.ErrorMessage = "stalled", "no byte \"came\"\nfor 5 s"
		return
	}
	offset := rng.Int64N(1e8)
	for range 1 + rng.IntN(64) {
		s.ChunkOffsets = append(s.ChunkOffsets, offset)
		offset += 8e6 + rng.Int64N(4e6)
	}
	s.TokenSource, s.FinishReason, s.OutputTokens, s.KernelStamped = measure.SourceUsage, "length", int32(len(s.ChunkOffsets)), true
	s.FirstToken, s.FirstOutput = s.Sent+s.ChunkOffsets[0], s.Sent+s.ChunkOffsets[0]
	s.LastToken = s.Sent + s.ChunkOffsets[len(s.ChunkOffsets)-1]
	s.End = s.LastToken
}

// Both files hold the same rows, over several groups.
func TestRowsAreThoseOfTheLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := context()
	var lines []byte
	var file bytes.Buffer
	w := parquet.NewWriter(&file)
	var s measure.Sample
	for i := range int64(30_000) {
		sample(rng, &s, i)
		lines = report.EncodeRow(lines, c, &s)
		if err := w.Sample(c, &s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var want []report.Row
	for row, err := range report.ReadRows(bytes.NewReader(lines)) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, row)
	}
	i := 0
	for row, err := range parquet.ReadRows(bytes.NewReader(file.Bytes()), int64(file.Len())) {
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(row, want[i]) {
			t.Fatalf("row %d\n%+v\nwant\n%+v", i, row, want[i])
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d rows, want %d", i, len(want))
	}
	opened, err := pq.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil || len(opened.RowGroups()) < 2 {
		t.Fatalf("%v: the file should have several groups of rows", err)
	}
	t.Logf("%d rows: %d bytes as lines, %d as parquet in %d groups", i, len(lines), file.Len(), len(opened.RowGroups()))
}

func TestColumnsAreThoseOfTheLines(t *testing.T) {
	schema := pq.SchemaOf(report.Row{})
	var columns []string
	for _, f := range schema.Fields() {
		columns = append(columns, f.Name())
	}
	row := reflect.TypeFor[report.Row]()
	for i := range row.NumField() {
		if key := row.Field(i).Tag.Get("json"); i >= len(columns) || columns[i] != key {
			t.Errorf("column %d of %v, the lines' key is %s", i, columns, key)
		}
	}
}

func TestNoRowsMakeAFile(t *testing.T) {
	var file bytes.Buffer
	if err := parquet.NewWriter(&file).Close(); err != nil {
		t.Fatal(err)
	}
	for row, err := range parquet.ReadRows(bytes.NewReader(file.Bytes()), int64(file.Len())) {
		t.Errorf("%v, %v", row, err)
	}
}

func TestWhatIsNoFileIsSaid(t *testing.T) {
	for _, err := range parquet.ReadRows(strings.NewReader("{}"), 2) {
		if err == nil {
			t.Error("rows were read from no file")
		}
	}
}

// Memory does not grow with the number of rows.
func TestWritingTakesBoundedMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c, w := context(), parquet.NewWriter(io.Discard)
	var s measure.Sample
	sample(rng, &s, 0)
	most := uint64(0)
	for i := range int64(300_000) {
		s.Index = i
		if err := w.Sample(c, &s); err != nil {
			t.Fatal(err)
		}
		if i%20_000 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if most > 96<<20 {
		t.Errorf("%d MiB were in use", most>>20)
	}
	t.Logf("%d MiB", most>>20)
}

func BenchmarkRow(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	c, w := context(), parquet.NewWriter(io.Discard)
	var s measure.Sample
	for s.Status != measure.Succeeded {
		sample(rng, &s, 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Sample(c, &s); err != nil {
			b.Fatal(err)
		}
	}
}

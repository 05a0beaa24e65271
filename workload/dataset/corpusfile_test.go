package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// written is a corpus file of records.
func written(t interface{ Fatalf(string, ...any) }, records []Record, notes ...Note) (data []byte, hash string, sorted bool) {
	var b bytes.Buffer
	w, err := NewWriter(&b)
	if err != nil {
		t.Fatalf("writer: %v", err)
	}
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if hash, err = w.Close(notes); err != nil {
		t.Fatalf("close: %v", err)
	}
	return b.Bytes(), hash, w.Sorted()
}

func opened(t interface{ Fatalf(string, ...any) }, data []byte) *File {
	f, err := OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return f
}

func drawTurn(t *rapid.T, i int) Turn {
	turn := Turn{
		InputTokens:  rapid.IntRange(0, 1000).Draw(t, "in"),
		OutputTokens: rapid.IntRange(0, 1000).Draw(t, "out"),
		OffsetNanos:  rapid.SampledFrom([]int64{-1, 0, 1, 1e12}).Draw(t, "offset"),
		ThinkNanos:   rapid.SampledFrom([]int64{0, -1, 5e9}).Draw(t, "think"),
		Answer:       rapid.String().Draw(t, "answer"),
		Heard:        rapid.SampledFrom([]string{"", "something else"}).Draw(t, "heard"),
		Blocks:       rapid.SliceOfN(rapid.Int64(), 0, 3).Draw(t, "blocks"),
	}
	if i > 1 {
		turn.Skip = rapid.IntRange(0, i-1).Draw(t, "skip")
	}
	if len(turn.Blocks) == 0 {
		turn.Blocks = nil
	}
	for range rapid.IntRange(0, 3).Draw(t, "messages") {
		turn.Messages = append(turn.Messages, Message{Role: RoleUser, Content: rapid.String().Draw(t, "content")})
	}
	return turn
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timed := rapid.Bool().Draw(t, "timed")
		var records []Record
		at := int64(0)
		for range rapid.IntRange(0, 20).Draw(t, "records") {
			r := Record{OffsetNanos: -1, OneRequest: rapid.Bool().Draw(t, "one request")}
			if timed {
				r.OffsetNanos, at = at, at+rapid.Int64Range(0, 1e10).Draw(t, "gap")
			}
			for i := range rapid.IntRange(1, 4).Draw(t, "turns") {
				r.Turns = append(r.Turns, drawTurn(t, i))
			}
			records = append(records, r)
		}
		notes := []Note{{Text: "left out", Count: 3}}
		data, _, _ := written(t, records, notes...)
		f := opened(t, data)
		if f.Len() != int64(len(records)) || !reflect.DeepEqual(f.Notes(), notes) {
			t.Fatalf("%d records, notes %v", f.Len(), f.Notes())
		}
		turns := int64(0)
		for i, want := range records {
			got, err := f.Record(int64(i))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("record %d: %v\n got %+v\nwant %+v", i, err, got, want)
			}
			if f.TurnsBefore(int64(i)) != turns || f.Turns(int64(i)) != len(want.Turns) || f.Offset(int64(i)) != want.OffsetNanos {
				t.Fatalf("the index of record %d differs", i)
			}
			turns += int64(len(want.Turns))
		}
		if f.TurnsBefore(f.Len()) != turns {
			t.Fatalf("%d turns in all, want %d", f.TurnsBefore(f.Len()), turns)
		}
	})
}

// many are records that fill some blocks.
func many(n int) []Record {
	records := make([]Record, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range records {
		text := strings.Repeat(fmt.Sprintf("%x ", r.Uint64()), 1+r.IntN(40))
		records[i] = Record{OffsetNanos: int64(i) * 1000, Turns: []Turn{{Messages: []Message{{Role: RoleUser, Content: text}}, OffsetNanos: -1}}}
	}
	return records
}

func TestRecordsAreReadInAnyOrder(t *testing.T) {
	records := many(2000)
	data, _, _ := written(t, records)
	f := opened(t, data)
	if len(f.blocks) < 5 {
		t.Fatalf("%d blocks", len(f.blocks))
	}
	f.cache.most = 3 * blockBytes
	for n := range 3000 {
		i := int64(n*7919) % f.Len()
		if got, err := f.Record(i); err != nil || !reflect.DeepEqual(got, records[i]) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if f.cache.size > 4*blockBytes {
		t.Errorf("%d bytes are held, %d may", f.cache.size, f.cache.most)
	}
	for _, i := range []int64{-1, f.Len()} {
		if _, err := f.Record(i); err == nil {
			t.Errorf("record %d was read", i)
		}
	}
}

func TestSortBringsRecordsIntoTheOrderOfTheirArrivals(t *testing.T) {
	records := many(1500)
	shuffled := append([]Record(nil), records...)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for i := range shuffled {
		shuffled[i].OffsetNanos += 5e15 // a source's own zero
	}
	data, _, sorted := written(t, shuffled, Note{"x", 1})
	if sorted {
		t.Fatal("the shuffled records pass for sorted")
	}
	if _, err := OpenFile(bytes.NewReader(data), int64(len(data))); !errors.Is(err, ErrFile) {
		t.Errorf("records in disorder are opened: %v", err)
	}
	var b bytes.Buffer
	got, err := Sort(bytes.NewReader(data), int64(len(data)), &b)
	want, hash, _ := written(t, records, Note{"x", 1})
	if err != nil || got != hash || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("hash %s, want %s: %v", got, hash, err)
	}
}

func TestWriterRefuses(t *testing.T) {
	turn := []Turn{{Messages: []Message{{Role: RoleUser, Content: "x"}}}}
	for want, records := range map[string][]Record{
		"no turn":                      {{OffsetNanos: -1}},
		"some rows have a time":        {{OffsetNanos: 5, Turns: turn}, {OffsetNanos: -1, Turns: turn}},
		"lengths must be from 0":       {{OffsetNanos: -1, Turns: []Turn{{InputTokens: -1}}}},
		"replies to turn":              {{OffsetNanos: -1, Turns: []Turn{{}, {Skip: 1}}}},
		"at most 67108864 can be sent": {{OffsetNanos: -1, Turns: []Turn{{Answer: strings.Repeat("x", MaxRecordBytes)}}}},
	} {
		w, err := NewWriter(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			err = w.Write(&records[i])
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTheLargestRecordIsReadBack(t *testing.T) {
	big := Record{OffsetNanos: -1, Turns: []Turn{{Messages: []Message{{Role: RoleUser, Content: strings.Repeat("x", MaxRecordBytes-100)}}, OffsetNanos: -1}}}
	data, _, _ := written(t, []Record{many(1)[0].untimed(), big, many(1)[0].untimed()})
	if got, err := opened(t, data).Record(1); err != nil || !reflect.DeepEqual(got, big) {
		t.Error(err)
	}
}

func (r Record) untimed() Record {
	r.OffsetNanos = -1
	return r
}

func TestDamagedFilesAreRefused(t *testing.T) {
	records := many(200)
	data, _, _ := written(t, records)
	for i := 0; i < len(data); i++ {
		bad := bytes.Clone(data)
		bad[i] ^= 0x40
		f, err := OpenFile(bytes.NewReader(bad), int64(len(bad)))
		for n := int64(0); err == nil && n < f.Len(); n++ {
			var got Record
			if got, err = f.Record(n); err == nil && !reflect.DeepEqual(got, records[n]) {
				t.Fatalf("byte %d was changed, and record %d reads otherwise", i, n)
			}
		}
		if i > 200 && i < len(data)-200 {
			i += 97
		}
	}
	for _, n := range []int{0, 5, len(data) / 2, len(data) - 1} {
		if _, err := OpenFile(bytes.NewReader(data[:n]), int64(n)); err == nil {
			t.Errorf("the first %d of %d bytes were opened", n, len(data))
		}
	}
	newer := bytes.Clone(data)
	newer[len(magic)-1]++
	if _, err := OpenFile(bytes.NewReader(newer), int64(len(newer))); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a file of the next version: %v", err)
	}
}

func FuzzFile(f *testing.F) {
	for _, records := range [][]Record{nil, many(3), many(300)} {
		data, _, _ := written(f, records)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for i := range min(file.Len(), 100) {
			if r, err := file.Record(i); err == nil && len(r.Turns) == 0 {
				t.Fatalf("record %d has no turn", i)
			}
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	data, _, _ := written(b, many(20000))
	f := opened(b, data)
	f.cache.most = blockBytes * 16
	for _, c := range []struct {
		name string
		step int64
	}{{"in order", 1}, {"every 97th", 97}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			i := int64(0)
			for b.Loop() {
				if _, err := f.Record(i % f.Len()); err != nil {
					b.Fatal(err)
				}
				i += c.step
			}
		})
	}
}

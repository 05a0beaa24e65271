package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func create(t testing.TB) *Segment {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "segment"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func appendAll(t testing.TB, s *Segment, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		if _, err := s.Append(KindBatch, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Sync(); err != nil {
		t.Fatal(err)
	}
}

// readAll returns the payloads of a file and what was torn off.
func readAll(t testing.TB, path string) (payloads []string, torn string, err error) {
	t.Helper()
	r, err := NewReader(path)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return payloads, r.Torn(), nil
		}
		if err != nil {
			return payloads, "", err
		}
		payloads = append(payloads, string(rec.Payload))
	}
}

func TestRecordsComeBackInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		s, err := Create(filepath.Join(dir, "segment"))
		if err != nil {
			rt.Fatal(err)
		}
		want := rapid.SliceOf(rapid.StringN(0, 2000, 5000)).Draw(rt, "payloads")
		for _, p := range want {
			if _, err := s.Append(KindBatch, []byte(p)); err != nil {
				rt.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
		got, torn, err := readAll(t, s.Path())
		if err != nil || torn != "" {
			rt.Fatalf("torn %q, err %v", torn, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("read %q, want %q", got, want)
		}
	})
}

func TestAnyTornEndIsCutAndTheRestKept(t *testing.T) {
	s := create(t)
	appendAll(t, s, "first", "second", strings.Repeat("third", 100))
	whole, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	ends := []int{headerSize, headerSize + frameSize + 6, headerSize + 2*frameSize + 13, len(whole)}
	for size := headerSize; size <= len(whole); size++ {
		path := filepath.Join(t.TempDir(), "torn")
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		complete := 0
		for _, end := range ends[1:] {
			if size >= end {
				complete++
			}
		}
		got, torn, err := readAll(t, path)
		if err != nil || len(got) != complete {
			t.Fatalf("%d bytes: %d records, err %v; want %d", size, len(got), err, complete)
		}
		if isEnd := size == ends[complete]; isEnd != (torn == "") {
			t.Fatalf("%d bytes: torn %q", size, torn)
		}
	}
}

func TestOpenGoesOnBehindATornEnd(t *testing.T) {
	s := create(t)
	appendAll(t, s, "kept")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(s.Path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write([]byte{9, 0, 0, 0, 1, 2})
	_ = f.Close()

	r, err := NewReader(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Next()
	}
	_ = r.Close()
	if !errors.Is(err, io.EOF) || !strings.Contains(r.Torn(), "dropped 6 bytes") {
		t.Errorf("%v, torn %q, want it to say that 6 bytes were dropped", err, r.Torn())
	}
	if _, err := Open(s.Path(), r.Offset()+100); !errors.Is(err, ErrDamaged) {
		t.Errorf("opened beyond the end: %v", err)
	}
	again, err := Open(s.Path(), r.Offset())
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, again, "added")
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if got, torn, err := readAll(t, s.Path()); err != nil || torn != "" || fmt.Sprint(got) != "[kept added]" {
		t.Errorf("read %q, torn %q, err %v", got, torn, err)
	}
}

func TestDamage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func([]byte) []byte
		want   error
		torn   string
	}{
		{"a bit of the first record flips", func(b []byte) []byte { b[headerSize+frameSize+2] ^= 1; return b }, ErrDamaged, ""},
		{"a bit of the last record flips", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, nil, "sum is wrong"},
		{"the first length is absurd", func(b []byte) []byte { b[headerSize+3] = 0xFF; return b }, ErrDamaged, ""},
		{"zeros stand behind the end", func(b []byte) []byte { return append(b, make([]byte, 5000)...) }, nil, "claims 0 bytes"},
		{"another file", func(b []byte) []byte { b[0] = 'X'; return b }, ErrNotSegment, ""},
		{"a later version", func(b []byte) []byte { b[8] = 7; return b }, ErrVersion, ""},
		{"an empty file", func([]byte) []byte { return nil }, ErrNotSegment, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := create(t)
			appendAll(t, s, "first", "second")
			b, err := os.ReadFile(s.Path())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.Path(), tc.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			_, torn, err := readAll(t, s.Path())
			if !errors.Is(err, tc.want) || !strings.Contains(torn, tc.torn) || (tc.torn == "") != (torn == "") {
				t.Errorf("torn %q, err %v; want %q, %v", torn, err, tc.torn, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), s.Path()) {
				t.Errorf("the error does not name the file: %v", err)
			}
		})
	}
}

// brokenFile fails after some bytes, as a full disk does.
type brokenFile struct {
	bytes.Buffer
	room int
}

func (f *brokenFile) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return f.Buffer.Write(p)
}
func (f *brokenFile) Sync() error  { return nil }
func (f *brokenFile) Close() error { return nil }

func TestAFullDiskIsToldForEver(t *testing.T) {
	s := newSegment("x", &brokenFile{room: 10}, 0)
	if _, err := s.Append(KindBatch, make([]byte, 100)); err != nil {
		t.Fatalf("buffered append: %v", err)
	}
	if _, err := s.Sync(); err == nil {
		t.Fatal("Sync reported success on a full disk")
	}
	if _, err := s.Append(KindBatch, []byte("x")); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Append after the failure: %v", err)
	}
	if _, err := s.Append(KindBatch, make([]byte, MaxBody)); err == nil {
		t.Error("a record that is too long was taken")
	}
}

func TestAppendGoesOnBesideSync(t *testing.T) {
	s := create(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				if _, err := s.Append(KindBatch, fmt.Appendf(nil, "%d-%d", g, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := s.Sync(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	end, err := s.Sync()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.Path()); err != nil || info.Size() != end {
		t.Errorf("file has %d bytes, Sync said %d", info.Size(), end)
	}
	if got, _, err := readAll(t, s.Path()); err != nil || len(got) != 800 {
		t.Errorf("%d records, err %v", len(got), err)
	}
}

func TestSmallRecordsAndDelete(t *testing.T) {
	s := create(t)
	want := ShardRecord{Offset: 1, Stride: 3, Attempt: 2, AgentID: "a", Agent: "name"}
	if err := s.AppendJSON(KindShard, want); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(KindBatch, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	r, err := NewReader(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next()
	var got ShardRecord
	if err := errors.Join(err, rec.Decode(&got), r.Close()); err != nil || got != want || rec.Kind != KindShard {
		t.Errorf("got %+v of kind %d, err %v", got, rec.Kind, err)
	}
	if err := errors.Join(Delete(s.Path()), Delete(s.Path())); err != nil {
		t.Error(err)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "no", "folder")); err == nil {
		t.Error("a segment was created in a folder that is not there")
	}
}

func FuzzReader(f *testing.F) {
	s := create(f)
	appendAll(f, s, "first", "second")
	seed, err := os.ReadFile(s.Path())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newReader("fuzz", bytes.NewReader(b))
		if err != nil {
			return
		}
		for {
			before := r.Offset()
			if _, err := r.Next(); err != nil {
				return
			}
			if r.Offset() <= before || r.Offset() > int64(len(b)) {
				t.Fatalf("went from %d to %d of %d bytes", before, r.Offset(), len(b))
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1 << 10, 32 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s := create(b)
			payload := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Append(KindBatch, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGroupSync appends batches and makes so many of them safe with one sync:
// what a batch takes when each is synced, and what the group saves.
func BenchmarkGroupSync(b *testing.B) {
	for _, group := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(group, " batches a sync"), func(b *testing.B) {
			s := create(b)
			payload := bytes.Repeat([]byte("x"), 32<<10)
			b.SetBytes(32 << 10)
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				if _, err := s.Append(KindBatch, payload); err != nil {
					b.Fatal(err)
				}
				if i%group != 0 {
					continue
				}
				if end, err := s.Sync(); err != nil || end != s.Size() {
					b.Fatalf("synced to %d of %d: %v", end, s.Size(), err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	s := create(b)
	payload := bytes.Repeat([]byte("x"), 32<<10)
	for range 1000 {
		if _, err := s.Append(KindBatch, payload); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(32 << 20)
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(s.Path())
		if err != nil {
			b.Fatal(err)
		}
		for _, err = r.Next(); err == nil; _, err = r.Next() {
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestClockRecordJoinsItsPoints(t *testing.T) {
	const us = 1000
	two := ClockRecord{Points: []ClockPoint{{OffsetNanos: 0, CorrectionNanos: 100 * us}, {OffsetNanos: 1000, CorrectionNanos: -300 * us}}}
	for _, test := range []struct {
		record     ClockRecord
		at, expect int64
	}{
		{ClockRecord{}, 5, 0},
		{ClockRecord{CorrectionNanos: 70 * us}, 5, 70 * us},
		{two, -5, 100 * us}, {two, 0, 100 * us}, {two, 250, 0}, {two, 500, -100 * us}, {two, 1000, -300 * us}, {two, 9999, -300 * us},
		{two, 262, 0}, {two, 263, -10 * us}, {two, 237, 10 * us},
	} {
		if got := test.record.At(test.at); got != test.expect {
			t.Errorf("At(%d) = %d, want %d", test.at, got, test.expect)
		}
	}
}

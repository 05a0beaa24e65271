package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"sort"

	"google.golang.org/protobuf/proto"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// File is a corpus file that was opened. It keeps a few bytes a record in memory
// and the blocks used last. It is safe for concurrent use.
type File struct {
	blocks   []block
	before   []int64 // turns before each record, and in all; nil when each has one
	offsets  []int64 // nil when no arrivals were recorded
	records  int64
	textless int64
	notes    []Note
	cache    storedBlocks
}

// block says where a run of records lies.
type block struct {
	first, at   int64 // of its records, in the file
	stored, raw int64
}

// ErrFile is part of the error on a file that no Writer wrote, or that was changed
// since.
var ErrFile = errors.New("not a corpus file, or a damaged one")

// IsFile reports whether a file that begins with head is a corpus file of any
// version.
func IsFile(head []byte) bool { return bytes.HasPrefix(head, []byte(magic[:len(magic)-1])) }

// OpenFile opens the corpus file that r holds in its first size bytes; r must
// stay open while the file is used.
func OpenFile(r io.ReaderAt, size int64) (*File, error) {
	f, err := openFile(r, size)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(f.offsets); i++ {
		if f.offsets[i] < f.offsets[i-1] {
			return nil, fmt.Errorf("%w: records are not in the order of their arrivals", ErrFile)
		}
	}
	return f, nil
}

func openFile(r io.ReaderAt, size int64) (_ *File, err error) {
	head, foot := make([]byte, len(magic)), make([]byte, footerBytes)
	if size < int64(len(head)+len(foot)) {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrFile, size)
	}
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("corpus file: %w", err)
	}
	if IsFile(head) && string(head) != magic {
		return nil, fmt.Errorf("corpus file: is of version %d, this program reads version %d", head[len(head)-1], magic[len(magic)-1])
	}
	if _, err := r.ReadAt(foot, size-int64(len(foot))); err != nil {
		return nil, fmt.Errorf("corpus file: %w", err)
	}
	length, sum := binary.BigEndian.Uint64(foot), binary.BigEndian.Uint64(foot[8:])
	space := size - int64(len(head)+len(foot))
	if string(head) != magic || string(foot[16:]) != end || length > uint64(space) {
		return nil, ErrFile
	}
	index := make([]byte, length)
	if _, err := r.ReadAt(index, size-int64(len(foot))-int64(length)); err != nil {
		return nil, fmt.Errorf("corpus file: %w", err)
	}
	if uint64(crc32.Checksum(index, castagnoli)) != sum {
		return nil, fmt.Errorf("%w: its index has another checksum", ErrFile)
	}
	var m stampedev1.CorpusIndex
	if err := proto.Unmarshal(index, &m); err != nil {
		return nil, fmt.Errorf("%w: index: %w", ErrFile, err)
	}
	f := &File{textless: m.GetTextlessCount()}
	if err := f.place(&m, space-int64(length)); err != nil {
		return nil, err
	}
	if f.cache, err = openBlocks(r); err != nil {
		return nil, err
	}
	return f, f.fill(&m)
}

// place finds the blocks, which take up space bytes.
func (f *File) place(m *stampedev1.CorpusIndex, space int64) error {
	at := int64(len(magic))
	f.blocks = make([]block, 0, len(m.GetBlocks()))
	for _, b := range m.GetBlocks() {
		left := space - (at - int64(len(magic)))
		if n := b.GetRecordCount(); n < 1 || b.GetRawBytes() < n || b.GetRawBytes() > maxBlock || b.GetStoredBytes() < 1 || b.GetStoredBytes() > left {
			return fmt.Errorf("%w: block of %d records, %d bytes stored as %d, of which %d are there", ErrFile, n, b.GetRawBytes(), b.GetStoredBytes(), left)
		}
		f.blocks = append(f.blocks, block{first: f.records, at: at, stored: b.GetStoredBytes(), raw: b.GetRawBytes()})
		f.records += b.GetRecordCount()
		at += b.GetStoredBytes()
	}
	if at != space+int64(len(magic)) {
		return fmt.Errorf("%w: its blocks end at %d, its index begins at %d", ErrFile, at, space+int64(len(magic)))
	}
	return nil
}

// fill takes over what the index says of each record.
func (f *File) fill(m *stampedev1.CorpusIndex) error {
	for _, n := range m.GetNotes() {
		f.notes = append(f.notes, Note{Text: n.GetText(), Count: n.GetCount()})
	}
	turns, steps := m.GetTurnCounts(), m.GetOffsetStepNanos()
	if n := int64(len(turns)); n != 0 && n != f.records {
		return fmt.Errorf("%w: %d counts of turns for %d records", ErrFile, n, f.records)
	}
	if n := int64(len(steps)); n != 0 && n != f.records {
		return fmt.Errorf("%w: %d arrivals for %d records", ErrFile, n, f.records)
	}
	if len(turns) > 0 {
		f.before = make([]int64, 1, len(turns)+1)
		for _, n := range turns {
			if n < 1 {
				return fmt.Errorf("%w: a record of %d turns", ErrFile, n)
			}
			f.before = append(f.before, f.before[len(f.before)-1]+int64(n))
		}
	}
	at := int64(0)
	for i, step := range steps {
		if step > 0 && at > math.MaxInt64-step || step < 0 && at < -step {
			return fmt.Errorf("%w: an arrival out of bounds", ErrFile)
		}
		at += step
		steps[i] = at
	}
	f.offsets = steps
	return nil
}

// Len is the number of records.
func (f *File) Len() int64 { return f.records }

// Notes say what was changed or left out when the file was made.
func (f *File) Notes() []Note { return f.notes }

// Textless is the number of records with a turn that has lengths but no text.
func (f *File) Textless() int64 { return f.textless }

// Timed reports whether arrivals were recorded.
func (f *File) Timed() bool { return f.offsets != nil }

// Turns is the number of turns of record i.
func (f *File) Turns(i int64) int {
	if f.before == nil {
		return 1
	}
	return int(f.before[i+1] - f.before[i])
}

// TurnsBefore is the number of turns in the records before record i, which may be
// Len.
func (f *File) TurnsBefore(i int64) int64 {
	if f.before == nil {
		return i
	}
	return f.before[i]
}

// Offset is the arrival of record i, or -1. The earliest is 0.
func (f *File) Offset(i int64) int64 {
	if f.offsets == nil {
		return -1
	}
	return f.offsets[i]
}

// Record reads record i.
func (f *File) Record(i int64) (Record, error) {
	n := sort.Search(len(f.blocks), func(n int) bool { return f.blocks[n].first > i }) - 1
	if i < 0 || i >= f.records || n < 0 {
		return Record{}, fmt.Errorf("record %d: must be from 0 to %d", i, f.records-1)
	}
	raw, err := f.cache.get(n, &f.blocks[n])
	if err != nil {
		return Record{}, fmt.Errorf("record %d: %w", i, err)
	}
	for skip := i - f.blocks[n].first; ; skip-- {
		size, width := binary.Uvarint(raw)
		if width <= 0 || size > uint64(len(raw)-width) {
			return Record{}, fmt.Errorf("record %d: %w: its block ends before it", i, ErrFile)
		}
		if skip > 0 {
			raw = raw[width+int(size):]
			continue
		}
		r, err := parseRecord(raw[width : width+int(size)])
		if err != nil {
			return Record{}, fmt.Errorf("record %d: %w: %w", i, ErrFile, err)
		}
		if len(r.Turns) != f.Turns(i) {
			return Record{}, fmt.Errorf("record %d: %w: it has %d turns, its index says %d", i, ErrFile, len(r.Turns), f.Turns(i))
		}
		r.OffsetNanos = f.Offset(i)
		return r, nil
	}
}

// All reads the records in their order.
func (f *File) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for i := range f.records {
			r, err := f.Record(i)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Sort writes the corpus file in the first size bytes of r, whose records may
// stand in any order, to w in the order of their arrivals, and returns its hash.
func Sort(r io.ReaderAt, size int64, w io.Writer) (hash string, err error) {
	f, err := openFile(r, size)
	if err != nil {
		return "", err
	}
	order := make([]int64, f.records)
	for i := range order {
		order[i] = int64(i)
	}
	sort.SliceStable(order, func(a, b int) bool { return f.Offset(order[a]) < f.Offset(order[b]) })
	out, err := NewWriter(w)
	if err != nil {
		return "", err
	}
	for _, i := range order {
		record, err := f.Record(i)
		if err == nil {
			err = out.Write(&record)
		}
		if err != nil {
			return "", err
		}
	}
	return out.Close(f.notes)
}

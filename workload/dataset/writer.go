package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// A corpus file is
//
//	magic | block … | index | index length, CRC32C of index, both 8 bytes | end
//
// A block is a zstd frame of records, each behind its length as a varint; the
// index is a CorpusIndex. The last byte of the magic is the version of the form.
const (
	magic = "stampede corpus\x01"
	end   = "\x01corpus\x01"

	footerBytes = 16 + len(end)
	// blockBytes is how much is compressed together: enough to compress well,
	// little enough that one session can be read alone.
	blockBytes = 64 << 10
	// MaxRecordBytes bounds one record.
	MaxRecordBytes = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrTooLarge is part of the error on a record beyond MaxRecordBytes.
var ErrTooLarge = errors.New("the record is too large")

// Note counts rows that were changed or left out when data was brought into the
// form of a corpus file.
type Note struct {
	Text  string
	Count int64
}

// Writer writes a corpus file. It holds a few bytes a record, never the records.
type Writer struct {
	out     io.Writer
	sum     hash.Hash
	encoder *zstd.Encoder
	raw     []byte // records of the block to come
	inRaw   int64
	stored  []byte

	index    stampedev1.CorpusIndex
	offsets  []int64 // none, or one a record
	turns    []int32
	multi    bool // some record has more than one turn
	unsorted bool
	records  int64
}

// NewWriter begins a corpus file.
func NewWriter(w io.Writer) (*Writer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithWindowSize(blockBytes))
	if err != nil {
		return nil, fmt.Errorf("corpus file: %w", err)
	}
	f := &Writer{sum: sha256.New(), encoder: encoder}
	f.out = io.MultiWriter(w, f.sum)
	_, err = io.WriteString(f.out, magic)
	return f, err
}

// Len is the number of records written.
func (w *Writer) Len() int64 { return w.records }

// Sorted reports whether the records came in the order of their arrivals. A file
// is to be rewritten by Sort otherwise.
func (w *Writer) Sorted() bool { return !w.unsorted }

// Write adds a record. Either all records have an arrival or none.
func (w *Writer) Write(r *Record) error {
	if len(r.Turns) == 0 {
		return errors.New("the record has no turn")
	}
	for i, t := range r.Turns {
		if err := checkLengths(int64(t.InputTokens), int64(t.OutputTokens)); err != nil {
			return err
		}
		if t.Skip < 0 || t.Skip > 0 && t.Skip >= i {
			return fmt.Errorf("turn %d replies to turn %d", i, i-1-t.Skip)
		}
	}
	if err := w.arrival(r.OffsetNanos); err != nil {
		return err
	}
	one, err := appendRecord(nil, r)
	if err != nil {
		return fmt.Errorf("corpus file: %w", err)
	}
	if len(one) > MaxRecordBytes {
		return fmt.Errorf("%w: it has %d bytes, at most %d can be sent", ErrTooLarge, len(one), MaxRecordBytes)
	}
	w.raw = append(binary.AppendUvarint(w.raw, uint64(len(one))), one...)
	w.inRaw++
	w.records++
	w.turns = append(w.turns, int32(len(r.Turns)))
	w.multi = w.multi || len(r.Turns) > 1
	if r.textless() {
		w.index.TextlessCount++
	}
	if len(w.raw) >= blockBytes {
		return w.flush()
	}
	return nil
}

func (w *Writer) arrival(offset int64) error {
	if w.records > 0 && (offset >= 0) != (len(w.offsets) > 0) {
		return errors.New("some rows have a time and some have not")
	}
	if offset < 0 {
		return nil
	}
	if n := len(w.offsets); n > 0 && offset < w.offsets[n-1] {
		w.unsorted = true
	}
	w.offsets = append(w.offsets, offset)
	return nil
}

func (w *Writer) flush() error {
	if w.inRaw == 0 {
		return nil
	}
	w.stored = w.encoder.EncodeAll(w.raw, w.stored[:0])
	w.index.Blocks = append(w.index.Blocks, &stampedev1.CorpusBlock{
		RecordCount: w.inRaw, StoredBytes: int64(len(w.stored)), RawBytes: int64(len(w.raw)),
	})
	w.raw, w.inRaw = w.raw[:0], 0
	_, err := w.out.Write(w.stored)
	return err
}

// Close ends the file and returns the hash of all its bytes, in hex.
func (w *Writer) Close(notes []Note) (hash string, err error) {
	if err := w.flush(); err != nil {
		return "", err
	}
	for _, n := range notes {
		w.index.Notes = append(w.index.Notes, &stampedev1.CorpusNote{Text: n.Text, Count: n.Count})
	}
	if w.multi {
		w.index.TurnCounts = w.turns
	}
	w.index.OffsetStepNanos = steps(w.offsets)
	index, err := proto.MarshalOptions{Deterministic: true}.Marshal(&w.index)
	if err != nil {
		return "", fmt.Errorf("corpus file: %w", err)
	}
	tail := binary.BigEndian.AppendUint64(nil, uint64(len(index)))
	tail = binary.BigEndian.AppendUint64(tail, uint64(crc32.Checksum(index, castagnoli)))
	for _, part := range [][]byte{index, tail, []byte(end)} {
		if _, err := w.out.Write(part); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(w.sum.Sum(nil)), nil
}

// steps are the differences of arrivals, the earliest of which is 0.
func steps(offsets []int64) []int64 {
	if len(offsets) == 0 {
		return nil
	}
	before := offsets[0]
	for _, o := range offsets {
		before = min(before, o)
	}
	out := make([]int64, len(offsets))
	for i, o := range offsets {
		out[i], before = o-before, o
	}
	return out
}

// Copy copies a corpus file and returns the hash of its bytes, in hex.
func Copy(w io.Writer, r io.Reader) (hash string, err error) {
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), r); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

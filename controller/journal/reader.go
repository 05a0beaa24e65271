package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// What can be wrong with a file as a whole; errors wrap one of these.
var (
	ErrNotSegment = errors.New("not a segment file")
	ErrVersion    = errors.New("segment format is not known to this version")
	ErrDamaged    = errors.New("segment is damaged")
)

// Record is one record of a segment.
type Record struct {
	Kind    Kind
	Payload []byte // valid until the next call of Next
	Offset  int64  // of its frame in the file
}

// Reader iterates over a segment. One goroutine uses it; the segment may be
// appended to meanwhile.
type Reader struct {
	path string
	src  io.ReaderAt
	r    *bufio.Reader
	f    io.Closer
	off  int64
	body []byte
	torn string
}

// NewReader opens a segment for reading. The caller closes it.
func NewReader(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	r, err := newReader(path, f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	r.f = f
	return r, nil
}

func newReader(path string, src io.ReaderAt) (*Reader, error) {
	r := &Reader{path: path, src: src}
	r.seek(0)
	h := make([]byte, headerSize)
	if _, err := io.ReadFull(r.r, h); err != nil {
		if isEnd(err) {
			return nil, fmt.Errorf("%s: %w: it is shorter than its header", path, ErrNotSegment)
		}
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if string(h[:len(magic)]) != magic {
		return nil, fmt.Errorf("%s: %w", path, ErrNotSegment)
	}
	if v := binary.LittleEndian.Uint32(h[len(magic):]); v != version {
		return nil, fmt.Errorf("%s: %w: it has version %d, this is version %d", path, ErrVersion, v, version)
	}
	r.off = headerSize
	return r, nil
}

func (r *Reader) seek(off int64) {
	r.off = off
	r.r = bufio.NewReaderSize(io.NewSectionReader(r.src, off, 1<<62), bufferSize)
}

// SkipTo goes on at a byte where a record begins.
func (r *Reader) SkipTo(offset int64) { r.seek(offset) }

// Offset is where the last record ended.
func (r *Reader) Offset() int64 { return r.off }

// Torn says what stood behind the last whole record, once Next has returned
// io.EOF; empty when nothing did.
func (r *Reader) Torn() string { return r.torn }

// Close closes the file.
func (r *Reader) Close() error {
	if r.f == nil {
		return nil
	}
	return r.f.Close()
}

// Next returns the next record, or io.EOF behind the last whole one. A record
// that is damaged and is not the last is ErrDamaged.
func (r *Reader) Next() (Record, error) {
	var head [frameSize]byte
	n, err := io.ReadFull(r.r, head[:])
	if errors.Is(err, io.EOF) {
		return Record{}, io.EOF
	}
	if isEnd(err) {
		return r.tear(int64(n), "the beginning of a record")
	}
	if err != nil {
		return Record{}, fmt.Errorf("read %s: %w", r.path, err)
	}
	length := binary.LittleEndian.Uint32(head[0:])
	if length == 0 || length > MaxBody {
		return r.suspect(frameSize, fmt.Sprintf("a record that claims %d bytes", length))
	}
	return r.readBody(int(length), binary.LittleEndian.Uint32(head[4:]))
}

// readBody reads a body and holds it against its sum.
func (r *Reader) readBody(length int, sum uint32) (Record, error) {
	if cap(r.body) < length {
		r.body = make([]byte, length)
	}
	r.body = r.body[:length]
	n, err := io.ReadFull(r.r, r.body)
	if isEnd(err) {
		return r.tear(int64(frameSize+n), fmt.Sprintf("%d of a record's %d bytes", n, length))
	}
	if err != nil {
		return Record{}, fmt.Errorf("read %s: %w", r.path, err)
	}
	if crc32.Checksum(r.body, castagnoli) != sum {
		return r.suspect(int64(frameSize+length), "a record whose sum is wrong")
	}
	rec := Record{Kind: Kind(r.body[0]), Payload: r.body[1:], Offset: r.off}
	r.off += int64(frameSize + length)
	return rec, nil
}

// suspect tells a torn end from damage in the middle: behind a torn end there is
// nothing, or the zeros that some file systems leave.
func (r *Reader) suspect(n int64, what string) (Record, error) {
	if !r.blankBehind() {
		return Record{}, fmt.Errorf("%s: %w: %s at byte %d", r.path, ErrDamaged, what, r.off)
	}
	return r.tear(n, what)
}

func (r *Reader) blankBehind() bool {
	for {
		b, err := r.r.ReadByte()
		if err != nil {
			return isEnd(err)
		}
		if b != 0 {
			return false
		}
	}
}

func (r *Reader) tear(n int64, what string) (Record, error) {
	r.torn = fmt.Sprintf("%s: dropped %d bytes behind byte %d: %s", r.path, n, r.off, what)
	r.seek(r.off)
	return Record{}, io.EOF
}

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

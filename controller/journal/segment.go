package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	magic      = "STAMPSEG"
	version    = 1
	headerSize = 16
	frameSize  = 8 // before the body

	// MaxBody bounds one record, so that a damaged length is told from a long one.
	MaxBody = 64 << 20

	bufferSize = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrClosed is what Append and Sync say after Close.
var ErrClosed = errors.New("segment is closed")

// file is what a Segment needs of *os.File.
type file interface {
	io.WriteCloser
	Sync() error
}

// Segment is the journal of one run, open for appending. Append may be called
// beside Sync and Flush; each call is whole. After the first failure to write,
// every call fails with it: what was synced before is safe, what came later is
// not.
type Segment struct {
	path string

	mu struct {
		sync.Mutex
		f   file
		w   *bufio.Writer
		end int64 // size with what is buffered
		err error // first failure
	}
	syncing sync.Mutex // held during fsync, outside of mu so that Append goes on
}

// Create starts a new segment. A file that exists is an error.
func Create(path string) (*Segment, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	s := newSegment(path, f, 0)
	err = s.writeHeader()
	if err == nil {
		_, err = s.Sync()
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return s, syncDir(filepath.Dir(path))
}

// Open continues a segment behind a byte where a record ends, as a Reader has
// found it. What stands behind is cut away.
func Open(path string, end int64) (*Segment, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	if err := cut(f, end); err != nil {
		_ = f.Close()
		return nil, err
	}
	return newSegment(path, f, end), nil
}

func cut(f *os.File, end int64) error {
	if info, err := f.Stat(); err != nil || info.Size() < end {
		return fmt.Errorf("%s: %w: it ends before byte %d", f.Name(), errors.Join(ErrDamaged, err), end)
	}
	if err := f.Truncate(end); err != nil {
		return fmt.Errorf("cut the end of %s: %w", f.Name(), err)
	}
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		return fmt.Errorf("seek in %s: %w", f.Name(), err)
	}
	return nil
}

func newSegment(path string, f file, end int64) *Segment {
	s := &Segment{path: path}
	s.mu.f, s.mu.w, s.mu.end = f, bufio.NewWriterSize(f, bufferSize), end
	return s
}

func (s *Segment) writeHeader() error {
	h := make([]byte, 0, headerSize)
	h = append(h, magic...)
	h = binary.LittleEndian.AppendUint32(h, version)
	h = binary.LittleEndian.AppendUint32(h, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(h)
	return s.flush()
}

// Size is how much was appended so far, header included.
func (s *Segment) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.end
}

// Path returns the file's name.
func (s *Segment) Path() string { return s.path }

// Append adds a record and returns the file's size behind it. The record is safe
// once Sync has returned a size that is not smaller. The payload is not kept.
func (s *Segment) Append(k Kind, payload []byte) (end int64, err error) {
	if len(payload)+1 > MaxBody {
		return 0, fmt.Errorf("append to %s: a record may have %d bytes, got %d", s.path, MaxBody-1, len(payload))
	}
	var head [frameSize + 1]byte
	head[frameSize] = byte(k)
	sum := crc32.Update(0, castagnoli, head[frameSize:])
	sum = crc32.Update(sum, castagnoli, payload)
	binary.LittleEndian.PutUint32(head[0:], uint32(len(payload)+1))
	binary.LittleEndian.PutUint32(head[4:], sum)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(head[:])
	s.write(payload)
	return s.mu.end, s.mu.err
}

// write is called with mu held.
func (s *Segment) write(b []byte) {
	if s.mu.err != nil {
		return
	}
	n, err := s.mu.w.Write(b)
	s.mu.end += int64(n)
	s.fail("append to", err)
}

func (s *Segment) fail(what string, err error) {
	if err != nil && s.mu.err == nil {
		s.mu.err = fmt.Errorf("%s %s: %w", what, s.path, err)
	}
}

func (s *Segment) flush() error {
	if s.mu.err == nil {
		s.fail("write", s.mu.w.Flush())
	}
	return s.mu.err
}

// Flush hands what is buffered to the operating system, where readers see it.
func (s *Segment) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flush()
}

// Sync makes everything appended so far survive a crash and returns the size up
// to which that holds. Appends go on meanwhile.
func (s *Segment) Sync() (end int64, err error) {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	err = s.flush()
	end, f := s.mu.end, s.mu.f
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fail("sync", err)
		return 0, s.mu.err
	}
	return end, nil
}

// Close writes and syncs what is left and closes the file. A second call does
// nothing.
func (s *Segment) Close() error {
	_, err := s.Sync()
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.mu.err, ErrClosed) {
		return nil
	}
	cerr := s.mu.f.Close()
	s.mu.err = fmt.Errorf("%s: %w", s.path, ErrClosed)
	return errors.Join(err, cerr)
}

// Delete removes a segment's file; one that is not there is no error.
func Delete(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete segment: %w", err)
	}
	return nil
}

// syncDir makes a new name survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

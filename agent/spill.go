package agent

import (
	"fmt"
	"io"
	"os"
)

// spill is a file for batches that find no room in memory, one behind the other.
// It is made with the first and emptied with the last; nothing in it outlives the
// process. Whoever uses it holds the outbox's lock.
type spill struct {
	dir  string
	file *os.File
	end  int64
	held int // batches in it
}

// add appends a batch and returns where it lies.
func (s *spill) add(batch []byte) (at int64, err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp(s.dir, "stampede-outbox-*"); err != nil {
			return 0, fmt.Errorf("outbox: %w", err)
		}
		_ = os.Remove(s.file.Name()) // where that can be done while it is open, nothing is left behind
	}
	if _, err := s.file.WriteAt(batch, s.end); err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	at = s.end
	s.end += whole(int64(len(batch)))
	s.held++
	return at, nil
}

// read returns a batch of so many bytes.
func (s *spill) read(at, size int64) ([]byte, error) {
	batch := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(s.file, at, size), batch); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return batch, nil
}

// drop counts a batch out and gives back its place on the disk: a controller that
// stays behind for hours may never have all.
func (s *spill) drop(at, size int64) {
	if s.held--; s.held == 0 {
		s.end = 0
		_ = s.file.Truncate(0) // else it stays as large and is written over
		return
	}
	punch(s.file, at, whole(size))
}

// block is what file systems give out and take back.
const block = 4096

func whole(n int64) int64 { return (n + block - 1) / block * block }

// close removes the file.
func (s *spill) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
	s.file = nil
}

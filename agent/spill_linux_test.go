package agent

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSpillStaysSmall holds that a file which always has a batch takes no more of the disk
// than the batches in it.
func TestSpillStaysSmall(t *testing.T) {
	s := spill{dir: t.TempDir()}
	defer s.close()
	batch := bytes.Repeat([]byte("x"), 100_001)
	var held []int64
	for range 200 {
		at, err := s.add(batch)
		if err != nil {
			t.Fatal(err)
		}
		if held = append(held, at); len(held) > 3 {
			s.drop(held[0], int64(len(batch)))
			held = held[1:]
		}
	}
	for _, at := range held {
		if got, err := s.read(at, int64(len(batch))); err != nil || !bytes.Equal(got, batch) {
			t.Errorf("the batch at %d: %v", at, err)
		}
	}
	if unix.Fallocate(int(s.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, block) != nil {
		t.Skip("the file system of temporary files can't free a part of a file")
	}
	var info unix.Stat_t
	if err := unix.Fstat(int(s.file.Fd()), &info); err != nil {
		t.Fatal(err)
	}
	if taken := info.Blocks * 512; taken > 10*int64(len(batch)) {
		t.Errorf("3 batches of %d bytes take %d", len(batch), taken)
	}
}

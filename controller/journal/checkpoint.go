package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

const (
	checkpointMagic   = "STAMPCKP"
	checkpointVersion = 2
	checkpointHeader  = 16 // magic, version, sum of the payload
)

// ErrNotCheckpoint is what a file is that WriteCheckpoint did not write whole, in
// the format of this version.
var ErrNotCheckpoint = errors.New("not a checkpoint of this version")

// WriteCheckpoint replaces the file at path whole: after a crash it holds the
// payload or what it held before.
func WriteCheckpoint(path string, payload []byte) error {
	if err := writeCheckpoint(path, payload); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func writeCheckpoint(path string, payload []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".checkpoint-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	h := make([]byte, 0, checkpointHeader)
	h = append(h, checkpointMagic...)
	h = binary.LittleEndian.AppendUint32(h, checkpointVersion)
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(payload, castagnoli))
	_, err = f.Write(h)
	if err == nil {
		_, err = f.Write(payload)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ReadCheckpoint returns the payload.
func ReadCheckpoint(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	switch {
	case len(b) < checkpointHeader || string(b[:len(checkpointMagic)]) != checkpointMagic:
		return nil, fmt.Errorf("%s: %w", path, ErrNotCheckpoint)
	case binary.LittleEndian.Uint32(b[8:]) != checkpointVersion:
		return nil, fmt.Errorf("%s: %w: it has version %d, this is version %d", path, ErrNotCheckpoint, binary.LittleEndian.Uint32(b[8:]), checkpointVersion)
	case crc32.Checksum(b[checkpointHeader:], castagnoli) != binary.LittleEndian.Uint32(b[12:]):
		return nil, fmt.Errorf("%s: %w: its sum is wrong", path, ErrNotCheckpoint)
	}
	return b[checkpointHeader:], nil
}

// tailBytes is how much of a segment TailSum looks at.
const tailBytes = 4096

// TailSum is the sum of what stands in a segment before a byte where a record
// ends. A checkpoint keeps it, to be told from one of another file.
func TailSum(path string, end int64) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read segment: %w", err)
	}
	defer f.Close()
	b := make([]byte, min(end, tailBytes))
	if _, err := io.ReadFull(io.NewSectionReader(f, end-int64(len(b)), int64(len(b))), b); err != nil {
		return 0, fmt.Errorf("read %s before byte %d: %w", path, end, err)
	}
	return crc32.Checksum(b, castagnoli), nil
}

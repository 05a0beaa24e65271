package agent

import (
	"os"

	"golang.org/x/sys/unix"
)

// punch frees a stretch of a file, where the file system can; its length stays.
func punch(f *os.File, at, size int64) {
	_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, size)
}

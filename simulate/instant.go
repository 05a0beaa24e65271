package simulate

import (
	"io"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// errEOF is what a read returns when the client has ended the connection.
var errEOF = io.EOF

// maxStampAge bounds how long ago bytes that are read now can have arrived; an
// older or future stamp tells of a clock that was stepped.
const maxStampAge = int64(10 * time.Second)

// A pair whose two clocks were read further apart than maxPairGap (ns) is read
// again, a few times: whatever lies between them would shift a whole record.
const (
	maxPairGap = 2000
	pairTries  = 4
)

// readPair returns the present moment on both clocks, read close together.
func readPair() clock.Pair {
	best, gap := clock.Pair{}, int64(never)
	before := clock.Now()
	for range pairTries {
		p := clock.ReadPair()
		after := clock.Now()
		if after-before < gap {
			best, gap = p, after-before
		}
		if gap <= maxPairGap {
			break
		}
		before = after
	}
	return best
}

// instant is the moment at which bytes arrived, on both clocks.
type instant struct {
	mono, unix int64
	kernel     bool // by the kernel's stamp
}

// instantOf brings a kernel stamp (Unix nanoseconds, 0: none) onto the monotonic
// clock by the pair that was read beside it.
func instantOf(stamp int64, now clock.Pair) instant {
	age := now.Unix - stamp
	if stamp == 0 || age < 0 || age > maxStampAge {
		return instant{mono: now.Mono, unix: now.Unix}
	}
	return instant{mono: now.Mono - age, unix: stamp, kernel: true}
}

// at maps a monotonic instant to Unix nanoseconds.
func (i instant) at(mono int64) int64 { return i.unix + mono - i.mono }

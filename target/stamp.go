package target

import "github.com/stampede-bench/stampede/internal/clock"

const (
	stepLimit = 1e6  // ns that real − mono may move between two pairs
	slewLimit = 2000 // and 1/2000 of the time between them: the most the kernel slews
	oldStamp  = 10e9 // ns; an older stamp is of another time
)

// stamper turns the kernel's receive stamps, which are on the wall clock, into
// instants on the monotonic clock. It is fed every pair of readings of the two
// clocks that its owner takes, and so notices when the wall clock was set. It
// has no clock of its own and is owned by one goroutine.
type stamper struct {
	offset int64 // real − mono of the last pair
	last   int64 // mono of the last pair; 0 before the first
	stepAt int64 // mono of the last pair that showed a step
	steps  int64
}

// take reads and notes a pair. By one pair a clock seems to have been set, too, when the
// process lost the processor between the two readings; another one tells.
func (s *stamper) take(read func() clock.Pair) clock.Pair {
	p := read()
	if s.jumped(p) {
		p = read()
	}
	s.see(p)
	return p
}

// jumped reports whether by a pair the wall clock was set.
func (s *stamper) jumped(p clock.Pair) bool {
	return s.last != 0 && abs(p.Unix-p.Mono-s.offset) > stepLimit+(p.Mono-s.last)/slewLimit
}

// see notes a pair of readings.
func (s *stamper) see(p clock.Pair) {
	if s.jumped(p) {
		s.stepAt = p.Mono
		s.steps++
	}
	s.offset, s.last = p.Unix-p.Mono, p.Mono
}

// arrival places a read on the monotonic clock. The pair was taken right after
// the read; stamp is the kernel's, 0 for none; emptyAt is when the socket was
// last found empty. A stamp is believed unless it lies in the future or is older
// than 10 s, or the wall clock was set since emptyAt, for then it may have been
// taken before that. What is not believed gets the process's time.
func (s *stamper) arrival(p clock.Pair, stamp, emptyAt int64) arrival {
	s.see(p)
	a := arrival{at: p.Mono, emptyAt: emptyAt, read: p.Mono, lag: max(0, p.Mono-emptyAt)}
	if stamp == 0 {
		return a
	}
	age := p.Unix - stamp
	if age < 0 || age > oldStamp || emptyAt < s.stepAt {
		a.stepped = true
		return a
	}
	a.at, a.lag, a.kernel = p.Mono-age, age, true
	return a
}

// arrival is when the last byte of one read of a socket arrived.
type arrival struct {
	at      int64 // the kernel's stamp, or the time of the read
	read    int64 // when the process had read it
	emptyAt int64 // nothing that was read came before this
	lag     int64 // how long the bytes lay there before; without a stamp, at most
	kernel  bool
	stepped bool // a stamp was there and not believed
}

// width bounds how far before at a token of the read may have arrived.
func (a arrival) width() int64 { return max(0, a.at-a.emptyAt) }

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}

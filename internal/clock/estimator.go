package clock

// maxDrift is how far two unsynchronised clocks may run apart, in parts per
// billion: quartz stays within ±50 ppm, so two of them within 100 ppm.
const maxDrift = 100_000

// Exchange is one question and its answer between two hosts: T0 and T3 are read
// on the asking host when the question left and the answer came, T1 and T2 on
// the answering host when the question came and the answer left. All are
// nanoseconds since the Unix epoch on the respective wall clock.
type Exchange struct{ T0, T1, T2, T3 int64 }

// offset is asking clock minus answering clock, and half of the round trip: the
// true value lies within offset ± bound, however asymmetric the ways were.
func (e Exchange) offset() (offset, bound int64) {
	out, back := e.T0-e.T1, e.T3-e.T2
	// The sum of two's complement halves, without overflow for far-off clocks.
	offset = out/2 + back/2 + (out%2+back%2)/2
	return offset, ((e.T3 - e.T0) - (e.T2 - e.T1) + 1) / 2
}

// Estimator estimates how far two clocks are apart from repeated exchanges. It
// keeps the exchange with the smallest round trip, whose bound grows with age by
// the drift that is possible, so that a newer one takes over in time. It is a
// plain value without a clock: not safe for concurrent use. The zero value is
// ready.
type Estimator struct {
	has           bool
	offset, bound int64 // of the best exchange
	at            int64 // its T3
	now           int64 // T3 of the newest exchange
	steps         int64
}

// Add takes one exchange into account. One whose interval cannot be reconciled
// with the best so far means that a clock was set: the estimate begins anew and
// Steps counts one. An exchange that contradicts itself (a negative round trip)
// is ignored.
func (e *Estimator) Add(x Exchange) {
	offset, bound := x.offset()
	bound += drift(x.T3 - x.T0)
	if x.T3 < x.T0 || x.T2 < x.T1 || bound < 0 {
		return
	}
	if !e.has {
		e.take(x.T3, offset, bound)
		return
	}
	e.now = max(e.now, x.T3)
	aged := e.aged()
	if gap(e.offset, offset) > aged+bound {
		e.steps++
		e.take(x.T3, offset, bound)
		return
	}
	if x.T3 >= e.at && bound <= aged {
		e.take(x.T3, offset, bound)
	}
}

func (e *Estimator) take(at, offset, bound int64) {
	e.has, e.at, e.now, e.offset, e.bound = true, at, at, offset, bound
}

// aged is the best exchange's bound, widened by the drift since.
func (e *Estimator) aged() int64 { return e.bound + drift(e.now-e.at) }

// drift is the most that two clocks can run apart within an age, rounded up.
func drift(age int64) int64 {
	const second = 1_000_000_000
	return age/second*maxDrift + (age%second*maxDrift+second-1)/second
}

// Offset returns asking clock minus answering clock and the bound on its error
// as of the newest exchange; ok is false before the first.
func (e *Estimator) Offset() (offset, bound int64, ok bool) {
	if !e.has {
		return 0, 0, false
	}
	return e.offset, e.aged(), true
}

// Steps is how often a clock was seen to jump.
func (e *Estimator) Steps() int64 { return e.steps }

// gap is |a-b|.
func gap(a, b int64) int64 {
	if a < b {
		return b - a
	}
	return a - b
}

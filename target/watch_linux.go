package target

import "time"

const (
	// tickClose and tickWide bound how long a poller sleeps while requests are in
	// flight. Each return that does not report a socket proves it empty, so this
	// bounds the stamp_uncertainty of tokens that share a read; of others it bounds
	// nothing. Where tokens come alone, the close one is 5 % of the process at 200
	// streams started a second, spent to find nothing; see BenchmarkTick.
	tickClose = 500 * time.Microsecond
	tickWide  = 4 * time.Millisecond

	watchPeriod = int64(time.Second)
	// Of token chunks, those in shared reads may be one in so many before a poller
	// looks closely. It is far below the hundredth that a p99 tells of.
	sharedShare = 512
	sharedLeast = 4 // of them tell nothing yet
)

// watch decides how closely a poller looks: closely at first, for as long as tokens
// share reads, and at once when they begin to.
type watch struct {
	wide           bool
	since          int64
	chunks, shared int64 // token chunks since then, and those that shared a read
}

// read tells how many token chunks a read returned.
func (w *watch) read(chunks int32) {
	w.chunks += int64(chunks)
	if chunks < 2 {
		return
	}
	w.shared += int64(chunks)
	if w.sharing() {
		w.wide = false
	}
}

func (w *watch) sharing() bool {
	return w.shared > sharedLeast && w.shared*sharedShare > w.chunks
}

// tick is how long to sleep at most. A period in which hardly a token came decides
// nothing.
func (w *watch) tick(now int64) time.Duration {
	if now-w.since >= watchPeriod && w.chunks >= sharedShare {
		w.wide = !w.sharing()
		w.since, w.chunks, w.shared = now, 0, 0
	}
	if w.wide {
		return tickWide
	}
	return tickClose
}

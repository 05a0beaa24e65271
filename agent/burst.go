package agent

import "context"

const (
	// burstWindow is how close entries of an open-loop phase must lie to need a
	// connection each: before another could be opened, or an answer come.
	burstWindow = int64(10e6)
	maxBurst    = 1 << 14 // connections readied for one
)

// bursts finds where more requests are due at once than connections are kept ready
// for, among those that are built ahead, and has the missing ones opened.
type bursts struct {
	offsets []int64 // within the window that ends with the last
	first   int     // the offsets before it are out of the window
	most    int     // in any window since the last call of take
	asked   chan int
}

func newBursts() bursts { return bursts{asked: make(chan int, 1)} }

// add tells of an entry; they come in order.
func (b *bursts) add(offset int64) {
	b.offsets = append(b.offsets, offset)
	for offset-b.offsets[b.first] > burstWindow || len(b.offsets)-b.first > maxBurst { // more are not asked for
		b.first++
	}
	if b.first > len(b.offsets)/2 {
		b.offsets = b.offsets[:copy(b.offsets, b.offsets[b.first:])]
		b.first = 0
	}
	b.most = max(b.most, len(b.offsets)-b.first)
}

// next is another phase.
func (b *bursts) next() { b.offsets, b.first, b.most = b.offsets[:0], 0, 0 }

// take returns how many connections the burst among what was added since the last
// call wants ready, 0 when those in reserve do.
func (b *bursts) take(p *phase, agents int) (n int) {
	n, b.most = min(b.most, maxBurst), 0
	if p.MaxConcurrency > 0 {
		n = min(n, (p.MaxConcurrency+agents-1)/agents)
	}
	reserve := openConnections(p.Phase, agents)
	if n <= reserve {
		return 0
	}
	return n + reserve // which others may use until then
}

// ask has n connections readied; of several that wait the largest is.
func (b *bursts) ask(n int) {
	select {
	case other := <-b.asked:
		n = max(n, other)
	default:
	}
	b.asked <- n // it has room: nobody else asks
}

// serve readies what is asked for, until ctx ends.
func (b *bursts) serve(ctx context.Context, warm func(context.Context, int)) {
	for {
		select {
		case n := <-b.asked:
			warm(ctx, n)
		case <-ctx.Done():
			return
		}
	}
}

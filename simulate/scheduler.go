package simulate

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/stampede-bench/stampede/internal/clock"
)

// order is what a connection's goroutine asks of the scheduler.
type order struct {
	st   *stream
	kind orderKind
}

type orderKind uint8

const (
	orderSubmit  orderKind = iota
	orderDrop              // the client left, or the server stops
	orderResume            // a write that had to wait is through
	orderWritten           // what was handed over is written
)

// scheduler owns all replies under way and writes them from one thread.
type scheduler struct {
	slots     int
	dedicated bool
	acct      *account
	meter     *meter

	inbox struct {
		sync.Mutex
		orders []order
	}
	waiting atomic.Int32 // orders in the inbox
	alarm   alarm
	stopped atomic.Bool

	// Below: the scheduler's goroutine only.
	heap    dueHeap
	queue   []*stream // FIFO of those without a slot
	running int
	freed   int64 // when all slots were taken last
	scratch []byte
	spare   []order
	blocked sync.WaitGroup // writes that wait for their clients
}

func newScheduler(slots int, dedicated bool, a *account, m *meter) (*scheduler, error) {
	s := &scheduler{slots: slots, dedicated: dedicated, acct: a, meter: m, scratch: make([]byte, 0, 2*maxWrite)}
	return s, s.alarm.init()
}

// post hands an order over; due is when the scheduler must have seen it at the
// latest. Any goroutine may call it.
func (s *scheduler) post(o order, due int64) {
	s.inbox.Lock()
	s.inbox.orders = append(s.inbox.orders, o)
	s.waiting.Add(1)
	s.inbox.Unlock()
	s.alarm.before(due)
}

// submit starts a reply, or queues it.
func (s *scheduler) submit(st *stream) {
	s.meter.waiting.Add(1)
	due := st.came.mono
	if !st.early {
		due += st.ttft
	}
	s.post(order{st, orderSubmit}, due)
}

// drop gives a reply up; done is closed soon after.
func (s *scheduler) drop(st *stream) {
	st.gone.Store(true)
	s.post(order{st, orderDrop}, 0)
}

// stop ends run once all replies are over.
func (s *scheduler) stop() {
	s.stopped.Store(true)
	s.alarm.before(0)
}

// close frees what newScheduler took, once run has returned and nobody posts.
func (s *scheduler) close() { s.alarm.close() }

// run writes what is due until stop. It keeps its thread to itself.
func (s *scheduler) run() {
	runtime.LockOSThread() // never unlocked: the thread ends with its timer slack
	s.alarm.prepareThread(s.dedicated)
	defer s.blocked.Wait()
	for {
		if s.waiting.Load() > 0 {
			s.takeOrders()
		}
		now := clock.Now()
		st, due := s.heap.peek()
		switch {
		case due <= now:
			s.advance(st, due, now)
		case s.stopped.Load() && s.waiting.Load() == 0:
			return
		default:
			s.alarm.sleep(due, &s.waiting, &s.stopped)
		}
	}
}

func (s *scheduler) takeOrders() {
	s.inbox.Lock()
	orders := s.inbox.orders
	s.inbox.orders = s.spare[:0]
	s.waiting.Store(0)
	s.inbox.Unlock()
	for _, o := range orders {
		s.obey(o)
	}
	clear(orders)
	s.spare = orders
}

func (s *scheduler) obey(o order) {
	st := o.st
	switch {
	case st.over: // ended meanwhile
	case o.kind == orderDrop:
		status := StatusDisconnected
		if st.conn.srv.stopping.Load() {
			status = StatusAborted
		}
		s.end(st, status, clock.Now())
	case o.kind == orderResume:
		s.conclude(st, st.resume, clock.Now())
	case o.kind == orderWritten:
		s.written(st)
	case s.slots > 0 && s.running >= s.slots:
		s.queue = append(s.queue, st)
	default:
		// An arrival may be read after a slot that was taken then became free.
		s.begin(st, max(st.came.mono, s.freed))
	}
}

// begin gives st a slot.
func (s *scheduler) begin(st *stream, now int64) {
	st.running = true
	s.running++
	s.meter.waiting.Add(-1)
	s.meter.setRunning(s.running)
	s.meter.queueTime.observe(now - st.came.mono)
	st.rec.Start = st.came.at(now)
	st.start(now)
	st.rec.FirstDue = st.came.at(st.firstDue)
	s.heap.push(st, st.due)
}

// advance writes what is due of the stream at the top of the heap.
func (s *scheduler) advance(st *stream, due, now int64) {
	if st.over {
		s.heap.pop()
		return
	}
	from, tokenDue := st.sent, st.tokenDue
	b, act := s.next(st, now)
	if st.conn.h2 != nil {
		s.heap.pop()
		s.hand(st, b, act, from, tokenDue)
		return
	}
	err := st.conn.sock.seal(b)
	at := clock.Now()
	n, wait := 0, false
	if len(b) > 0 && err == nil {
		n, wait, err = st.conn.sock.writeNow(b)
		st.rec.Writes++
	}
	st.rec.BytesOut += int64(n)
	if err != nil {
		s.heap.pop()
		st.sent = from
		s.end(st, StatusDisconnected, at)
		return
	}
	if n > 0 {
		st.rec.HTTPStatus = http.StatusOK
	}
	if st.sent > from {
		s.noteTokens(st, from, at, tokenDue, clock.Now()-at)
	}
	switch {
	case wait:
		s.heap.pop()
		s.wait(st, append([]byte(nil), b[n:]...), act)
	case act == again:
		s.heap.replaceTop(st.due)
	default:
		s.heap.pop()
		s.conclude(st, act, at)
	}
}

// next returns the bytes of st's next write, all that is due or a split part.
func (s *scheduler) next(st *stream, now int64) ([]byte, action) {
	if len(st.pending) > 0 {
		return st.dribble(now)
	}
	b, act := st.step(s.scratch[:0], now)
	if cap(b) <= 16*maxWrite {
		s.scratch = b[:0]
	}
	if st.fault.Kind != FaultSplit || len(b) == 0 {
		return b, act
	}
	st.pending, st.after = append(st.pending[:0:0], b...), act
	return st.dribble(now)
}

// noteTokens books tokens that were written at an instant, by a write that took so
// long.
func (s *scheduler) noteTokens(st *stream, from int, at, due, took int64) {
	last := st.rec.LastToken
	st.noteTokens(from, at, due)
	m := s.meter
	m.generated.Add(int64(st.sent - from))
	if from == 0 {
		st.rec.FirstWriteNanos = took
		m.ttft.observe(at - st.came.mono)
		return
	}
	m.itl.observe((st.rec.LastToken - last) / int64(st.sent-from))
}

// wait lets a goroutine write what the socket didn't take; the stream goes on
// when that is through.
func (s *scheduler) wait(st *stream, rest []byte, act action) {
	st.rec.Blocked++
	st.resume = act
	s.blocked.Go(func() {
		n, err := st.conn.sock.Write(rest)
		st.waited.Add(int64(n))
		if err != nil {
			s.drop(st)
			return
		}
		s.post(order{st, orderResume}, 0)
	})
}

// conclude does what act says once the bytes before it are written.
func (s *scheduler) conclude(st *stream, act action, now int64) {
	switch act {
	case again:
		s.heap.push(st, st.due)
	case park:
	case complete:
		s.end(st, st.outcome(), now)
	case endFIN:
		st.conn.hangUp(closeFIN)
		s.end(st, st.outcome(), now)
	case endRST:
		st.conn.hangUp(closeRST)
		s.end(st, StatusFaulted, now)
	case endAlive:
		s.end(st, StatusFaulted, now)
	}
}

// end closes st's account, frees its slot and gives that to the next in line.
func (s *scheduler) end(st *stream, status string, now int64) {
	st.over = true
	r := st.rec
	r.Status, r.End = status, st.came.at(now)
	r.BytesOut += st.waited.Load()
	s.acct.ended(r)
	s.meter.ended(st, now)
	close(st.done)
	if !st.running {
		s.meter.waiting.Add(-1)
		return
	}
	if s.running--; s.running+1 == s.slots {
		s.freed = now
	}
	for len(s.queue) > 0 && (s.slots == 0 || s.running < s.slots) {
		next := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		if !next.over {
			s.begin(next, now)
		}
	}
	s.meter.setRunning(s.running)
}

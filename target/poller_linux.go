package target

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"golang.org/x/sys/unix"
)

const (
	pollEvents = 512
	readBytes  = 128 << 10
	readsATurn = 4 // reads of one connection before others get their turn; to parse what one returns takes up to 0.3 ms
	// gather is how long arrivals lie that are let gather; less than tick, so that it
	// widens no interval.
	gather     = int64(300 * time.Microsecond)
	yieldEvery = int64(8 * time.Millisecond) // the runtime's patience is 10 ms
)

// poller reads a set of connections on one thread: epoll, one read per readable
// socket, the reply parsed in place, done called. All its reads go into one
// buffer; a connection keeps no more than what is not parsed yet.
type poller struct {
	cl    *Client
	epfd  int
	wakeS *event64

	inflight atomic.Int64
	sleeping atomic.Bool
	closing  atomic.Bool
	relaxed  bool // Config.Relaxed, and the kernel stamps what arrives

	mu      sync.Mutex // guards the slots and what is cancelled
	slots   []slot
	free    []int32
	dropped []cancelled

	// Of the polling thread alone.
	events  [pollEvents]unix.EpollEvent
	turn    []turn // what one wait reported
	unread  []turn // had more to read than one turn allows
	sweepAt int64
	sweep   []*conn
	now     int64 // last reading of the clock
	quiet   int64 // sockets that the last wait did not report were empty then
	woken   int64 // when the last wait returned with something
	crowded bool  // replies come faster than is worth waking up for each
	watch   watch
	stamps  stamper
	counted int64 // of its steps, by the client
	in      receiver
	plain   []byte // TLS: decrypted
}

type slot struct {
	k   *conn
	gen int32
}

type turn struct {
	k  *conn
	ev uint32
}

type cancelled struct {
	k *conn
	c *Call
}

func newPoller(cl *Client) (*poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll instance: %w", err)
	}
	wake, err := newEvent64()
	if err != nil {
		_ = unix.Close(epfd)
		return nil, err
	}
	p := &poller{cl: cl, epfd: epfd, wakeS: wake}
	p.relaxed = cl.cfg.Relaxed && keepStamping()
	p.in.init(readBytes)
	ev := unix.EpollEvent{Events: unix.EPOLLIN | epollET, Fd: -1}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wake.fd, &ev); err != nil {
		p.closeFDs()
		return nil, fmt.Errorf("watch an eventfd: %w", err)
	}
	return p, nil
}

func (p *poller) closeFDs() {
	p.wakeS.close()
	_ = unix.Close(p.epfd)
}

// add registers a connection once for all it will ever be asked: with edges,
// nothing needs to be changed later.
func (p *poller) add(k *conn, w *fdWire) error {
	p.mu.Lock()
	var i int32
	if n := len(p.free); n > 0 {
		i, p.free = p.free[n-1], p.free[:n-1]
	} else {
		i = int32(len(p.slots))
		p.slots = append(p.slots, slot{})
	}
	s := &p.slots[i]
	s.k = k
	s.gen++
	w.slot, w.gen = i, s.gen
	ev := w.event()
	p.mu.Unlock()
	if err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, w.fd, &ev); err != nil {
		p.remove(i)
		return fmt.Errorf("watch a connection: %w", err)
	}
	return nil
}

// adopt begins to read a connection that is open.
func (p *poller) adopt(k *conn, w *fdWire) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w.ctx = nil
	if w.dialing.Store(false); !w.missed.Load() || k.closed {
		return
	}
	ev := w.event()
	_ = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_MOD, w.fd, &ev) // tells once more what there is
}

func (p *poller) remove(i int32) {
	p.mu.Lock()
	p.slots[i].k = nil
	p.free = append(p.free, i)
	p.mu.Unlock()
}

func (p *poller) begin() { p.inflight.Add(1) }
func (p *poller) end()   { p.inflight.Add(-1) }

func (p *poller) wake() {
	if p.sleeping.Load() && p.sleeping.CompareAndSwap(true, false) {
		p.wakeS.signal()
	}
}

func (p *poller) cancel(k *conn, c *Call) {
	p.mu.Lock()
	p.dropped = append(p.dropped, cancelled{k, c})
	p.mu.Unlock()
	p.wakeS.signal()
}

// run polls until stop. It yields now and then: the runtime takes a goroutine
// that does not for one that hogs its processor, wakes up every 20 µs to take
// that away while it waits, and so makes each return from a wait expensive. For
// the same reason the goroutine has no thread of its own: yielding would then
// cost two switches of threads.
func (p *poller) run() {
	yieldAt := int64(0)
	p.plain = make([]byte, 16<<10)
	for !p.closing.Load() {
		p.rest()
		n, empty := p.wait()
		p.resolve(n)
		for _, t := range p.turn {
			p.handle(t.k, t.ev)
		}
		if n < pollEvents {
			p.quiet = empty
		}
		p.gauge(n)
		p.countSteps()
		p.drop()
		p.expire()
		if p.now >= yieldAt {
			yieldAt = p.now + yieldEvery
			runtime.Gosched()
		}
	}
	p.abandon()
}

func (p *poller) stop() {
	p.closing.Store(true)
	p.wakeS.signal()
}

// wait returns how many sockets are reported, and an instant at which all others
// were empty. That is a proven one: a wait that ran into its timeout looked after
// it, any other looked after it was called.
func (p *poller) wait() (n int, empty int64) {
	timeout := p.watch.tick(p.now)
	switch {
	case len(p.unread) > 0:
		timeout = 0
	case p.inflight.Load() == 0:
		p.sleeping.Store(true)
		if p.inflight.Load() == 0 && !p.closing.Load() {
			timeout = -1
		}
	}
	enter := clock.Now()
	n = epollWait(p.epfd, p.events[:], timeout)
	p.sleeping.Store(false)
	p.clocks()
	if n == 0 && timeout > 0 {
		return n, min(enter+int64(timeout), p.now)
	}
	return max(n, 0), enter
}

// resolve looks up the connections of what was reported.
func (p *poller) resolve(n int) {
	p.turn = append(p.turn[:0], p.unread...)
	p.unread = p.unread[:0]
	p.mu.Lock()
	for i := range p.events[:n] {
		ev := &p.events[i]
		if ev.Fd < 0 {
			p.wakeS.drain()
			continue
		}
		if s := p.slots[ev.Fd]; s.k != nil && s.gen == ev.Pad {
			if w := s.k.w.(*fdWire); w.unread { // it has its turn
				p.turn[w.place].ev |= ev.Events
				continue
			}
			p.turn = append(p.turn, turn{s.k, ev.Events})
		}
	}
	p.mu.Unlock()
}

func (p *poller) handle(k *conn, ev uint32) {
	w := k.w.(*fdWire)
	if w.dialing.Load() && w.dialler(ev) {
		return
	}
	k.mu.Lock()
	var o outcome
	if !k.closed {
		o = p.read(k, w, ev)
	}
	if k.call != nil && ev&unix.EPOLLOUT != 0 {
		k.writable()
	}
	if k.closed {
		o.pool = nil
	}
	k.mu.Unlock()
	p.countSteps()
	p.cl.hand(o)
}

// countSteps adds the clock steps seen since the last call to the client's count.
func (p *poller) countSteps() {
	if n := p.stamps.steps - p.counted; n > 0 {
		p.counted += n
		p.cl.stats.steps.Add(n)
	}
}

// read takes what lies in the socket. A read that does not fill the buffer has
// emptied the socket; only when the peer hung up another tells how.
func (p *poller) read(k *conn, w *fdWire, ev uint32) (o outcome) {
	bound := k.empty
	if !w.unread {
		bound = max(bound, p.quiet)
	}
	if w.stamped {
		p.sentBy(k, w)
	}
	w.unread = false
	last := ev&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	for range readsATurn {
		before := p.now
		n, stamp, err := p.in.receive(w.fd)
		if err == unix.EAGAIN {
			k.empty = max(k.empty, before)
			return o
		}
		pair := p.clocks()
		if n <= 0 {
			return o.or(k.hungUp(pair.Mono, readFault(eofOr(err))))
		}
		a := p.stamps.arrival(pair, stamp, bound)
		if a.kernel {
			p.cl.keptWaiting(a.lag, pair.Mono)
		}
		o = o.or(p.take(k, w, p.in.buf[:n], a))
		p.watch.read(k.reply.shared)
		if k.closed {
			return o
		}
		if n < len(p.in.buf) {
			k.empty = max(before, stampOf(a))
			if !last {
				return o
			}
		}
	}
	k.empty, w.unread, w.place = bound, true, len(p.unread)
	p.unread = append(p.unread, turn{k, ev})
	return o
}

// stampOf is when the socket held its last byte, by the kernel.
func stampOf(a arrival) int64 {
	if a.kernel {
		return a.at
	}
	return a.emptyAt
}

// take hands bytes on to the reply, through TLS where it is spoken.
func (p *poller) take(k *conn, w *fdWire, b []byte, a arrival) (o outcome) {
	if w.tls == nil {
		return k.received(b, a, true)
	}
	w.in = b
	for fresh := true; !k.closed; {
		n, err := w.tls.Read(p.plain)
		if n > 0 {
			o = o.or(k.received(p.plain[:n], a, fresh))
			fresh = false
		}
		if errors.Is(err, errWouldBlock) {
			break
		}
		if err != nil {
			return o.or(k.hungUp(a.at, tlsReadFault(err)))
		}
	}
	return o
}

// drop gives up the calls that were cancelled.
func (p *poller) drop() {
	p.mu.Lock()
	list := p.dropped
	p.dropped = nil
	p.mu.Unlock()
	for _, d := range list {
		d.k.drop(d.c, fault{KindCancelled, "given up while it was in flight"})
	}
}

// expire looks for requests whose time has passed, often enough for the timeout
// and seldom enough to cost nothing.
func (p *poller) expire() {
	if p.now < p.sweepAt || p.inflight.Load() == 0 {
		return
	}
	p.sweepAt = p.now + p.cl.sweepEvery()
	p.mu.Lock()
	p.sweep = p.sweep[:0]
	for _, s := range p.slots {
		if s.k != nil {
			if d := s.k.deadline.Load(); d != 0 && p.now >= d {
				p.sweep = append(p.sweep, s.k)
			}
		}
	}
	p.mu.Unlock()
	for _, k := range p.sweep {
		k.expire(p.now)
	}
	clear(p.sweep)
}

// abandon gives up all there is; the client is closed.
func (p *poller) abandon() {
	p.mu.Lock()
	var all []*conn
	for _, s := range p.slots {
		if s.k != nil {
			all = append(all, s.k)
		}
	}
	p.mu.Unlock()
	for _, k := range all {
		k.abandon()
	}
	p.closeFDs()
}

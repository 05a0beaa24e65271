package controller

import (
	"container/heap"
	"time"
)

// leases orders agents by when their lease ends. An entry may be older than the
// lease, which only ever grows: whoever pops it looks again. So a heartbeat costs
// nothing here.
type leases []lease

type lease struct {
	end  time.Time
	peer *peer
}

func (l leases) Len() int           { return len(l) }
func (l leases) Less(i, j int) bool { return l[i].end.Before(l[j].end) }
func (l leases) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }

// Push implements heap.Interface.
func (l *leases) Push(x any) { *l = append(*l, x.(lease)) }

// Pop implements heap.Interface.
func (l *leases) Pop() any {
	old := *l
	last := old[len(old)-1]
	old[len(old)-1] = lease{}
	*l = old[:len(old)-1]
	return last
}

// add begins to watch a peer's lease.
func (l *leases) add(p *peer) { heap.Push(l, lease{end: p.deadline, peer: p}) }

// expired removes and returns the peers whose lease is over, and tells when to
// look again; ok is false when there is nothing to wait for.
func (l *leases) expired(now time.Time) (over []*peer, next time.Time, ok bool) {
	for l.Len() > 0 {
		top := (*l)[0]
		if top.end.After(now) {
			return over, top.end, true
		}
		heap.Pop(l)
		if top.peer.deadline.After(now) {
			l.add(top.peer)
			continue
		}
		over = append(over, top.peer)
	}
	return over, time.Time{}, false
}

package controller

import (
	"slices"

	"github.com/stampede-bench/stampede/schedule"
)

// owners are the attempts at the sessions of a phase, in order of dealing. The
// last one that has a session is responsible for it.
type owners struct {
	r   *run
	p   *phase
	all []owner
}

// owner is an attempt that was responsible from a session on.
type owner struct {
	*shard
	from  int64
	until int64 // sessions below it may have been sent
}

func (r *run) ownersIn(p *phase) owners {
	o := owners{r: r, p: p}
	for _, s := range r.shards {
		o.all = append(o.all, owner{shard: s, from: s.fromIn(p), until: p.bound(r.permits.granted(s.ref))})
	}
	return o
}

// bound is the first session of a phase that an attempt was never permitted to
// send.
func (p *phase) bound(g granted) int64 {
	if p.Kind == schedule.Open {
		return p.Before(g.open - p.Nominal)
	}
	return g.closed[p.Index]
}

// of is the attempt that was responsible for a session in the end.
func (o *owners) of(k int64) *owner {
	for i := len(o.all) - 1; i > 0; i-- {
		if s := &o.all[i]; k >= s.from && o.p.owns(s.ref.Shard, k) {
			return s
		}
	}
	return &o.all[0]
}

// permitted is up to which session somebody was permitted to send.
func (o *owners) permitted() int64 {
	most := int64(0)
	for i := range o.all {
		most = max(most, o.all[i].until)
	}
	return most
}

// count adds lost entries from from to to-1 to the agents that were responsible.
func (o *owners) count(from, to int64) {
	switch {
	case len(o.all) == 1:
		o.all[0].member.lostRequests += to - from
	case o.r.oneTurn(o.p):
		o.countSessions(from-o.p.firstIndex, to-o.p.firstIndex)
	default:
		o.countTurns(from, to)
	}
}

// countSessions counts sessions of one turn. Between two begins of attempts the
// same owners come round and round.
func (o *owners) countSessions(from, to int64) {
	begins := []int64{from, to}
	for i := range o.all {
		if b := o.all[i].from; b > from && b < to {
			begins = append(begins, b)
		}
	}
	slices.Sort(begins)
	round := o.round(to - from)
	for i, begin := range begins[1:] {
		for k := begins[i]; k < min(begins[i]+round, begin); k++ {
			o.of(k).member.lostRequests += (begin-1-k)/round + 1
		}
	}
}

// round is after how many sessions the owners repeat, or most when that is less.
func (o *owners) round(most int64) int64 {
	if o.p.Kind == schedule.Closed {
		return min(int64(o.p.Slots), most)
	}
	round := int64(1)
	for i := range o.all {
		stride := o.all[i].ref.Shard.Stride
		if round *= stride / gcd(round, stride); round >= most {
			return most
		}
	}
	return round
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// countTurns counts entries session by session.
func (o *owners) countTurns(from, to int64) {
	k := o.r.sessions(o.p)(from)
	for end := o.r.entries(o.p, k+1); from < to; k++ {
		o.of(k).member.lostRequests += min(end, to) - from
		from = end
		end += int64(o.r.corpus.Turns(o.p.firstSession + k + 1))
	}
}

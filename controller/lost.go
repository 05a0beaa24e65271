package controller

import (
	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/schedule"
)

// Every lost request counts. Rows are written of the first ones: a run whose
// agents die at its begin would else write one for each request of its plan.
// Those that an agent may have sent are worth more than those that no agent was
// permitted to send.
const (
	maxLostRows      = 1_000_000
	maxNeverSentRows = 100_000 // of them
)

// finalBatch is how many lost entries share a record.
const finalBatch = 1000

// finals gathers the lost entries of one attempt.
type finals struct {
	samples []byte
	count   int
}

// lostRows writes the rows of lost entries and counts these by agent.
type lostRows struct {
	r               *run
	most            int64 // rows
	mostNeverSent   int64
	rows, neverSent int64
	batches         map[wire.Ref]*finals
	left            []report.RowGap
}

// recordLost journals lost entries by the attempt that had them, and notes those
// that it leaves out.
func (r *run) recordLost() {
	l := &lostRows{
		r: r, most: r.c.cfg.lostRows, mostNeverSent: r.c.cfg.neverSentRows, batches: map[wire.Ref]*finals{},
	}
	for _, p := range r.phases {
		l.phase(p)
	}
	for _, s := range r.shards {
		if b := l.batches[s.ref]; b != nil {
			l.flush(s.ref, b)
		}
	}
	r.withoutRow = l.left
}

// phase records the lost entries of one phase.
func (l *lostRows) phase(p *phase) {
	owners := l.r.ownersIn(p)
	session := l.r.sessions(p)
	beyond := l.r.entries(p, min(owners.permitted(), p.planned)) // nobody was permitted to send these
	gap := report.RowGap{}
	leave := func(from, to int64) {
		if gap.Count == 0 {
			gap.FromIndex = from
		}
		gap.ToIndex, gap.Count = to, gap.Count+to-from
	}
	for from, to := range l.r.ledger.Stretches(int32(p.Index), measure.Lost) {
		index := from
		for ; index < to && l.rows < l.most && (index < beyond || l.neverSent < l.mostNeverSent); index++ {
			k := session(index)
			o := owners.of(k)
			o.member.lostRequests++
			if !l.takes(k < o.until) {
				leave(index, index+1)
				continue
			}
			m := l.r.lostSample(p, k, index)
			l.write(o.ref, &m)
		}
		if index < to {
			leave(index, to)
			owners.count(index, to)
		}
	}
	if gap.Count > 0 {
		l.left = append(l.left, gap)
	}
}

// takes reports whether an entry gets a row.
func (l *lostRows) takes(permitted bool) bool {
	if !permitted {
		if l.neverSent >= l.mostNeverSent {
			return false
		}
		l.neverSent++
	}
	l.rows++
	return true
}

func (l *lostRows) write(ref wire.Ref, m *measure.Sample) {
	b := l.batches[ref]
	if b == nil {
		b = &finals{}
		l.batches[ref] = b
	}
	b.samples = wire.AppendEncoded(b.samples, wire.AppendSample(nil, m))
	if b.count++; b.count == finalBatch {
		l.flush(ref, b)
	}
}

func (l *lostRows) flush(ref wire.Ref, b *finals) {
	if b.count > 0 {
		l.r.record(journal.KindFinal, append(wire.AppendBatch(nil, ref, 0), b.samples...))
	}
	b.samples, b.count = b.samples[:0], 0
}

func (r *run) lostSample(p *phase, k, index int64) measure.Sample {
	session := p.firstSession + k
	m := measure.Sample{
		Index: index, Session: session, Turn: int32(index - r.corpus.EntriesBefore(session)),
		Phase: int32(p.Index), Attempt: 1, Status: measure.Lost,
		ScheduleOffset: measure.Absent, Intended: measure.Absent, Sent: measure.Absent, Headers: measure.Absent,
		FirstToken: measure.Absent, FirstOutput: measure.Absent, LastToken: measure.Absent, End: measure.Absent,
		InputTokens: -1, OutputTokens: -1, ReasoningTokens: -1, CachedTokens: -1,
	}
	if p.Kind == schedule.Open && m.Turn == 0 {
		offset := p.Offset(k)
		m.Intended, m.ScheduleOffset = p.base+offset, p.Nominal+offset
	}
	return m
}

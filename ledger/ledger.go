// Package ledger counts what becomes of a run's entries: planned, and one outcome
// each. It is the only place that counts. It has no clock, no
// goroutine and no I/O, measures nothing and knows no agents.
package ledger

import (
	"fmt"
	"iter"

	"github.com/stampede-bench/stampede/measure"
)

// Accounting is what became of a set of entries. At the end of a run Open is 0
// and Planned is the sum of the others.
type Accounting struct {
	Planned   int64 `json:"planned"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	TimedOut  int64 `json:"timed_out"`
	Cancelled int64 `json:"cancelled"`
	Unsent    int64 `json:"unsent"`
	Lost      int64 `json:"lost"`
	// Open is how many have no outcome yet.
	Open int64 `json:"-"`
}

// Add returns the sum of a and b.
func (a Accounting) Add(b Accounting) Accounting {
	a.Planned += b.Planned
	a.Succeeded += b.Succeeded
	a.Failed += b.Failed
	a.TimedOut += b.TimedOut
	a.Cancelled += b.Cancelled
	a.Unsent += b.Unsent
	a.Lost += b.Lost
	a.Open += b.Open
	return a
}

// Result says what Settle made of an outcome.
type Result uint8

// Only Fresh and Revived outcomes are to be measured.
const (
	// Fresh is the entry's first outcome.
	Fresh Result = iota
	// Duplicate repeats an outcome that is known.
	Duplicate
	// Revived is the outcome of an entry that was given up as lost.
	Revived
	// Late came after the ledger was sealed.
	Late
	// Unknown belongs to no planned entry.
	Unknown
)

// outcomes is how many values an entry's four bits can have; 0 is no outcome yet.
const outcomes = 16

// phase is a contiguous range of entries that is counted by itself.
type phase struct {
	id       int32
	from, to int64
	counts   [outcomes]int64 // by measure.Status; 0 is open
}

// Ledger holds four bits an entry, but for long stretches of the same outcome,
// which take nothing. One goroutine owns it.
type Ledger struct {
	pages  []page
	phases []phase
	sealed bool
}

// New returns an empty ledger.
func New() *Ledger { return &Ledger{} }

// Plan makes entries from to to-1 planned in phase id. A phase may grow at its
// end while it is the last one; phases come in ascending order, without gaps
// within one. Planning what is planned changes nothing.
func (l *Ledger) Plan(id int32, from, to int64) error {
	if from < 0 || to < from {
		return fmt.Errorf("plan entries %d to %d of phase %d: want 0 ≤ from ≤ to", from, to, id)
	}
	if l.sealed {
		return fmt.Errorf("plan entries %d to %d of phase %d: the ledger is sealed", from, to, id)
	}
	p := l.find(id)
	if p == nil {
		if n := len(l.phases); n > 0 && (l.phases[n-1].id > id || l.phases[n-1].to > from) {
			last := l.phases[n-1]
			return fmt.Errorf("plan entries from %d of phase %d: phase %d already reaches %d", from, id, last.id, last.to)
		}
		l.phases = append(l.phases, phase{id: id, from: from, to: from})
		p = &l.phases[len(l.phases)-1]
	}
	switch {
	case from < p.from || from > p.to:
		return fmt.Errorf("plan entries from %d of phase %d: it holds %d to %d, and grows only at its end", from, id, p.from, p.to)
	case to <= p.to:
		return nil
	case p != &l.phases[len(l.phases)-1]:
		return fmt.Errorf("plan entries to %d of phase %d: a later phase was planned", to, id)
	}
	p.counts[measure.StatusNone] += to - p.to
	p.to = to
	if n := pagesFor(to) - len(l.pages); n > 0 {
		l.pages = append(l.pages, make([]page, n)...)
	}
	return nil
}

// Status returns an entry's outcome, measure.StatusNone while it has none.
func (l *Ledger) Status(index int64) measure.Status {
	if l.phaseOf(index) == nil {
		return measure.StatusNone
	}
	return measure.Status(l.get(index))
}

// Settle gives an entry its outcome. The first one stays, except that any
// outcome takes the place of lost until the ledger is sealed.
func (l *Ledger) Settle(index int64, s measure.Status) Result {
	p := l.phaseOf(index)
	if p == nil || s == measure.StatusNone || s > measure.Lost {
		return Unknown
	}
	is := measure.Status(l.get(index))
	switch {
	case is != measure.StatusNone && is != measure.Lost, is == measure.Lost && s == measure.Lost:
		return Duplicate
	case l.sealed:
		return Late
	}
	l.move(p, index, s)
	if is == measure.Lost {
		return Revived
	}
	return Fresh
}

// SettleOpen gives all entries from from to to-1 that have no outcome and match
// the outcome s, and returns how many. All match when match is nil, which takes
// no time for entries that stand together. Lost stays provisional until Seal.
func (l *Ledger) SettleOpen(from, to int64, match func(index int64) bool, s measure.Status) int64 {
	if l.sealed || s == measure.StatusNone || s > measure.Lost {
		return 0
	}
	n := int64(0)
	for i := range l.phases {
		p := &l.phases[i]
		settled := int64(0)
		for begin, part := range l.parts(max(from, p.from), min(to, p.to)) {
			settled += part.settleOpen(begin, match, byte(s))
		}
		p.counts[measure.StatusNone] -= settled
		p.counts[s] += settled
		n += settled
	}
	return n
}

// Stretches yields the entries of a phase whose outcome is s, as stretches from
// from to to-1 in rising order, each as long as it can be.
func (l *Ledger) Stretches(id int32, s measure.Status) iter.Seq2[int64, int64] {
	return func(yield func(from, to int64) bool) {
		at, end := l.Range(id)
		for at < end {
			from := l.next(at, end, s, true)
			if at = l.next(from, end, s, false); from < end && !yield(from, at) {
				return
			}
		}
	}
}

// next is the first entry from from to to-1 whose outcome is s, or is not; to when
// there is none.
func (l *Ledger) next(from, to int64, s measure.Status, is bool) int64 {
	for begin, part := range l.parts(from, to) {
		if i := part.next(part.from, byte(s), is); i < part.to {
			return begin + int64(i)
		}
	}
	return max(from, to)
}

// Seal makes every count final.
func (l *Ledger) Seal() { l.sealed = true }

// Sealed reports whether Seal was called.
func (l *Ledger) Sealed() bool { return l.sealed }

// Phase returns the account of one phase.
func (l *Ledger) Phase(id int32) Accounting {
	p := l.find(id)
	if p == nil {
		return Accounting{}
	}
	return Accounting{
		Planned:   p.to - p.from,
		Succeeded: p.counts[measure.Succeeded], Failed: p.counts[measure.Failed],
		TimedOut: p.counts[measure.TimedOut], Cancelled: p.counts[measure.Cancelled],
		Unsent: p.counts[measure.Unsent], Lost: p.counts[measure.Lost],
		Open: p.counts[measure.StatusNone],
	}
}

// Sum returns the account of several phases together.
func (l *Ledger) Sum(ids ...int32) Accounting {
	var a Accounting
	for _, id := range ids {
		a = a.Add(l.Phase(id))
	}
	return a
}

// Range returns the entries of a phase, from the first to one past the last.
func (l *Ledger) Range(id int32) (from, to int64) {
	if p := l.find(id); p != nil {
		return p.from, p.to
	}
	return 0, 0
}

func (l *Ledger) find(id int32) *phase {
	for i := range l.phases {
		if l.phases[i].id == id {
			return &l.phases[i]
		}
	}
	return nil
}

func (l *Ledger) phaseOf(index int64) *phase {
	for i := range l.phases {
		if p := &l.phases[i]; index >= p.from && index < p.to {
			return p
		}
	}
	return nil
}

func (l *Ledger) move(p *phase, index int64, s measure.Status) {
	p.counts[l.get(index)]--
	p.counts[s]++
	l.pages[index/pageEntries].set(int(index%pageEntries), byte(s))
}

func (l *Ledger) get(index int64) byte {
	return l.pages[index/pageEntries].get(int(index % pageEntries))
}

package ledger

import (
	"github.com/stampede-bench/stampede/internal/snapshot"
	"github.com/stampede-bench/stampede/measure"
)

// Bounds of what a state may claim.
const (
	maxPhases = 1 << 20
	maxPages  = 1 << 24 // of 2^16 entries
)

// AppendState appends all that l holds, for RestoreState.
func (l *Ledger) AppendState(dst []byte) []byte {
	c := snapshot.Writer(dst)
	l.state(c)
	return c.Bytes()
}

// RestoreState makes l, which is new, what the Ledger was that wrote data. After
// an error l is not to be used.
func (l *Ledger) RestoreState(data []byte) error {
	c := snapshot.Reader(data)
	l.state(c)
	if err := c.End(); err != nil {
		return err
	}
	return l.consistent()
}

func (l *Ledger) state(c *snapshot.Codec) {
	c.Bool(&l.sealed)
	snapshot.Slice(c, &l.phases, maxPhases, func(p *phase) {
		c.Int32(&p.id)
		c.Int(&p.from)
		c.Int(&p.to)
	})
	snapshot.Slice(c, &l.pages, maxPages, func(p *page) { p.state(c) })
}

// state keeps a page whose entries are all alike, as most are, in a byte.
func (p *page) state(c *snapshot.Codec) {
	const mixed, none = 256, 257
	form := uint64(none)
	switch {
	case p.bits != nil:
		form = uint64(p.bits[0])
		for _, b := range p.bits {
			if uint64(b) != form {
				form = mixed
				break
			}
		}
	case p.all != 0:
		form = uint64(p.all) * 0x11
	}
	c.Uint(&form)
	if !c.Reading() {
		if form == mixed {
			c.Raw(p.bits[:])
		}
		return
	}
	switch {
	case form == none:
	case form == mixed:
		p.bits = new([pageEntries / 2]byte)
		c.Raw(p.bits[:])
	case form < mixed && form%0x11 == 0:
		p.all = byte(form / 0x11)
	default:
		c.Fail("a page in form %d", form)
	}
}

// consistent counts anew, and refuses phases that no Plan made.
func (l *Ledger) consistent() error {
	c := snapshot.Reader(nil)
	end := int64(0)
	for i := range l.phases {
		p := &l.phases[i]
		if p.from < end || p.to < p.from || p.to > int64(len(l.pages))*pageEntries || i > 0 && p.id <= l.phases[i-1].id {
			c.Fail("phase %d of entries %d to %d", p.id, p.from, p.to)
			return c.Err()
		}
		end = p.to
		for begin, part := range l.parts(p.from, p.to) {
			part.count(&p.counts)
			for s := measure.Lost + 1; s < outcomes; s++ {
				if p.counts[s] > 0 {
					c.Fail("entries from %d on with outcome %d", begin, s)
					return c.Err()
				}
			}
		}
	}
	return nil
}

// count adds up the outcomes.
func (p part) count(counts *[outcomes]int64) {
	if p.bits == nil {
		counts[p.all] += int64(p.to - p.from)
		return
	}
	for i := p.from; i < p.to; i++ {
		counts[p.get(i)]++
	}
}

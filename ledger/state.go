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
	snapshot.Slice(c, &l.pages, maxPages, func(p **page) { pageState(c, p) })
}

// pageState keeps a page whose entries are all alike, as most are, in a byte.
func pageState(c *snapshot.Codec, p **page) {
	const mixed, none = 256, 257
	form := uint64(none)
	if *p != nil {
		form = uint64((*p)[0])
		for _, b := range *p {
			if uint64(b) != form {
				form = mixed
				break
			}
		}
	}
	c.Uint(&form)
	if !c.Reading() {
		if form == mixed {
			c.Raw((*p)[:])
		}
		return
	}
	switch {
	case form == none:
	case form == mixed:
		*p = new(page)
		c.Raw((*p)[:])
	case form < mixed:
		*p = new(page)
		for i := range *p {
			(*p)[i] = byte(form)
		}
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
		for index := p.from; index < p.to; index++ {
			s := l.get(index)
			if s > byte(measure.Lost) {
				c.Fail("entry %d has outcome %d", index, s)
				return c.Err()
			}
			p.counts[s]++
		}
	}
	return nil
}

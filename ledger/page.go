package ledger

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// pageEntries is how many entries share a page.
const pageEntries = 1 << 16

// page is the outcomes of as many entries: four bits each in 32 KiB, or, without
// any, the one outcome that all of them have.
type page struct {
	bits *[pageEntries / 2]byte
	all  byte // while there are no bits
}

func pagesFor(entries int64) int { return int((entries + pageEntries - 1) / pageEntries) }

func (p *page) get(i int) byte {
	if p.bits == nil {
		return p.all
	}
	return p.bits[i/2] >> (i % 2 * 4) & 0xF
}

func (p *page) set(i int, outcome byte) {
	if p.bits == nil {
		p.spread()
	}
	b := &p.bits[i/2]
	shift := i % 2 * 4
	*b = *b&^(0xF<<shift) | outcome<<shift
}

// spread gives each entry its own bits.
func (p *page) spread() {
	p.bits = new([pageEntries / 2]byte)
	if p.all == 0 {
		return
	}
	for i := range p.bits {
		p.bits[i] = p.all * 0x11
	}
}

// part is the entries from from to to-1 of a page.
type part struct {
	*page
	from, to int
}

// parts yields the pages of a range of entries, each with the index of its first
// entry.
func (l *Ledger) parts(from, to int64) iter.Seq2[int64, part] {
	return func(yield func(int64, part) bool) {
		for from < to {
			n := from / pageEntries
			begin := n * pageEntries
			end := min(begin+pageEntries, to)
			if !yield(begin, part{&l.pages[n], int(from - begin), int(end - begin)}) {
				return
			}
			from = end
		}
	}
}

// settleOpen gives the entries that have no outcome and match another and returns
// how many. The page begins with entry begin.
func (p part) settleOpen(begin int64, match func(index int64) bool, outcome byte) (n int64) {
	switch whole := p.to-p.from == pageEntries; {
	case p.bits == nil && p.all != 0:
		return 0
	case p.bits == nil && whole && match == nil:
		p.all = outcome
		return pageEntries
	}
	for i := p.next(p.from, 0, true); i < p.to; i = p.next(i+1, 0, true) {
		if match == nil || match(begin+int64(i)) {
			p.set(i, outcome)
			n++
		}
	}
	return n
}

// next is the first entry from i on whose outcome is s, or is not; p.to when there
// is none.
func (p part) next(i int, s byte, is bool) int {
	if p.bits == nil {
		if (p.all == s) != is {
			return p.to
		}
		return min(i, p.to)
	}
	const ones = 0x1111111111111111
	for ; i < p.to; i = i&^15 + 16 {
		word := binary.LittleEndian.Uint64(p.bits[i&^15/2:]) ^ ones*uint64(s)
		other := word | word>>1
		found := (other | other>>2) & ones // a bit for each that is not s
		if is {
			found ^= ones
		}
		if found = found >> (i % 16 * 4); found != 0 {
			return min(i+bits.TrailingZeros64(found)/4, p.to)
		}
	}
	return p.to
}

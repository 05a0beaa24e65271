package measure

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/stampede-bench/stampede/internal/snapshot"
)

// AppendState appends all that s holds, for RestoreState.
func (s *Set) AppendState(dst []byte) []byte {
	c := snapshot.Writer(dst)
	s.state(c)
	return c.Bytes()
}

// RestoreState makes s, which is new, what the Set was that wrote data: whatever
// is folded into both then gives the same figures, to the bit. It is an error
// when that measured against another config; s is then not to be used.
func (s *Set) RestoreState(data []byte) error {
	c := snapshot.Reader(data)
	s.state(c)
	return c.End()
}

func (s *Set) state(c *snapshot.Codec) {
	mine := fmt.Sprintf("%+v", s.cfg)
	theirs := mine
	if c.Text(&theirs); theirs != mine {
		c.Fail("it measures against another config")
		return
	}
	for _, p := range s.phases {
		p.state(c)
	}
	s.timeline.state(c)
	c.Int(&s.beyond)
	for i := range s.live.seconds {
		c.Int(&s.live.seconds[i].number)
		c.Int(&s.live.seconds[i].tokens)
	}
	s.series.state(c)
	s.errors.state(c)
	s.agentsState(c)
	c.Int(&s.warmup)
}

func (p *phase) state(c *snapshot.Codec) {
	for i := range p.hists {
		snapshot.Optional(c, &p.hists[i], func(h *Histogram) { h.state(c, figures[i].scale, fullDigits) })
	}
	for _, n := range []*int64{
		&p.begin, &p.end, &p.firstSent, &p.lastSent, &p.lastToken, &p.lastEnd, &p.sent, &p.offered, &p.lastOffered, &p.succeeded,
		&p.inputTokens, &p.outputTokens, &p.failedTokens, &p.good, &p.onTime, &p.metTTFT, &p.metTPOT, &p.metE2,
		&p.askedGot, &p.asked, &p.kernelStamped, &p.answered, &p.coalesced, &p.detailShed,
	} {
		c.Int(n)
	}
	c.Float(&p.busyNanos)
	c.Int(&p.sends.width)
	snapshot.Slice(c, &p.sends.bins, maxLane, func(n *int32) { c.Int32(n) })
	positive(c, p.sends.width)
}

// positive refuses a width that nothing can be divided by.
func positive(c *snapshot.Codec, width int64) {
	if c.Err() == nil && (width < 1 || width > math.MaxInt64/maxBins) {
		c.Fail("bins of %d ns", width)
	}
}

func (h *Histogram) state(c *snapshot.Codec, s *scale, digits int) {
	h.scale, h.digits = s, digits
	for _, n := range []*int64{&h.count, &h.min, &h.max, &h.overflow} {
		c.Int(n)
	}
	for _, n := range []*uint64{&h.sums.high, &h.sums.low, &h.sums.squares[0], &h.sums.squares[1], &h.sums.squares[2]} {
		c.Uint(n)
	}
	there := h.hdr != nil
	c.Bool(&there)
	if !there {
		return
	}
	if h.hdr == nil {
		h.hdr = hdrhistogram.New(s.low, s.high, digits)
	}
	sparse(c, h.hdr.Export(), &h.hdr)
}

// sparse keeps the buckets that are not empty.
func sparse(c *snapshot.Codec, all *hdrhistogram.Snapshot, hdr **hdrhistogram.Histogram) {
	full := 0
	for _, n := range all.Counts {
		if n != 0 {
			full++
		}
	}
	full = c.Len(full, len(all.Counts))
	at := int64(-1)
	for range full {
		skip := int64(0)
		if !c.Reading() {
			for all.Counts[at+1+skip] == 0 {
				skip++
			}
		}
		c.Int(&skip)
		if at += 1 + skip; skip < 0 || at < 0 || at >= int64(len(all.Counts)) {
			c.Fail("a bucket beyond the bounds")
			return
		}
		if c.Int(&all.Counts[at]); all.Counts[at] <= 0 || all.Counts[at] > math.MaxInt64/2/int64(len(all.Counts)) {
			c.Fail("a bucket of %d values", all.Counts[at])
			return
		}
	}
	if c.Reading() {
		*hdr = hdrhistogram.Import(all)
	}
}

func (t *timeline) state(c *snapshot.Codec) {
	c.Int(&t.width)
	snapshot.Slice(c, &t.bins, maxBins, func(b *bin) {
		c.Int32(&b.tokens)
		c.Int32(&b.ended)
		c.Int32(&b.inputTokens)
		c.Int32(&b.flight)
	})
	positive(c, t.width)
}

func (s *series) state(c *snapshot.Codec) {
	c.Int(&s.width)
	snapshot.Slice(c, &s.points, maxPoints, func(p *point) {
		for _, n := range []*int64{&p.sent, &p.done, &p.failed, &p.tokens} {
			c.Int(n)
		}
		snapshot.Slice(c, &p.ttft.buckets, math.MaxUint16, func(b *bucket) {
			key, count := int64(b.key), uint64(b.count)
			c.Int(&key)
			c.Uint(&count)
			b.key, b.count = int16(key), uint32(count)
		})
	})
	positive(c, s.width)
}

func (e *errorGroups) state(c *snapshot.Codec) {
	snapshot.Slice(c, &e.groups, maxErrorKinds+1, func(g *ErrorGroup) {
		c.Text(&g.Kind)
		c.Int(&g.Count)
		c.Text(&g.Message)
		c.Int32(&g.HTTPStatus)
		c.Int(&g.Index)
		c.Int(&g.TimedOut)
		snapshot.Optional(c, &g.FirstSeen, c.Float)
	})
}

// maxAgents bounds how many agents a state may have.
const maxAgents = 1 << 20

func (s *Set) agentsState(c *snapshot.Codec) {
	names := slices.Sorted(maps.Keys(s.agents))
	snapshot.Slice(c, &names, maxAgents, func(name *string) {
		c.Text(name)
		s.agent(*name).state(c)
	})
}

func (a *agent) state(c *snapshot.Codec) {
	for _, n := range []*int64{
		&a.requests, &a.succeeded, &a.failed, &a.timedOut, &a.cancelled, &a.sent, &a.outputTokens, &a.answered, &a.kernelStamped,
	} {
		c.Int(n)
	}
	a.lateness.state(c, &nanoseconds, partDigits)
	a.readDelay.state(c, &nanoseconds, partDigits)
}

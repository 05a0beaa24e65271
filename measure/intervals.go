package measure

import "github.com/stampede-bench/stampede/measure/interval"

// Intervals gathers what the 95 % intervals of a run's figures are made of, in one
// more pass over its samples once its set is complete. They say how far a figure
// would move if this very run had gone on for as long again, and nothing of other
// runs. One goroutine owns it; its memory does not grow with the run.
//
// Requests are put into blocks by the index of their entry, which is the order in
// which they were intended; turns of one session stand together. Of a run with
// many requests a block holds several.
type Intervals struct {
	set    *Set
	spans  []*span
	trends []trend // by phase
}

// Span says which entries a scope has: those with an index from First to before
// End.
type Span struct {
	Scope      Scope
	First, End int64
}

// Blocks of one figure: as many as are of use, fewer where there are many spans.
const (
	mostBlocks  = 4096
	leastBlocks = 256
	allBlocks   = 1 << 16
)

// levels are the quantiles that get an interval, median first.
var levels = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p1", 0.01}, {"p5", 0.05}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}}

// span is one scope's blocks by figure.
type span struct {
	Span
	blocks  int64
	figures [figureCount]*blocks
}

// blocks are sums over consecutive requests, for one figure.
type blocks struct {
	hist     *Histogram
	requests int64
	weight   []uint32
	sum      []float64
	below    [][]uint32 // by level: values at or below it
	limits   []int64    // the levels' values
}

// Intervals prepares the intervals of some scopes. Every outcome of the run has
// been folded into s, and every window told.
func (s *Set) Intervals(spans []Span) *Intervals {
	iv := &Intervals{set: s, trends: make([]trend, len(s.phases))}
	for i, p := range s.phases {
		begin, end := p.window()
		iv.trends[i] = trend{begin: begin, end: end}
	}
	most := min(max(allBlocks/int64(max(len(spans), 1)), leastBlocks), mostBlocks)
	for _, sp := range spans {
		if sp.End > sp.First {
			iv.spans = append(iv.spans, &span{Span: sp, blocks: min(sp.End-sp.First, most)})
		}
	}
	return iv
}

// Fold takes a sample that the set was given, in any order, once.
func (iv *Intervals) Fold(x *Sample) {
	s := iv.set
	if s.phase(x.Phase) == nil || s.cfg.Phases[x.Phase].Warmup || x.Status == Unsent || x.Status == Lost || s.misplaced(x) {
		return
	}
	iv.trends[x.Phase].fold(x)
	if x.Status != Succeeded {
		return
	}
	for _, sp := range iv.spans {
		if sp.holds(x) {
			sp.fold(s, x)
		}
	}
}

func (sp *span) holds(x *Sample) bool {
	return (sp.Scope == Measured || sp.Scope == Scope(x.Phase)) && x.Index >= sp.First && x.Index < sp.End
}

func (sp *span) fold(s *Set, x *Sample) {
	at := int((x.Index - sp.First) * sp.blocks / (sp.End - sp.First))
	last := -1
	s.figuresOf(&s.cfg.Phases[x.Phase], x, func(i int, v, times int64) {
		b := sp.figures[i]
		if b == nil {
			b = newBlocks(s.Histogram(sp.Scope, figures[i].id), int(sp.blocks))
			sp.figures[i] = b
		}
		if i != last {
			b.requests++
			last = i
		}
		b.add(at, v, times)
	})
}

func newBlocks(h *Histogram, n int) *blocks {
	b := &blocks{hist: h, weight: make([]uint32, n), sum: make([]float64, n)}
	for _, l := range levels {
		limit, _ := h.Quantile(l.q)
		b.limits = append(b.limits, limit)
		b.below = append(b.below, make([]uint32, n))
	}
	return b
}

func (b *blocks) add(at int, v, times int64) {
	b.weight[at] += uint32(times)
	b.sum[at] += float64(v) * float64(times)
	for i, limit := range b.limits {
		if v <= limit {
			b.below[i][at] += uint32(times)
		}
	}
}

// Of returns the 95 % intervals of a figure over a scope, lower and upper end in
// its unit, by the name of the value; nil where there are none: the scope was not
// prepared, it is worth too few values, or load was building up in it.
func (iv *Intervals) Of(sc Scope, f Figure) map[string][2]float64 {
	if iv == nil || iv.builtUp(sc) {
		return nil
	}
	i := f.number()
	for _, sp := range iv.spans {
		if sp.Scope == sc && i >= 0 && sp.figures[i] != nil {
			return sp.figures[i].intervals()
		}
	}
	return nil
}

func (b *blocks) intervals() map[string][2]float64 {
	from, to := b.filled()
	part := func(counts []uint32) []float64 { return floats(counts[from:to]) }
	f, ok := interval.New(interval.Blocks{Requests: b.requests, Weight: part(b.weight), Sum: b.sum[from:to], Median: part(b.below[0])})
	if !ok {
		return nil
	}
	all := map[string][2]float64{}
	per := b.hist.scale.per
	if low, high, ok := f.Mean(); ok {
		all["mean"] = [2]float64{max(low, 0) / per, high / per}
	}
	for i, l := range levels {
		low, high, ok := f.Ranks(l.q, part(b.below[i]))
		if !ok {
			continue
		}
		all[l.name] = [2]float64{b.hist.rank(low) / per, b.hist.rank(high) / per}
	}
	return all
}

// filled are the blocks from the first to the last that hold anything: where a run
// was stopped, all that its plan held beyond are empty, and would count as batches
// that are alike.
func (b *blocks) filled() (from, to int) {
	to = len(b.weight)
	for from < to && b.weight[from] == 0 {
		from++
	}
	for to > from && b.weight[to-1] == 0 {
		to--
	}
	return from, to
}

func floats(counts []uint32) []float64 {
	all := make([]float64, len(counts))
	for i, n := range counts {
		all[i] = float64(n)
	}
	return all
}

// rank is the value of a rank, from 1.
func (h *Histogram) rank(k int64) float64 {
	v, _ := h.Quantile(float64(k) / float64(h.hdr.TotalCount()))
	return float64(v)
}

package measure

import (
	"errors"
	"math"
	"slices"
)

// Config says what a Set measures against.
type Config struct {
	// Phases in the run's order.
	Phases []PhaseInfo
	// SLO holds the objectives of one request.
	SLO SLO
	// TimeTolerance in nanoseconds: sent later than that is late.
	TimeTolerance int64
	// Streaming says whether replies are streamed: without, there is no ttft.
	Streaming bool
}

// PhaseInfo describes the warmup or a stage.
type PhaseInfo struct {
	Name   string
	Warmup bool
	Closed bool // closed loop: nothing is measured from the schedule
	Judged bool // its lateness is judged
}

// Set holds what was measured of one run: histograms and sums per phase, the time
// line, errors and agents. Each outcome is folded once. One goroutine owns it.
type Set struct {
	cfg      Config
	phases   []*phase
	timeline timeline
	beyond   int64 // instants before the anchor or beyond the horizon
	live     live
	series   series
	errors   errorGroups
	agents   map[string]*agent
	warmup   int64 // warmup requests that ended
}

// phase is what is kept of the warmup or a stage.
type phase struct {
	hists [figureCount]*Histogram

	begin, end          int64 // dispatch window; end 0 while it is not known
	firstSent, lastSent int64
	lastToken           int64 // of succeeded requests
	lastEnd             int64
	sent                int64
	// What the schedule offered: in open loop the first turns of sessions, else all.
	offered, lastOffered    int64
	sends                   lane // when
	succeeded               int64
	inputTokens             int64
	outputTokens            int64
	failedTokens            int64 // streamed by requests that did not succeed
	busyNanos               float64
	good, onTime            int64
	metTTFT, metTPOT, metE2 int64
	askedGot, asked         int64 // output tokens of requests that asked for a length
	kernelStamped, answered int64
	coalesced, detailShed   int64 // chunks, requests
}

// NewSet returns an empty set.
func NewSet(cfg Config) *Set {
	s := &Set{cfg: cfg, timeline: newTimeline(), series: newSeries(), agents: map[string]*agent{}}
	for range cfg.Phases {
		s.phases = append(s.phases, newPhase())
	}
	return s
}

func newPhase() *phase {
	return &phase{firstSent: Absent, lastSent: Absent, lastOffered: Absent, lastToken: Absent, lastEnd: Absent, sends: newLane()}
}

// Window tells the dispatch window of a phase, in nanoseconds since the anchor.
// end is 0 while it is not known.
func (s *Set) Window(index int32, begin, end int64) {
	if p := s.phase(index); p != nil {
		p.begin, p.end = begin, end
	}
}

func (s *Set) phase(index int32) *phase {
	if index < 0 || int(index) >= len(s.phases) {
		return nil
	}
	return s.phases[index]
}

// Fold takes one outcome of a request that the named agent observed. Warmup is
// counted and is in no figure.
func (s *Set) Fold(agentName string, x *Sample) {
	p := s.phase(x.Phase)
	switch {
	case p == nil || x.Status == StatusNone || x.Status == Unsent || x.Status == Lost:
		return
	case s.cfg.Phases[x.Phase].Warmup:
		s.warmup++
		s.live.fold(x)
		return
	case s.misplaced(x):
		s.beyond++
		return
	}
	s.live.fold(x)
	info := &s.cfg.Phases[x.Phase]
	s.agent(agentName).fold(x)
	s.foldSent(p, x)
	p.detailShed += one(x.DetailShed)
	if x.Status != Succeeded {
		s.foldFailed(p, x)
		return
	}
	s.foldTokens(p, x)
	s.foldFigures(p, info, x)
	s.judge(p, x)
}

// The time line reaches from a little before the anchor to a month behind it: one
// broken clock must not make its bins so wide that nothing can be told from them.
const (
	horizon = 31 * 24 * 3600 * 1_000_000_000
	early   = -60 * 1_000_000_000
)

// misplaced reports whether a request lies outside the time line.
func (s *Set) misplaced(x *Sample) bool {
	last := max(x.Sent, x.LastToken, x.End)
	if n := len(x.ChunkOffsets); n > 0 {
		last = max(last, x.Sent+slices.Max(x.ChunkOffsets))
	}
	return x.Sent != Absent && x.Sent < early || last > horizon
}

// foldSent takes what every request has that was sent.
func (s *Set) foldSent(p *phase, x *Sample) {
	if x.Sent == Absent {
		return
	}
	p.sent++
	if x.Turn == 0 || s.cfg.Phases[x.Phase].Closed {
		p.offered++
		p.sends.add(x.Sent, 1)
		p.lastOffered = max(p.lastOffered, x.Sent)
	}
	p.firstSent = earlier(p.firstSent, x.Sent)
	p.lastSent = max(p.lastSent, x.Sent)
	s.series.at(x.Sent).sent++
	if v, ok := x.Lateness(); ok {
		p.hist(iLateness).Record(v, 1)
	}
	if x.ConnectNanos > 0 {
		p.hist(iConnect).Record(x.ConnectNanos, 1)
	}
	if x.End != Absent {
		p.lastEnd = max(p.lastEnd, x.End)
		p.busyNanos += float64(x.End - x.Sent)
		s.timeline.edge(x.Sent).flight++
		s.timeline.edge(x.End).flight--
	}
}

func (s *Set) foldFailed(p *phase, x *Sample) {
	p.failedTokens += streamed(x)
	if x.Status != Failed && x.Status != TimedOut {
		return
	}
	s.errors.add(x)
	if x.End != Absent {
		s.series.at(x.End).failed++
	}
}

func (s *Set) foldTokens(p *phase, x *Sample) {
	p.succeeded++
	p.inputTokens += int64(max(x.InputTokens, 0))
	p.outputTokens += int64(max(x.OutputTokens, 0))
	if x.OutputTokensAsked > 0 && x.OutputTokens >= 0 {
		p.asked += int64(x.OutputTokensAsked)
		p.askedGot += int64(x.OutputTokens)
	}
	p.lastToken = max(p.lastToken, x.LastToken)
	s.foldArrivals(x)
	if x.End != Absent {
		b := s.timeline.at(x.End)
		b.ended++
		b.inputTokens += max(x.InputTokens, 0)
		s.series.at(x.End).done++
	}
	if v, ok := x.TTFT(); ok && s.cfg.Streaming {
		s.series.at(x.FirstToken).ttft.add(v, 1)
	}
}

// foldArrivals puts output tokens where they arrived. What was counted and came
// in no chunk, as silent reasoning, had been made by the first token. Where the
// detail was shed, they lie evenly between first and last.
func (s *Set) foldArrivals(x *Sample) {
	for i, offset := range x.ChunkOffsets {
		s.arrived(x.Sent+offset, x.chunkTokens(i))
	}
	unseen := x.OutputTokens - int32(min(streamed(x), math.MaxInt32))
	if unseen <= 0 || x.FirstToken == Absent || x.LastToken == Absent {
		return
	}
	if len(x.ChunkOffsets) > 0 {
		s.arrived(x.FirstToken, unseen)
		return
	}
	parts := min(unseen, evenParts)
	for i := range int64(parts) {
		at := x.FirstToken + (x.LastToken-x.FirstToken)/int64(max(parts-1, 1))*i
		s.arrived(at, int32((i+1)*int64(unseen)/int64(parts)-i*int64(unseen)/int64(parts)))
	}
}

// evenParts is into how many parts tokens without detail are dealt at most.
const evenParts = 256

func (s *Set) arrived(at int64, n int32) {
	s.timeline.at(at).tokens += n
	s.series.at(at).tokens += int64(n)
}

func (s *Set) judge(p *phase, x *Sample) {
	if v, ok := x.Lateness(); ok && v <= s.cfg.TimeTolerance {
		p.onTime++
	}
	ttft, tpot, e2e, all := s.cfg.SLO.Met(x, s.cfg.Streaming)
	p.metTTFT += one(ttft)
	p.metTPOT += one(tpot)
	p.metE2 += one(e2e)
	p.good += one(all)
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func earlier(a, b int64) int64 {
	if a == Absent || b != Absent && b < a {
		return b
	}
	return a
}

func (p *phase) hist(i int) *Histogram {
	if p.hists[i] == nil {
		p.hists[i] = newHistogram(figures[i].scale, fullDigits)
	}
	return p.hists[i]
}

// Merge adds o, which must have been made with the same config, and returns how
// many values could not be taken.
func (s *Set) Merge(o *Set) (dropped int64, err error) {
	if !slices.Equal(s.cfg.Phases, o.cfg.Phases) || s.cfg.SLO != o.cfg.SLO || s.cfg.TimeTolerance != o.cfg.TimeTolerance || s.cfg.Streaming != o.cfg.Streaming {
		return 0, errors.New("merge sets: they measure against different configs")
	}
	for i, p := range s.phases {
		n, err := p.merge(o.phases[i])
		if dropped += n; err != nil {
			return dropped, err
		}
	}
	s.timeline.merge(&o.timeline)
	s.series.merge(&o.series)
	s.errors.merge(&o.errors)
	for name, a := range o.agents {
		n, err := s.agent(name).merge(a)
		if dropped += n; err != nil {
			return dropped, err
		}
	}
	s.warmup += o.warmup
	s.beyond += o.beyond
	s.live.merge(&o.live)
	return dropped, nil
}

func (p *phase) merge(o *phase) (dropped int64, err error) {
	for i, h := range o.hists {
		if h == nil {
			continue
		}
		n, err := p.hist(i).Merge(h)
		if dropped += n; err != nil {
			return dropped, err
		}
	}
	if o.begin != 0 || o.end != 0 {
		p.begin, p.end = o.begin, o.end
	}
	p.add(o)
	p.sends.merge(&o.sends)
	return dropped, nil
}

// add adds o's sums, leaving histograms, sends and window alone.
func (p *phase) add(o *phase) {
	p.firstSent = earlier(p.firstSent, o.firstSent)
	p.lastSent, p.lastToken, p.lastEnd = max(p.lastSent, o.lastSent), max(p.lastToken, o.lastToken), max(p.lastEnd, o.lastEnd)
	p.lastOffered = max(p.lastOffered, o.lastOffered)
	p.sent += o.sent
	p.offered += o.offered
	p.succeeded += o.succeeded
	p.inputTokens += o.inputTokens
	p.outputTokens += o.outputTokens
	p.failedTokens += o.failedTokens
	p.busyNanos += o.busyNanos
	p.good += o.good
	p.onTime += o.onTime
	p.metTTFT += o.metTTFT
	p.metTPOT += o.metTPOT
	p.metE2 += o.metE2
	p.asked += o.asked
	p.askedGot += o.askedGot
	p.kernelStamped += o.kernelStamped
	p.answered += o.answered
	p.coalesced += o.coalesced
	p.detailShed += o.detailShed
}

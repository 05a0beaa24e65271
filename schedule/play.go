package schedule

import (
	"sort"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// Play is what a run sends of a corpus: a replay begins where its stage says, all
// other stages take the sessions in turn. Sessions of the result are numbered as
// in the run. Playing what is played already changes nothing.
func (p *Plan) Play(c dataset.Corpus) dataset.Corpus {
	if c == nil || !p.replays() {
		return c
	}
	if _, done := c.(*played); done {
		return c
	}
	out := &played{Corpus: c}
	taken := int64(0) // of the corpus, in turn
	for _, phase := range p.Phases {
		s := segment{first: out.end, before: out.entries, from: taken}
		if phase.replays {
			s.from, s.round = phase.from, phase.round
		}
		out.segments = append(out.segments, s)
		if phase.Sessions == Unbounded || phase.Kind == Closed && phase.Duration > 0 {
			return out // nothing behind it replays
		}
		if !phase.replays {
			taken += phase.Sessions
		}
		out.end += phase.Sessions
		out.entries += s.entries(c, phase.Sessions)
	}
	out.segments = append(out.segments, segment{first: out.end, before: out.entries, from: taken})
	return out
}

func (p *Plan) replays() bool {
	for _, phase := range p.Phases {
		if phase.replays {
			return true
		}
	}
	return false
}

// segment is a stretch of a run's sessions that lie side by side in the corpus,
// or go round in a part of it.
type segment struct {
	first  int64 // session of the run
	before int64 // entries of the run before it
	from   int64 // session of the corpus
	round  int64 // sessions until it begins again at from; 0: never
}

// session is the corpus's for the k-th of the segment. Another round is another
// round of the corpus, of size sessions, which wraps round.
func (s segment) session(k, size int64) int64 {
	if s.round == 0 {
		return s.from + k
	}
	return s.from + k%s.round + k/s.round*size
}

// entries is the number of turns in the first k sessions of the segment.
func (s segment) entries(c dataset.Corpus, k int64) int64 {
	base := c.EntriesBefore(s.from)
	if s.round == 0 {
		return c.EntriesBefore(s.from+k) - base
	}
	whole := c.EntriesBefore(s.from+s.round) - base
	return k/s.round*whole + c.EntriesBefore(s.from+k%s.round) - base
}

// played is a corpus in the order of a run.
type played struct {
	dataset.Corpus
	segments     []segment
	end, entries int64 // of the segments before the last
}

func (p *played) of(i int64) (segment, int64) {
	n := sort.Search(len(p.segments)-1, func(j int) bool { return p.segments[j+1].first > i })
	s := p.segments[n]
	return s, i - s.first
}

func (p *played) Turns(i int64) int {
	s, k := p.of(i)
	return p.Corpus.Turns(s.session(k, p.Len()))
}

func (p *played) Session(i int64) (dataset.Session, error) {
	s, k := p.of(i)
	session, err := p.Corpus.Session(s.session(k, p.Len()))
	session.Index = i
	return session, err
}

func (p *played) EntriesBefore(i int64) int64 {
	s, k := p.of(i)
	return s.before + s.entries(p.Corpus, k)
}

func (p *played) Offset(i int64) int64 {
	s, k := p.of(i)
	return p.Corpus.Offset(s.session(k, p.Len()))
}

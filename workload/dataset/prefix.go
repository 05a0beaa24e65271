package dataset

import (
	"fmt"
	"math"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// sharedPrefix says what synthetic prompts begin with in common.
type sharedPrefix struct {
	groups int64
	pick   draw.Stream // of group and share
	text   draw.Stream // one sequence a group

	lengths workload.Dist // of a group's beginning
	draws   draw.Stream
	share   float64

	hitRate float64 // above 0: lengths follow from it
	block   int
}

func newSharedPrefix(spec *workload.Spec) (*sharedPrefix, error) {
	p := spec.Dataset.Prefix
	if p == nil {
		return nil, nil
	}
	s := &sharedPrefix{
		groups: int64(max(p.Groups, 1)), share: 1, block: max(p.BlockTokens, 1),
		pick:  draw.NewStream(spec.Seed, "prefix group", 0),
		text:  draw.NewStream(spec.Seed, "prefix words", 0),
		draws: draw.NewStream(spec.Seed, "prefix tokens", 0),
	}
	if p.HitRate != nil {
		s.hitRate = *p.HitRate
		return s, nil
	}
	if p.Share != nil {
		s.share = *p.Share
	}
	var err error
	if s.lengths, err = workload.ParseDist(p.Tokens); err != nil {
		return nil, fmt.Errorf("dataset.prefix.tokens: %w", err)
	}
	return s, nil
}

// at is what session i shares with others, and how many tokens are its own. tokens
// are those of the prompt: without the beginning where that has a length of its
// own, with it where a rate of hits is wanted.
func (s *sharedPrefix) at(i int64, tokens int) (shared piece, own int) {
	group := int64(s.pick.Uniform(i, 0) * float64(s.groups))
	group = min(group, s.groups-1)
	shared.draws = s.text.Sequence(group)
	if s.hitRate > 0 {
		shared.tokens = s.wanted(i, tokens)
		return shared, tokens - shared.tokens
	}
	if s.pick.Uniform(i, 1) <= s.share && s.lengths.Kind != "" {
		shared.tokens = lengthAt(s.lengths, s.draws, group, 0)
	}
	return shared, tokens
}

// wanted is how much of a prompt has to be shared for the rate of hits: whole
// blocks, of which one more or less comes by chance, so that the mean is right. The
// last token of a prompt is never served by a cache.
func (s *sharedPrefix) wanted(i int64, tokens int) int {
	blocks := s.hitRate * float64(tokens) / float64(s.block)
	whole := math.Floor(blocks)
	if s.pick.Uniform(i, 2) <= blocks-whole {
		whole++
	}
	most := max(tokens-1, 0) / s.block
	return min(int(whole), most) * s.block
}

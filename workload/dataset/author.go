package dataset

import (
	"math"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// author writes prompts for turns of which only lengths were recorded: blocks of
// the same id read the same, everything else is the turn's own.
type author struct {
	smith  wordsmith
	text   draw.Stream
	blocks draw.Stream
	// nonce stands before all else and stays out of the hash; nil unless the run
	// is to make prompts unique.
	nonce  *draw.Stream
	nonces int
}

func newAuthor(spec *workload.Spec, o Options) (*author, error) {
	lengths := *spec
	if lengths.Dataset.TokensPerWord == nil {
		perWord := TokensPerWord // of the list, not of people's texts
		lengths.Dataset.TokensPerWord = &perWord
	}
	smith, err := newWordsmith(&lengths, o.Tokens)
	if err != nil {
		return nil, err
	}
	a := &author{
		smith:  smith,
		text:   draw.NewStream(spec.Seed, "words of a recording", 0),
		blocks: draw.NewStream(spec.Seed, "blocks of a recording", 0),
		nonces: int(math.Ceil(nonceWords * perWord(&lengths))),
	}
	if spec.Dataset.Nonce == "run" {
		run := draw.NewStream(spec.Seed, "nonce of run "+o.RunID, int64(o.Trial))
		a.nonce = &run
	}
	return a, nil
}

// fill writes what the turns of session i lack, in the round-th use of the data:
// rounds share nothing. volatile is how much of the first message is the run's.
func (a *author) fill(i, round int64, turns []Turn) (volatile int) {
	for t := range turns {
		turn := &turns[t]
		if len(turn.Messages) > 0 {
			continue
		}
		own := turn.InputTokens
		if t > 0 {
			before := &turns[t-1-turn.Skip]
			own -= before.InputTokens + before.OutputTokens
		}
		text, first := a.smith.text(a.pieces(i, round, t, max(own, 1), turn)...)
		turn.Messages = []Message{{Role: RoleUser, Content: text}}
		if t == 0 && a.nonce != nil {
			volatile = first
		}
	}
	return volatile
}

// pieces are the blocks of a turn, the last cut off where the turn ends, and its
// own words for what they leave.
func (a *author) pieces(i, round int64, t, tokens int, turn *Turn) []piece {
	pieces := make([]piece, 0, len(turn.Blocks)+2)
	skip := 0
	if a.nonce != nil && t == 0 {
		// Prompts that begin alike go on doing so within the run.
		skip = min(a.nonces, tokens)
		sequence := int64(-1)
		if len(turn.Blocks) == 0 {
			sequence = i
		}
		pieces = append(pieces, piece{a.nonce.Sequence(sequence), skip})
		tokens -= skip
	}
	for _, id := range turn.Blocks {
		n := min(max(turn.BlockTokens-skip, 0), tokens)
		skip = max(0, skip-turn.BlockTokens)
		pieces = append(pieces, piece{a.blocks.Sequence(mixed(id, round)), n})
		tokens -= n
	}
	if tokens > 0 || len(pieces) == 0 {
		pieces = append(pieces, piece{a.text.Sequence(mixed(i*maxTurnsDrawn+int64(t), round)), tokens})
	}
	return pieces
}

// mixed makes one number of two, so that other pairs hardly ever give the same.
func mixed(id, round int64) int64 { return id ^ int64(uint64(round)*0x9e3779b97f4a7c15) }

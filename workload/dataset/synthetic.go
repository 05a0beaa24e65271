package dataset

import (
	"fmt"
	"math"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// nonceWords stand at the start of what is a synthetic prompt's own: enough that
// no two begin alike, few enough for the shortest block of a prefix cache.
const nonceWords = 5

// synthetic makes prompts of random words, without end. Lengths and words are
// drawn by (seed, i); the nonce also by the trial or by the run, so that a
// prompt is the same length in each of them but never cached.
type synthetic struct {
	input   workload.Dist
	lengths draw.Stream
	text    draw.Stream
	nonce   draw.Stream
	nonces  int // tokens of the nonce
	// runNonce stands before all else and stays out of the hash; nil unless it is
	// the run that makes prompts unique.
	runNonce *draw.Stream
	smith    wordsmith
	output   output
	prefix   *sharedPrefix // nil: none
	media    *media        // nil: none
	batch    *batch        // nil: one text a request
	chat     *chat         // nil: one turn
}

func newSynthetic(spec *workload.Spec, out output, o Options) (*synthetic, error) {
	var err error
	if spec.Endpoint.Generates() {
		if out, err = replyLengths(out); err != nil {
			return nil, err
		}
	}
	smith, err := newWordsmith(spec, o.Tokens)
	if err != nil {
		return nil, err
	}
	s := &synthetic{
		lengths: draw.NewStream(spec.Seed, "input tokens", 0),
		text:    draw.NewStream(spec.Seed, "words", 0),
		nonce:   draw.NewStream(spec.Seed, "nonce", int64(o.Trial)),
		nonces:  int(math.Ceil(nonceWords * perWord(spec))),
		smith:   smith,
		output:  out,
		media:   newMedia(spec),
		batch:   newBatch(spec),
	}
	if s.input, err = lengthsOf("dataset.input_tokens", spec.Dataset.InputTokens, workload.DefaultInputTokens); err != nil {
		return nil, err
	}
	switch spec.Dataset.Nonce {
	case "", "seed":
	case "run":
		run := draw.NewStream(spec.Seed, "nonce of run "+o.RunID, int64(o.Trial))
		s.runNonce = &run
	case "none":
		s.nonces = 0
	default:
		return nil, fmt.Errorf("dataset.nonce: must be seed, run or none, got %q", spec.Dataset.Nonce)
	}
	if s.prefix, err = newSharedPrefix(spec); err != nil {
		return nil, err
	}
	if s.chat, err = newChat(spec); err != nil {
		return nil, err
	}
	return s, nil
}

// replyLengths asks for the usual length where nothing else is said.
func replyLengths(out output) (output, error) {
	var err error
	switch {
	case out.given():
	case out.most > 0:
		out.dist = workload.Dist{Kind: workload.DistFixed, A: float64(out.most)}
	default:
		out.dist, err = workload.ParseDist(workload.DefaultOutputTokens)
	}
	return out, err
}

func lengthsOf(key, text, usual string) (workload.Dist, error) {
	if text == "" {
		text = usual
	}
	d, err := workload.ParseDist(text)
	if err != nil {
		return d, fmt.Errorf("%s: %w", key, err)
	}
	return d, nil
}

func (s *synthetic) Len() int64         { return -1 }
func (s *synthetic) Offset(int64) int64 { return -1 }

func (s *synthetic) Turns(i int64) int {
	if s.chat == nil {
		return 1
	}
	return s.chat.turns.at(i)
}

func (s *synthetic) EntriesBefore(i int64) int64 {
	if s.chat == nil {
		return i
	}
	return s.chat.turns.before(i)
}

func (s *synthetic) Session(i int64) (Session, error) {
	session := Session{Index: i, OffsetNanos: -1, Turns: make([]Turn, 1, s.Turns(i))}
	tokens := lengthAt(s.input, s.lengths, i, 0)
	var text string
	text, tokens, session.volatile = s.prompt(i, tokens)
	session.Turns[0] = Turn{
		Messages:     []Message{{Role: RoleUser, Content: text, Media: s.media.parts(i, 0)}},
		InputTokens:  tokens,
		OutputTokens: s.output.at(i, 0),
		OffsetNanos:  -1,
	}
	if s.batch != nil {
		session.Turns[0].OutputTokens = 0 // what comes is no tokens
		s.fillBatch(i, &session.Turns[0])
	}
	for t := 1; t < cap(session.Turns); t++ {
		session.Turns = append(session.Turns, s.follow(i, t, &session.Turns[t-1]))
	}
	return session, nil
}

// prompt writes the first message of session i: the run's nonce, what it shares
// with others, its own nonce, its own words. tokens are without the beginning that
// is added to them; all is their number with it.
func (s *synthetic) prompt(i int64, tokens int) (text string, all, volatile int) {
	var shared piece
	own := tokens
	if s.prefix != nil {
		shared, own = s.prefix.at(i, tokens)
	}
	var pieces []piece
	all = shared.tokens + own
	left := all
	add := func(sequence draw.Sequence, n int) {
		n = min(n, left)
		pieces = append(pieces, piece{sequence, n})
		left -= n
	}
	if s.runNonce != nil {
		// Sessions that share a beginning share its nonce.
		n := i
		if shared.tokens > 0 {
			n = -1
			shared.tokens = max(0, shared.tokens-s.nonces)
		}
		add(s.runNonce.Sequence(n), s.nonces)
	}
	if s.prefix != nil {
		add(shared.draws, shared.tokens)
	}
	if s.runNonce == nil || s.prefix != nil {
		add(s.nonce.Sequence(i), s.nonces)
	}
	add(s.text.Sequence(i), left)
	text, first := s.smith.text(pieces...)
	if s.runNonce != nil {
		volatile = first
	}
	return text, all, volatile
}

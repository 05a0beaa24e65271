package dataset

import (
	"fmt"
	"math"
	"sync"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// chat says how synthetic conversations go on after their first turn.
type chat struct {
	turns turnCounts
	input workload.Dist
	draws draw.Stream
	text  draw.Stream
	pause *workload.Pause // nil: as long as typing takes
	waits draw.Stream
}

func newChat(spec *workload.Spec) (*chat, error) {
	c := spec.Dataset.Chat
	if c == nil {
		return nil, nil
	}
	turns, err := lengthsOf("dataset.chat.turns", c.Turns, "1")
	if err != nil {
		return nil, err
	}
	out := &chat{
		turns: turnCounts{dist: turns, draws: draw.NewStream(spec.Seed, "turns", 0)},
		draws: draw.NewStream(spec.Seed, "input tokens of later turns", 0),
		text:  draw.NewStream(spec.Seed, "words of later turns", 0),
		waits: draw.NewStream(spec.Seed, "think time", 0),
	}
	usual := workload.DefaultInputTokens
	if spec.Dataset.InputTokens != "" {
		usual = spec.Dataset.InputTokens
	}
	if out.input, err = lengthsOf("dataset.chat.input_tokens", c.InputTokens, usual); err != nil {
		return nil, err
	}
	if c.ThinkTime != "" {
		pause, err := workload.ParsePause(c.ThinkTime)
		if err != nil {
			return nil, fmt.Errorf("dataset.chat.think_time: %w", err)
		}
		out.pause = &pause
	}
	return out, nil
}

// maxTurnsDrawn bounds what a distribution of turns may draw.
const maxTurnsDrawn = 10_000

// follow is turn t of session i, which comes after another.
func (s *synthetic) follow(i int64, t int, before *Turn) Turn {
	c := s.chat
	own := lengthAt(c.input, c.draws, i, uint64(t))
	// Far enough apart that no two turns draw the same words.
	text, _ := s.smith.text(piece{c.text.Sequence(i*maxTurnsDrawn + int64(t)), own})
	turn := Turn{
		Messages:     []Message{{Role: RoleUser, Content: text, Media: s.media.parts(i, t)}},
		InputTokens:  before.InputTokens + before.OutputTokens + own,
		OutputTokens: s.output.at(i, t),
		OffsetNanos:  -1,
	}
	if c.pause != nil {
		n := uint64(t)
		turn.ThinkNanos = int64(c.pause.At(1-c.waits.Uniform(i, 2*n), 1-c.waits.Uniform(i, 2*n+1)))
		if turn.ThinkNanos == 0 {
			turn.ThinkNanos = -1
		}
	}
	return turn
}

// turnCounts are the numbers of turns of sessions without end. It is safe for
// concurrent use.
type turnCounts struct {
	dist  workload.Dist
	draws draw.Stream

	mu   sync.Mutex
	sums []int64 // turns before each stretch of sessions
}

// stretch is how many sessions lie between two sums that are kept.
const stretch = 1024

func (c *turnCounts) at(i int64) int {
	return min(lengthAt(c.dist, c.draws, i, 0), maxTurnsDrawn)
}

// before is the number of turns in sessions 0 to i-1.
func (c *turnCounts) before(i int64) int64 {
	if c.dist.Kind == workload.DistFixed {
		return i * int64(c.at(0))
	}
	from := i / stretch
	sum := c.sum(from)
	for k := from * stretch; k < i; k++ {
		sum += int64(c.at(k))
	}
	return sum
}

// sum is the number of turns before a stretch.
func (c *turnCounts) sum(of int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sums == nil {
		c.sums = []int64{0}
	}
	for n := int64(len(c.sums)); n <= of && n < math.MaxInt64/stretch; n++ {
		sum := c.sums[n-1]
		for k := (n - 1) * stretch; k < n*stretch; k++ {
			sum += int64(c.at(k))
		}
		c.sums = append(c.sums, sum)
	}
	return c.sums[of]
}

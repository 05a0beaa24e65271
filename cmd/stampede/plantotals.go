package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/internal/plural"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

const (
	// sampled is how many sessions stand for those of a load that only time ends.
	sampled = 1000
	// hitTokens is how much input is looked at to tell what a prefix cache serves.
	hitTokens = 20_000_000
)

// outlook is what is known of a load before anything was sent.
type outlook struct {
	sessions       int64
	turns, in, out []int64
	counted        bool // input tokens are those of words, near enough
	open           bool // a closed loop ends by time: sampled sessions stand for it
}

// lookOut builds all sessions of the stages, or some where nobody knows how many
// there will be.
func lookOut(spec *workload.Spec, p *schedule.Plan, corpus dataset.Corpus) (outlook, error) {
	var o outlook
	perWord := wordFactor(spec, dataset.TokensPerTextWord)
	first := int64(0)
	for _, ph := range p.Phases {
		n := ph.Sessions
		if n == schedule.Unbounded {
			n, o.open = sampled, true
		}
		for i := first; i < first+n && !ph.Warmup; i++ {
			if err := o.add(corpus, i, perWord); err != nil {
				return o, err
			}
		}
		if ph.Sessions == schedule.Unbounded {
			break
		}
		first += n
	}
	return o, nil
}

// wordFactor is the spec's tokens a word, or else the usual.
func wordFactor(spec *workload.Spec, usual float64) float64 {
	if f := spec.Dataset.TokensPerWord; f != nil && *f > 0 {
		return *f
	}
	return usual
}

func (o *outlook) add(corpus dataset.Corpus, i int64, perWord float64) error {
	s, err := corpus.Session(i)
	if err != nil {
		return err
	}
	o.sessions++
	o.turns = append(o.turns, int64(len(s.Turns)))
	prompts := make([]int64, len(s.Turns))
	for t := range s.Turns {
		turn := &s.Turns[t]
		if prompts[t] = int64(turn.InputTokens); prompts[t] == 0 {
			o.counted = true
			words := 0
			for _, m := range turn.Messages {
				words += len(strings.Fields(m.Content))
			}
			prompts[t] = int64(math.Round(float64(words) * perWord))
			if branch := dataset.Branch(s.Turns, t); len(branch) > 1 {
				before := branch[len(branch)-2]
				prompts[t] += prompts[before] + int64(s.Turns[before].OutputTokens)
			}
		}
		o.in = append(o.in, prompts[t])
		o.out = append(o.out, int64(turn.OutputTokens))
	}
	return nil
}

// planTotals prints what is known before anything was sent.
func planTotals(w io.Writer, spec *workload.Spec, p *schedule.Plan, corpus dataset.Corpus) error {
	o, err := lookOut(spec, p, corpus)
	if err != nil || o.sessions == 0 {
		return err
	}
	if o.open {
		fmt.Fprintf(w, "a closed loop sends as many as the endpoint answers; this is of %s\n", plural.Of(o.sessions, "session"))
	}
	fmt.Fprintf(w, "requests %d%s\n", len(o.in), turnsText(&o))
	about := ""
	if o.counted {
		about = "about "
	}
	fmt.Fprintf(w, "input tokens  %s%s\n", about, lengthsText(o.in))
	if !spec.Endpoint.Generates() {
		return nil // an answer without tokens, from a server without a prefix cache
	}
	fmt.Fprintf(w, "output tokens %s (asked)\n", lengthsText(o.out))
	return planHits(w, spec, corpus, &o)
}

// turnsText says what sessions are like when some have several turns.
func turnsText(o *outlook) string {
	most := slices.Max(o.turns)
	switch {
	case most == 1:
		return ""
	case most == slices.Min(o.turns):
		return fmt.Sprintf(" in %s of %d turns each", plural.Of(o.sessions, "session"), most)
	}
	return fmt.Sprintf(" in %d sessions of %d to %d turns, %.3g on average", o.sessions, slices.Min(o.turns), most, float64(len(o.in))/float64(o.sessions))
}

// lengthsText shows a distribution in a line.
func lengthsText(v []int64) string {
	slices.Sort(v)
	sum := int64(0)
	for _, n := range v {
		sum += n
	}
	at := func(q float64) int64 { return v[max(int(math.Ceil(q*float64(len(v))))-1, 0)] }
	if v[0] == v[len(v)-1] {
		return fmt.Sprintf("%d · %d each", sum, v[0])
	}
	return fmt.Sprintf("%d · mean %.4g, min %d, p50 %d, p90 %d, p99 %d, max %d", sum, float64(sum)/float64(len(v)), v[0], at(0.5), at(0.9), at(0.99), v[len(v)-1])
}

// planHits says what a server's prefix cache would serve, when prompts share
// something on purpose.
func planHits(w io.Writer, spec *workload.Spec, corpus dataset.Corpus, o *outlook) error {
	if !dataset.Shares(spec, corpus) {
		return nil
	}
	block := 16
	wanted := ""
	if p := spec.Dataset.Prefix; p != nil && p.HitRate != nil {
		block = p.BlockTokens
		wanted = fmt.Sprintf(", %.1f %% wanted", 100**p.HitRate)
	}
	usual := dataset.TokensPerWord
	if o.counted {
		usual = dataset.TokensPerTextWord
	}
	hits, err := dataset.ExpectedHits(corpus, 0, o.sessions, block, wordFactor(spec, usual), hitTokens)
	if err != nil {
		return err
	}
	of := ""
	if hits.Entries < int64(len(o.in)) {
		of = "; of the first " + plural.Of(hits.Entries, "request")
	}
	fmt.Fprintf(w, "a prefix cache would serve %.1f %% of input tokens%s (blocks of %d tokens, nothing forgotten%s)\n", 100*hits.Rate(), wanted, block, of)
	return nil
}

package agent

import (
	"context"
	_ "embed" // for the prose
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// calibrationWords are the lengths of the prompts that a calibration sends,
// shortest first: a server with a short context still answers enough of them.
var calibrationWords = []int{20, 40, 80, 160, 320}

const (
	// calibrateTimeout bounds all requests of a calibration together.
	calibrateTimeout = 25 * time.Second
	// calibrationLeast is how many answers with usage a slope is taken from.
	calibrationLeast = 3
	// No tokenizer in use makes fewer or more tokens of a common word.
	slopeLeast, slopeMost = 0.3, 5
	// A point is on the line when it is off by no more than this share of it, or
	// by calibrationSlack tokens.
	calibrationOff   = 0.05
	calibrationSlack = 3
)

//go:embed prose.txt
var prose string

// lengthPoint is one prompt: how many words were sent, how many tokens of input
// the endpoint counted.
type lengthPoint struct{ words, tokens int }

// calibrate measures how many tokens the endpoint counts for a word. A failure is
// a remark: the usual factor does then.
func (p *probe) calibrate(ctx context.Context, e workload.Endpoint) error {
	sampling := p.spec.Sampling
	one := 1
	sampling.MaxTokens, sampling.N, sampling.IgnoreEOS = &one, nil, nil
	client, end, err := p.client(e, sampling)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, calibrateTimeout)
	defer cancel()
	points, last := p.measureLengths(ctx, client)
	factor, problem := tokensPerWord(points)
	if problem != "" {
		if last != nil {
			problem += fmt.Sprintf("; the last request failed: %v", last)
		}
		p.notice("calibration did not work, the usual factor is used: %s", problem)
		return nil
	}
	p.result.TokensPerWord = factor
	p.notice("calibrated: %.3g tokens a word, by the usage of %d prompts", factor, len(points))
	return nil
}

// measureLengths sends the prompts one after another and returns what was
// counted, and the last failure.
func (p *probe) measureLengths(ctx context.Context, client prober) (points []lengthPoint, last error) {
	for i, n := range calibrationWords {
		text, err := p.calibrationText(i, n)
		if err != nil {
			return points, err
		}
		var x *measure.Exchange
		err = p.persist(ctx, "", func(ctx context.Context, try int) (err error) {
			x, err = client.Do(ctx, target.Input{
				ID: fmt.Sprintf("%s-calibrate-%d", p.result.GetRunId(), i+1), Attempt: try,
				Messages:     []dataset.Message{{Role: "user", Content: text}},
				OutputTokens: 1,
			})
			return err
		})
		if err != nil {
			last = err
		}
		if x != nil && x.HTTPStatus == 200 && x.Usage.Input >= 0 {
			points = append(points, lengthPoint{words: n, tokens: int(x.Usage.Input)})
		}
	}
	return points, last
}

// calibrationText is a prompt of n words of the kind that the run will send: of
// the synthetic vocabulary, or prose where people's texts are sent. It shares no
// beginning with a prompt of the run.
func (p *probe) calibrationText(i, n int) (string, error) {
	if !p.spec.Dataset.Writes() {
		words := strings.Fields(prose)
		text := make([]string, n)
		for j := range text {
			text[j] = words[j%len(words)]
		}
		return strings.Join(text, " "), nil
	}
	one := 1.0
	s := workload.Spec{Seed: p.spec.Seed, Dataset: workload.Dataset{
		Name: workload.DatasetSynthetic, InputTokens: fmt.Sprint(n), OutputTokens: "1", Nonce: "run", TokensPerWord: &one,
	}}
	corpus, _, err := dataset.Open(&s, "", nil, dataset.Options{RunID: p.result.GetRunId() + "-calibrate"})
	if err != nil {
		return "", fmt.Errorf("calibrate: %w", err)
	}
	session, err := corpus.Session(int64(i))
	if err != nil {
		return "", fmt.Errorf("calibrate: %w", err)
	}
	return session.Turns[0].Messages[0].Content, nil
}

// tokensPerWord is the slope of tokens over words by Theil and Sen, the median of
// the slopes of all pairs: what a template adds to each prompt drops out, and one
// odd count in five changes nothing. problem says why there is none.
func tokensPerWord(points []lengthPoint) (slope float64, problem string) {
	if len(points) < calibrationLeast {
		return 0, fmt.Sprintf("%d of %d answers came with usage, %d are needed", len(points), len(calibrationWords), calibrationLeast)
	}
	var slopes []float64
	for i, a := range points {
		for _, b := range points[:i] {
			if a.words != b.words {
				slopes = append(slopes, float64(a.tokens-b.tokens)/float64(a.words-b.words))
			}
		}
	}
	if len(slopes) == 0 {
		return 0, "all prompts had the same length"
	}
	slope = medianOf(slopes)
	if !(slope >= slopeLeast && slope <= slopeMost) {
		return 0, fmt.Sprintf("usage says %.3g tokens a word, which is not between %v and %v", slope, slopeLeast, slopeMost)
	}
	if on := onLine(points, slope); on < calibrationLeast || 3*on < 2*len(points) {
		return 0, fmt.Sprintf("usage does not grow with the prompts: %d of %d lie on one line", on, len(points))
	}
	return math.Round(slope*1e4) / 1e4, ""
}

// onLine counts the points that lie on the line of a slope and the median
// intercept.
func onLine(points []lengthPoint, slope float64) int {
	rests := make([]float64, len(points))
	for i, p := range points {
		rests[i] = float64(p.tokens) - slope*float64(p.words)
	}
	intercept := medianOf(slices.Clone(rests))
	on := 0
	for i, p := range points {
		if math.Abs(rests[i]-intercept) <= max(calibrationSlack, calibrationOff*slope*float64(p.words)) {
			on++
		}
	}
	return on
}

// medianOf sorts v and returns its middle.
func medianOf(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

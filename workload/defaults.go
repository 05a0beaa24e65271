package workload

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Defaults of a spec; each can be said otherwise.
const (
	DefaultConcurrency    = 8
	DefaultStageDuration  = Duration(30 * time.Second)
	DefaultInputTokens    = "256"
	DefaultOutputTokens   = "128"
	DefaultRequestTimeout = Duration(time.Hour)
	DefaultDrainTimeout   = Duration(30 * time.Second)
	DefaultTimeTolerance  = Duration(100 * time.Millisecond)
	DefaultLatenessP99    = Duration(10 * time.Millisecond)
	DefaultRegion         = "us-west-2"
	DefaultKeyEnv         = "OPENAI_API_KEY"
)

// completer fills in defaults and says which of them a person should know.
type completer struct{ notices []string }

func (c *completer) say(format string, args ...any) {
	c.notices = append(c.notices, fmt.Sprintf(format, args...))
}

// WithDefaults returns a deep copy of s in which every default is filled in that
// needs nothing from outside, and a notice for each assumption worth telling.
// What depends on the moment stays open: the model, keys from the environment,
// the number of agents. A completed spec is completed to itself.
func (s *Spec) WithDefaults() (*Spec, []string) {
	out := s.Clone()
	dropMaskedKey(out)
	c := &completer{}
	c.endpoint(&out.Endpoint)
	c.dataset(out)
	sessionDefaults(out)
	c.load(&out.Load)
	limitDefaults(&out.Limits)
	fill(&out.Preflight, true)
	if out.Trials == 0 {
		out.Trials = 1
	}
	return out, c.notices
}

func (c *completer) endpoint(e *Endpoint) {
	e.Type = CanonicalType(e.Type)
	if e.API == "" {
		e.API = APIChat
	}
	fill(&e.Stream, e.Generates())
	if e.Model == "" && len(e.Models) > 0 {
		e.Model = e.Models[0].Name
	}
	if e.Type == TypeBedrock && e.Region == "" {
		e.Region = DefaultRegion
		c.say("no region given: %s", DefaultRegion)
	}
	if _, given := authorization(e.Headers); !given && e.APIKeyEnv == "" && e.APIKey.Empty() && isOpenAI(e.URL) {
		e.APIKeyEnv = DefaultKeyEnv
		c.say("no key given: the environment variable %s is used", DefaultKeyEnv)
	}
}

// isOpenAI keeps the key of one service from being sent to another.
func isOpenAI(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && strings.EqualFold(u.Host, "api.openai.com")
}

func (c *completer) dataset(s *Spec) {
	d := &s.Dataset
	if !d.Synthetic() {
		return
	}
	unsaid := d.Name == ""
	d.Name = DatasetSynthetic
	var assumed []string
	if d.InputTokens == "" {
		d.InputTokens = DefaultInputTokens
		assumed = append(assumed, d.InputTokens+" input tokens")
	}
	mediaDefaults(d)
	if d.OutputTokens == "" && s.Endpoint.Generates() {
		d.OutputTokens = DefaultOutputTokens
		if s.Sampling.MaxTokens != nil {
			d.OutputTokens = strconv.Itoa(*s.Sampling.MaxTokens)
		}
		assumed = append(assumed, d.OutputTokens+" output tokens")
	}
	if d.Nonce == "" {
		d.Nonce = "seed"
	}
	syntheticDefaults(s)
	switch {
	case unsaid && len(assumed) > 0:
		c.say("no dataset given: synthetic prompts, %s", strings.Join(assumed, ", "))
	case unsaid:
		c.say("no dataset given: synthetic prompts")
	case len(assumed) > 0:
		c.say("lengths not given: %s", strings.Join(assumed, ", "))
	}
}

// Defaults of prefixes that prompts share.
const (
	defaultGroups      = 1
	defaultBlockTokens = 16
)

func syntheticDefaults(s *Spec) {
	if p := s.Dataset.Prefix; p != nil {
		p.Groups = max(p.Groups, defaultGroups)
		if p.HitRate != nil && p.BlockTokens == 0 {
			p.BlockTokens = defaultBlockTokens
		}
		if p.HitRate == nil {
			fill(&p.Share, 1)
		}
	}
	if c := s.Dataset.Chat; c != nil {
		if c.InputTokens == "" {
			c.InputTokens = s.Dataset.InputTokens
		}
		if c.ThinkTime == "" && s.Sessions.HumanInputWPS == nil {
			c.ThinkTime = "0s"
		}
	}
}

// sessionDefaults sends all turns of recorded conversations where the spec asks for
// something that only turns have.
func sessionDefaults(s *Spec) {
	if s.Dataset.Synthetic() || s.Sessions.MultiTurn != nil {
		return
	}
	turns := s.Sessions.HumanInputWPS != nil || s.Sessions.SeparateTurns || s.Sessions.SeparateInterval != 0
	for i := range s.Load.Stages {
		turns = turns || s.Load.Stages[i].Replay != nil || s.Load.Stages[i].ConcurrencyOf == OfSessions
	}
	s.Sessions.MultiTurn = &turns
}

func (c *completer) load(l *Load) {
	if len(l.Stages) == 0 {
		n := DefaultConcurrency
		l.Stages = []Stage{{Concurrency: &n, Duration: DefaultStageDuration}}
		c.say("no load given: closed loop, concurrency %d, for %s", n, DefaultStageDuration)
	}
	for i := range l.Stages {
		c.stage(i, len(l.Stages), &l.Stages[i])
	}
}

func (c *completer) stage(i, n int, s *Stage) {
	if s.Drain == "" {
		s.Drain = DrainNone
	}
	if s.Rate != nil {
		arrivalDefaults(s)
	}
	if s.Replay != nil {
		fill(&s.Replay.TimeScale, 1)
	}
	bounded := s.Duration != 0 || s.Requests != 0
	endless := s.Concurrency != nil || s.Rate != nil && !s.Rate.Inf()
	if bounded || !endless {
		return
	}
	s.Duration = DefaultStageDuration
	if n == 1 {
		c.say("no duration or requests given: %s", DefaultStageDuration)
		return
	}
	c.say("load.stages[%d] has no duration or requests: %s", i, DefaultStageDuration)
}

// arrivalDefaults takes gamma arrivals when only their shape was said.
func arrivalDefaults(s *Stage) {
	if s.Arrival == "" {
		s.Arrival = ArrivalPoisson
		if s.Burstiness != nil && *s.Burstiness != 1 {
			s.Arrival = ArrivalGamma
		}
	}
	if s.Arrival != ArrivalConstant {
		fill(&s.Burstiness, 1)
	}
}

func limitDefaults(l *Limits) {
	if l.RequestTimeout == 0 {
		l.RequestTimeout = DefaultRequestTimeout
	}
	fill(&l.DrainTimeout, DefaultDrainTimeout)
	fill(&l.TimeTolerance, DefaultTimeTolerance)
	fill(&l.LatenessP99, DefaultLatenessP99)
}

func fill[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

// Defaults of pictures and sounds.
const (
	defaultPixels = 512
	defaultAudio  = Duration(5 * time.Second)
)

func mediaDefaults(d *Dataset) {
	if i := d.Images; i != nil {
		i.Count, i.Width, i.Height = cmp.Or(i.Count, 1), cmp.Or(i.Width, defaultPixels), cmp.Or(i.Height, defaultPixels)
		i.Format = cmp.Or(i.Format, FormatJPEG)
	}
	if a := d.Audio; a != nil {
		a.Count, a.Duration = cmp.Or(a.Count, 1), cmp.Or(a.Duration, defaultAudio)
	}
}

package workload

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on what a spec may say.
const (
	maxStages      = 1000
	maxRate        = 1e9 // requests per second: a nanosecond each
	maxConcurrency = 1_000_000
	maxRequests    = 1_000_000_000
	maxTrials      = 1000
	maxAgents      = 100_000
	maxGates       = 100
	maxLabels      = 64
	maxHeaders     = 100
)

// Validate reports everything that is wrong with s, as Errors. What is not said
// is judged by its default; it does not look at anything outside s.
func (s *Spec) Validate() error { return s.check(false) }

// validateDraft is Validate without what flags may still add.
func (s *Spec) validateDraft() error { return s.check(true) }

func (s *Spec) check(draft bool) error {
	c := &checker{draft: draft}
	c.line("name", s.Name, 200)
	c.labels(s.Labels)
	c.endpoint(&s.Endpoint)
	c.dataset(&s.Dataset)
	c.forAPI(s)
	c.sampling(&s.Sampling)
	c.load(&s.Load)
	c.sessions(&s.Sessions)
	c.recorded(s)
	c.slo(s)
	c.gates(s.Gates)
	c.limits(&s.Limits)
	c.duration("wait_ready", s.WaitReady)
	c.between("agents", int64(s.Agents), 0, maxAgents)
	c.between("trials", int64(s.Trials), 0, maxTrials)
	return c.errs.orNil()
}

// checker collects errors.
type checker struct {
	errs  Errors
	draft bool
}

func (c *checker) bad(path, format string, args ...any) {
	c.errs.add(FieldError{Path: path, Message: fmt.Sprintf(format, args...), Type: typeValue})
}

func (c *checker) badHint(path, hint, format string, args ...any) {
	c.errs.add(FieldError{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint, Type: typeValue})
}

func (c *checker) missing(path, hint string) {
	c.errs.add(FieldError{Path: path, Message: "is required", Hint: hint, Type: typeMissing})
}

// fail reports an error of one of the package's parsers.
func (c *checker) fail(path string, err error) {
	if err != nil {
		c.bad(path, "%s", err)
	}
}

// oneOf accepts an empty value: its default is taken.
func (c *checker) oneOf(path, value string, allowed ...string) bool {
	if value == "" || slices.Contains(allowed, value) {
		return true
	}
	hint := ""
	if near, _ := nearest(strings.ToLower(value), allowed); near != "" {
		hint = "did you mean " + near + "?"
	}
	c.badHint(path, hint, "must be one of %s, got %s", strings.Join(allowed, ", "), quote(value))
	return false
}

func (c *checker) between(path string, v, least, most int64) {
	switch {
	case v < least && least == 0:
		c.bad(path, "must not be negative, got %d", v)
	case v < least:
		c.bad(path, "must be at least %d, got %d", least, v)
	case v > most:
		c.bad(path, "must be at most %d, got %d", most, v)
	}
}

func (c *checker) duration(path string, d Duration) {
	switch {
	case d < 0:
		c.bad(path, "must not be negative, got %s", d)
	case d > maxDuration:
		c.bad(path, "must be at most %s, got %s", maxDuration, d)
	}
}

// positive accepts nil: its default is taken.
func (c *checker) positive(path string, v *float64, most float64) {
	if v == nil {
		return
	}
	if !(*v > 0) {
		c.bad(path, "must be greater than 0, got %g", *v)
	} else if *v > most {
		c.bad(path, "must be at most %g, got %g", most, *v)
	}
}

func (c *checker) finite(path string, v *float64, least, most float64) {
	if v != nil && (math.IsNaN(*v) || *v < least || *v > most) {
		c.bad(path, "must be between %g and %g, got %g", least, most, *v)
	}
}

// line checks a text for people or for a server: one line of bounded length.
func (c *checker) line(path, v string, most int) {
	switch {
	case utf8.RuneCountInString(v) > most:
		c.bad(path, "must have at most %d characters, got %d", most, utf8.RuneCountInString(v))
	case !cleanText(v):
		c.bad(path, "must not contain control characters")
	}
}

func cleanText(v string) bool {
	return utf8.ValidString(v) && !strings.ContainsFunc(v, unicode.IsControl)
}

func (c *checker) labels(labels map[string]string) {
	if len(labels) > maxLabels {
		c.bad("labels", "must be at most %d, got %d", maxLabels, len(labels))
	}
	for _, k := range sortedKeys(labels) {
		p := join("labels", k)
		if k == "" || utf8.RuneCountInString(k) > 63 || !cleanText(k) {
			c.bad(p, "must have a name of 1 to 63 printable characters")
		}
		c.line(p, labels[k], 256)
	}
}

func (c *checker) dataset(d *Dataset) {
	c.datasetName(d)
	c.line("dataset.path", d.Path, 4096)
	c.tokenizer(d)
	c.media(d)
	if d.InputTokens != "" {
		c.lengths("dataset.input_tokens", d.InputTokens)
	}
	if d.OutputTokens != "" {
		c.lengths("dataset.output_tokens", d.OutputTokens)
	}
	c.oneOf("dataset.nonce", d.Nonce, "seed", "run", "none")
	c.synthetic(d)
	c.between("dataset.sample_size", d.SampleSize, 0, math.MaxInt64)
	c.positive("dataset.tokens_per_word", d.TokensPerWord, 100)
	c.line("dataset.corpus_hash", d.CorpusHash, 128)
	c.columns(d)
	if !c.draft && isMasked(d.HubToken) {
		c.maskedSecret("dataset.hub_token", "give the token again")
	}
}

func (c *checker) datasetName(d *Dataset) {
	switch {
	case strings.HasPrefix(d.Name, "hf://"):
		_, err := ParseHubName(d.Name)
		c.fail("dataset.name", err)
	case d.Name == "" || slices.Contains(datasetNames, d.Name):
	case strings.ContainsAny(d.Name, `./\`):
		c.badHint("dataset.name", "give a file as dataset.path", "must be the name of a dataset, got %s", quote(d.Name))
	default:
		c.oneOf("dataset.name", d.Name, append(slices.Clone(datasetNames), "hf://OWNER/NAME")...)
	}
	if d.Name == DatasetSynthetic && (d.Path != "" || d.CorpusHash != "") {
		c.bad("dataset.path", "must not be given for synthetic data")
	}
	if NeedsFile(d.Name) && d.Path == "" && d.CorpusHash == "" && !c.draft {
		c.missing("dataset.path", "name the file of the "+d.Name+" data")
	}
}

func (c *checker) lengths(path, text string) {
	d, err := ParseDist(text)
	c.fail(path, err)
	if err == nil && d.Kind == DistNone && path != "dataset.output_tokens" {
		c.bad(path, "must be %s, got %s", distForms, quote(text))
	}
}

func (c *checker) sampling(s *Sampling) {
	c.finite("sampling.temperature", s.Temperature, 0, 100)
	if s.TopP != nil {
		c.finite("sampling.top_p", s.TopP, 0, 1)
	}
	if s.MaxTokens != nil {
		c.between("sampling.max_tokens", int64(*s.MaxTokens), 1, maxTokens)
	}
	if s.N != nil {
		c.between("sampling.n", int64(*s.N), 1, 1000)
	}
	c.extraBody(s.ExtraBody)
}

// ownMembers are the members of a request body that other keys of the spec set.
var ownMembers = map[string]string{
	"model": "endpoint.model", "stream": "endpoint.stream", "messages": "dataset", "prompt": "dataset",
	"temperature": "sampling.temperature", "top_p": "sampling.top_p", "max_tokens": "sampling.max_tokens",
	"ignore_eos": "sampling.ignore_eos", "n": "sampling.n",
}

func (c *checker) extraBody(b ExtraBody) {
	for _, k := range sortedKeys(b) {
		p := join("sampling.extra_body", k)
		if owner, ok := ownMembers[k]; ok {
			c.badHint(p, "give it there", "is set by %s", owner)
		}
		c.member(p, k, b[k], 0)
	}
}

// member refuses what JSON can't say, and secrets that are still masked.
func (c *checker) member(path, name string, v any, depth int) {
	if depth > maxDepth {
		c.bad(path, "is nested more than %d levels deep", maxDepth)
		return
	}
	switch t := v.(type) {
	case nil, bool:
	case string:
		if !c.draft && t == maskText && IsSecretName(name) {
			c.maskedSecret(path, "give the value again")
		}
	case float64:
		if math.IsNaN(t) || math.IsInf(t, 0) {
			c.bad(path, "must be a finite number")
		}
	case []any:
		for i, item := range t {
			c.member(at(path, i), name, item, depth+1)
		}
	case map[string]any:
		for _, k := range sortedKeys(t) {
			c.member(join(path, k), k, t[k], depth+1)
		}
	default:
		c.bad(path, "must be a JSON value, got a Go %T", v)
	}
}

func (c *checker) maskedSecret(path, hint string) {
	c.badHint(path, hint, "is masked in this document, its value is not known")
}

func (c *checker) sessions(s *Sessions) {
	c.positive("sessions.human_input_wps", s.HumanInputWPS, 1e6)
	c.positive("sessions.compression_ratio", s.CompressionRatio, 1e9)
	c.duration("sessions.separate_interval", s.SeparateInterval)
	if s.Range != "" {
		_, err := ParseSlice(s.Range)
		c.fail("sessions.range", err)
	}
}

func (c *checker) slo(s *Spec) {
	for _, o := range []struct {
		path      string
		v         Duration
		streaming bool
	}{{"slo.ttft", s.SLO.TTFT, true}, {"slo.tpot", s.SLO.TPOT, true}, {"slo.e2e", s.SLO.E2E, false}} {
		if o.v < 0 {
			c.bad(o.path, "must be greater than 0, got %s", o.v)
		}
		c.duration(o.path, max(o.v, 0))
		if o.v > 0 && o.streaming && !s.Streaming() {
			c.badHint(o.path, "take the objective away, or stream", "can't be judged, because replies are not streamed")
		}
	}
}

func (c *checker) gates(gates []string) {
	if len(gates) > maxGates {
		c.bad("gates", "must be at most %d, got %d", maxGates, len(gates))
	}
	for i, g := range gates {
		_, err := ParseGate(g)
		c.fail(at("gates", i), err)
	}
}

func (c *checker) limits(l *Limits) {
	c.duration("limits.request_timeout", l.RequestTimeout)
	c.duration("limits.max_run_time", l.MaxRunTime)
	for _, o := range []struct {
		path string
		v    *Duration
	}{{"limits.drain_timeout", l.DrainTimeout}, {"limits.time_tolerance", l.TimeTolerance}, {"limits.lateness_p99", l.LatenessP99}} {
		if o.v != nil {
			c.duration(o.path, *o.v)
		}
	}
}

package workload

import (
	"math"
	"slices"
	"strings"
)

// seedKwargs are the keys of kwargs that mean something here. All others are
// sent to the endpoint.
var seedKwargs = []string{
	"api_key", "check_size", "hf_auth_key", "human_input_wps", "ignore_eos", "legacy", "max_run_time", "max_tokens", "n", "region_name",
	"request_timeout", "skip_idle_min", "stream", "temperature", "time_step", "time_tolerance", "top_p",
}

// sampling maps the parameters of the request body. Those in kwargs win over
// those in dataset_config, as in the seed.
func (r *seedReader) sampling() {
	s := &r.spec.Sampling
	r.float("temperature", &s.Temperature)
	r.float("top_p", &s.TopP)
	r.whole("max_tokens", &s.MaxTokens)
	r.whole("n", &s.N)
	if n, ok := value(r.kwargs, "ignore_eos"); ok {
		v := r.boolean("kwargs.ignore_eos", n)
		s.IgnoreEOS = &v
	}
	r.extra()
}

// parameter returns a sampling parameter from where it was given.
func (r *seedReader) parameter(key string) (located, bool) {
	place := located{path: "kwargs." + key}
	n, ok := value(r.kwargs, key)
	if !ok && key != "n" {
		place.path = "dataset_config." + key
		n, ok = value(r.config, key)
	}
	place.node = n
	r.from("sampling."+key, place.path)
	return place, ok
}

func (r *seedReader) float(key string, to **float64) {
	if p, ok := r.parameter(key); ok {
		if f, ok := r.number(p.path, p.node); ok {
			*to = &f
		}
	}
}

func (r *seedReader) whole(key string, to **int) {
	p, ok := r.parameter(key)
	if !ok {
		return
	}
	i, ok := r.integer(p.path, p.node)
	if !ok {
		return
	}
	v := int(min(max(i, math.MinInt32), math.MaxInt32)) // Validate refuses what is out of bounds
	*to = &v
}

// extra sends what it does not know, and says so.
func (r *seedReader) extra() {
	r.from("sampling.extra_body", "kwargs")
	for _, m := range r.kwargs.members {
		if slices.Contains(seedKwargs, m.key) && (m.key != "region_name" || r.spec.Endpoint.Type == TypeBedrock) {
			continue
		}
		if m.key == "api_base" {
			r.d.bad("kwargs.api_base", typeValue, "Value error, is set by url")
		}
		if m.value.kind == kindNull || m.key == "api_base" {
			continue
		}
		if r.spec.Sampling.ExtraBody == nil {
			r.spec.Sampling.ExtraBody = ExtraBody{}
		}
		r.spec.Sampling.ExtraBody[m.key] = r.d.any(join("kwargs", m.key), m.key, m.value)
		r.say("kwargs.%s: is sent to the endpoint as it stands%s", shorten(m.key), meant(m.key, seedKwargs))
	}
}

// limits maps bounds and times, all in seconds.
func (r *seedReader) limits() {
	l := &r.spec.Limits
	r.duration("request_timeout", "limits.request_timeout", &l.RequestTimeout)
	if p, ok := r.either("max_run_time"); ok {
		l.MaxRunTime, _ = r.seconds(p.path, p.node)
		r.from("limits.max_run_time", p.path)
	}
	var tolerance Duration
	if r.duration("time_tolerance", "limits.time_tolerance", &tolerance) {
		l.TimeTolerance = &tolerance
	}
	r.duration("skip_idle_min", "load.skip_idle_min", &r.spec.Load.SkipIdleMin)
	n, ok := value(r.kwargs, "human_input_wps")
	if !ok {
		return
	}
	r.from("sessions.human_input_wps", "kwargs.human_input_wps")
	f, ok := r.number("kwargs.human_input_wps", n)
	switch {
	case !ok:
	case len(r.spec.Load.Stages) == 1 && r.spec.Load.Stages[0].Func != nil:
		r.say("kwargs.human_input_wps: has no effect on the synthesizer, whose visits have one turn")
	default:
		r.spec.Sessions.HumanInputWPS = &f
	}
}

func (r *seedReader) duration(key, specPath string, to *Duration) bool {
	n, ok := value(r.kwargs, key)
	if !ok {
		return false
	}
	r.from(specPath, "kwargs."+key)
	v, ok := r.seconds("kwargs."+key, n)
	if ok {
		*to = v
	}
	return ok
}

// seed takes the random seed from either of the places in which the seed's
// documentation shows it.
func (r *seedReader) seed() {
	top, inBody := value(r.body, "random_seed")
	low, inConfig := value(r.config, "random_seed")
	var a, b int64
	if inBody {
		a, inBody = r.integer("random_seed", top)
	}
	if inConfig {
		b, inConfig = r.integer("dataset_config.random_seed", low)
	}
	switch {
	case inBody && inConfig && a != b:
		r.d.bad("dataset_config.random_seed", typeValue, "Value error, is %d, but random_seed is %d; give one of them", b, a)
	case inBody:
		r.spec.Seed = a
	case inConfig:
		r.spec.Seed = b
	}
}

// rest maps the test id and names what it does not know.
func (r *seedReader) rest() {
	if n, ok := value(r.body, "test_id"); ok {
		id, isText := r.text("test_id", n)
		if isText && !ValidTestID(id) {
			r.d.bad("test_id", "string_pattern_mismatch", "String should match pattern '^[A-Za-z0-9_-]{1,64}$'")
		}
		r.testID = id
	}
	for _, m := range r.body.members {
		if !slices.Contains(seedAllKeys, m.key) {
			r.say("%s: is not a key of the body and has no effect%s", shorten(strings.ToValidUTF8(m.key, "")), meant(m.key, seedAllKeys))
		}
	}
}

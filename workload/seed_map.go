package workload

import (
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/internal/secret"
)

// seedSynthesizer is the seed's dataset that has no arrivals of its own.
const seedSynthesizer = "synthesizer"

func (r *seedReader) endpoint() {
	e := &r.spec.Endpoint
	e.URL = r.required(r.body, "", "url")
	e.Model = r.required(r.body, "", "model")
	e.Type = CanonicalType(r.required(r.body, "", "endpoint_type"))
	for path, from := range map[string]string{"url": "url", "model": "model", "type": "endpoint_type", "api_key": "key", "region": "kwargs.region_name", "stream": "kwargs.stream", "api": "legacy"} {
		r.from("endpoint."+path, from)
	}
	e.APIKey = secret.New(r.key())
	if n, ok := r.either("legacy"); ok && r.boolean(n.path, n.node) {
		e.API = APICompletions
	}
	if n, ok := value(r.kwargs, "stream"); ok {
		stream := r.boolean("kwargs.stream", n)
		e.Stream = &stream
	}
	if e.Type == TypeBedrock {
		e.Region = DefaultRegion
		if n, ok := value(r.kwargs, "region_name"); ok {
			e.Region, _ = r.text("kwargs.region_name", n)
		}
	}
}

// key returns what the seed sends as Bearer: EMPTY when nothing is said.
func (r *seedReader) key() string {
	key := noKey
	if n := r.body.get("key"); n != nil {
		key, _ = r.text("key", n)
	}
	n, ok := value(r.kwargs, "api_key")
	if !ok {
		return key
	}
	again, _ := r.text("kwargs.api_key", n)
	if r.body.get("key") != nil && again != key {
		r.d.bad("kwargs.api_key", typeValue, "Value error, differs from key; give one of them")
	}
	return again
}

// dataset maps dataset_name and dataset_config.
func (r *seedReader) dataset() {
	name := r.required(r.body, "", "dataset_name")
	r.from("dataset.name", "dataset_name")
	r.configNumbers()
	switch {
	case name == seedSynthesizer:
		r.synthesizer()
	case slices.Contains(hubDatasets, name):
		r.spec.Dataset.Name = name
		r.visits(name)
	case name != "":
		allowed := append([]string{seedSynthesizer}, hubDatasets...)
		r.d.bad("dataset_name", "literal_error", "Input should be %s, got %s", orList(allowed), quote(name))
	}
	r.ignored(name)
}

func orList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + w + "'"
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// configNumbers maps what every dataset takes.
func (r *seedReader) configNumbers() {
	if n, ok := value(r.config, "sample_size"); ok {
		r.from("dataset.sample_size", "dataset_config.sample_size")
		r.spec.Dataset.SampleSize, _ = r.integer("dataset_config.sample_size", n)
	}
	if n, ok := value(r.kwargs, "hf_auth_key"); ok {
		token, _ := r.text("kwargs.hf_auth_key", n)
		r.spec.Dataset.HubToken = secret.New(token)
	}
	r.from("dataset.hub_token", "kwargs.hf_auth_key")
}

// synthesizer maps the dataset whose arrivals are a function and whose prompts
// come from elsewhere.
func (r *seedReader) synthesizer() {
	source := r.required(r.config, "dataset_config", "prompt_source")
	function := r.required(r.config, "dataset_config", "func")
	for _, p := range []string{"dataset.name", "dataset.path"} {
		r.from(p, "dataset_config.prompt_source")
	}
	r.from("load.stages[0]", "dataset_config")
	r.spec.Load.Stages = []Stage{{Func: &function}}
	d := ParseDataset(source)
	r.spec.Dataset.Name, r.spec.Dataset.Path = d.Name, d.Path
	switch {
	case source == seedSynthesizer:
		r.d.bad("dataset_config.prompt_source", typeValue, "Value error, must be the name of a dataset, synthetic, or a file, got %s", quote(source))
	case source == "" && r.config.get("prompt_source") != nil && r.config.get("prompt_source").kind == kindText:
		r.d.bad("dataset_config.prompt_source", "string_too_short", "String should have at least 1 character")
	case source == DatasetSynthetic:
		// The seed asks for no length beyond max_tokens.
		r.spec.Dataset.OutputTokens = DistNone
	}
}

// visits maps the datasets with recorded conversations.
func (r *seedReader) visits(name string) {
	r.spec.Load.Stages = []Stage{{Replay: &Replay{}}}
	r.from("load.stages[0]", "dataset_name")
	s := &r.spec.Sessions
	if n, ok := value(r.config, "compression_ratio"); ok {
		if f, ok := r.number("dataset_config.compression_ratio", n); ok {
			s.CompressionRatio = &f
		}
	}
	r.from("sessions.compression_ratio", "dataset_config.compression_ratio")
	if n, ok := value(r.config, "separate_req_in_one_visit"); ok && name == "oasst1" {
		s.SeparateTurns = r.boolean("dataset_config.separate_req_in_one_visit", n)
	}
	r.from("sessions.separate_turns", "dataset_config."+separateKey(name))
	if n, ok := value(r.config, "separate_req_in_one_visit_with_interval"); ok && name != "oasst1" {
		s.SeparateTurns = true
		s.SeparateInterval, _ = r.seconds("dataset_config.separate_req_in_one_visit_with_interval", n)
	}
	r.from("sessions.separate_interval", "dataset_config.separate_req_in_one_visit_with_interval")
	s.Range = r.workloadRange()
	r.from("sessions.range", "workload_range")
}

// separateKey is the key that separates turns of a dataset: the seed has two.
func separateKey(dataset string) string {
	if dataset == "oasst1" {
		return "separate_req_in_one_visit"
	}
	return "separate_req_in_one_visit_with_interval"
}

// ignored says which keys of dataset_config have no effect on this dataset.
func (r *seedReader) ignored(name string) {
	used := []string{"random_seed", "temperature", "top_p", "max_tokens", "sample_size"}
	switch {
	case name == seedSynthesizer:
		used = append(used, "func", "prompt_source")
		if r.workloadRange() != "" {
			r.say("workload_range: has no effect on the synthesizer")
		}
	case slices.Contains(hubDatasets, name):
		used = append(used, "compression_ratio", separateKey(name))
	default:
		return
	}
	for _, m := range r.config.members {
		if m.value.kind == kindNull || slices.Contains(used, m.key) {
			continue
		}
		r.say("dataset_config.%s: has no effect on %s%s", shorten(m.key), name, meant(m.key, used))
	}
}

func meant(key string, known []string) string {
	if near, _ := nearest(strings.ToLower(key), known); near != "" && near != key {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// workloadRange returns the slice in a spec's notation, or nothing for all.
func (r *seedReader) workloadRange() string {
	n, ok := value(r.body, "workload_range")
	if !ok {
		return ""
	}
	if n.kind != kindList {
		r.d.bad("workload_range", "tuple_type", "Input should be a valid tuple")
		return ""
	}
	if len(n.items) > 2 {
		r.d.bad("workload_range", "too_long", "Tuple should have at most 2 items after validation, not %d", len(n.items))
		return ""
	}
	var s Slice
	for i, bound := range []**int64{&s.From, &s.To} {
		p := at("workload_range", i)
		if i >= len(n.items) {
			r.d.bad(p, typeMissing, "Field required")
		} else if n.items[i].kind != kindNull {
			if v, ok := r.integer(p, n.items[i]); ok {
				*bound = &v
			}
		}
	}
	if s == (Slice{}) {
		return ""
	}
	return s.String()
}

// located is a value that may stand in several places.
type located struct {
	path string
	node *node
}

// either returns a key of the body or of kwargs; both and different is an error.
func (r *seedReader) either(key string) (located, bool) {
	top, inBody := value(r.body, key)
	low, inKwargs := value(r.kwargs, key)
	if inBody && inKwargs && top.text != low.text {
		r.d.bad("kwargs."+key, typeValue, "Value error, differs from %s; give one of them", key)
	}
	if inBody {
		return located{key, top}, true
	}
	return located{"kwargs." + key, low}, inKwargs
}

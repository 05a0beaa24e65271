package workload

import (
	"regexp"
	"slices"
)

// Endpoint types.
const (
	TypeOpenAI     = "openai"
	TypeVLLM       = "vllm"
	TypeSGLang     = "sglang"
	TypeTGI        = "tgi"
	TypeTriton     = "triton"
	TypeBedrock    = "bedrock"
	TypeTogether   = "togetherai"
	TypeFriendliAI = "friendliai"
)

// APIs of an endpoint.
const (
	APIChat        = "chat"
	APICompletions = "completions"
	APIEmbeddings  = "embeddings"
	APIRerank      = "rerank"
)

// Generates reports whether the endpoint answers with tokens. Embeddings and
// rerank answer with numbers, in one piece.
func (e Endpoint) Generates() bool { return e.API != APIEmbeddings && e.API != APIRerank }

var endpointTypes = []string{TypeOpenAI, TypeVLLM, TypeSGLang, TypeTGI, TypeTriton, TypeBedrock, TypeTogether, TypeFriendliAI}

// typeAliases are other names of endpoint types.
var typeAliases = map[string]string{"aws": TypeBedrock, "together": TypeTogether}

// CanonicalType returns the endpoint type that name means: aliases are resolved,
// empty is openai, and unknown names are returned as they are.
func CanonicalType(name string) string {
	if name == "" {
		return TypeOpenAI
	}
	if t, ok := typeAliases[name]; ok {
		return t
	}
	return name
}

// Streaming reports whether replies are streamed.
func (s *Spec) Streaming() bool { return s.Endpoint.Streams() }

// Streams reports whether replies are streamed.
func (e Endpoint) Streams() bool { return e.Generates() && (e.Stream == nil || *e.Stream) }

// Preflights reports whether the endpoint is probed before the load.
func (s *Spec) Preflights() bool { return s.Preflight == nil || *s.Preflight }

// Names of datasets.
const (
	DatasetSynthetic = "synthetic"
	DatasetShareGPT  = "sharegpt"
	DatasetJSONL     = "jsonl"
)

// hubDatasets are the datasets that are fetched by their names.
var hubDatasets = []string{"arena", "oasst1", "dolly", "openorca"}

// traceNames are the forms of recordings of arrivals and lengths.
var traceNames = []string{"azure", "mooncake", "burstgpt", "bailian", "timed", "otel"}

var datasetNames = slices.Concat([]string{DatasetSynthetic, DatasetShareGPT, DatasetJSONL}, hubDatasets, traceNames)

// NeedsFile reports whether a dataset of that name is nothing without a file.
func NeedsFile(name string) bool { return name == DatasetJSONL || slices.Contains(traceNames, name) }

// Writes reports whether prompts are written from a list of words: synthetic ones,
// and those of a trace that is named as such.
func (d Dataset) Writes() bool { return d.Synthetic() || slices.Contains(traceNames, d.Name) }

// Synthetic reports whether prompts are made up. A dataset of which nothing was
// said is synthetic.
func (d Dataset) Synthetic() bool {
	return d.Name == DatasetSynthetic || d.Name == "" && d.Path == "" && d.CorpusHash == ""
}

// Key is the key of a spec by which its data came: for errors about that data.
func (d Dataset) Key() string {
	switch {
	case d.Path != "":
		return "dataset.path"
	case d.CorpusHash != "":
		return "dataset.corpus_hash"
	}
	return "dataset.name"
}

// Schema is what the rows of d mean, as package source names it; empty when the
// columns tell.
func (d Dataset) Schema() string {
	if d.Name == DatasetShareGPT || slices.Contains(hubDatasets, d.Name) || slices.Contains(traceNames, d.Name) {
		return d.Name
	}
	return ""
}

var testID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ValidTestID reports whether id may name a test: 1 to 64 letters, digits,
// underscores and hyphens.
func ValidTestID(id string) bool { return testID.MatchString(id) }

// Calibrates reports whether tokens_per_word is still to be measured; once it is
// known, it is not measured again, and a tokenizer makes it needless.
func (d Dataset) Calibrates() bool {
	return d.Calibrate && d.TokensPerWord == nil && d.Tokenizer == ""
}

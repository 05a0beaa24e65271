package source

import "slices"

// Named is a dataset that is known by name.
type Named struct {
	Name        string
	Description string
	Repository  string   // on the hub
	Files       []string // patterns of path.Match, in the order in which they are read
}

// named are the datasets that are fetched from the hub; each is read by the
// schema of the same name.
var named = []Named{
	{
		Name: "arena", Description: "33,000 conversations of Chatbot Arena, with arrivals (gated)",
		Repository: "lmsys/chatbot_arena_conversations", Files: []string{"data/train-*.parquet"},
	},
	{
		Name: "oasst1", Description: "OpenAssistant's trees of messages, with times",
		Repository: "OpenAssistant/oasst1", Files: []string{"data/train-*.parquet", "data/validation-*.parquet"},
	},
	{
		Name: "dolly", Description: "15,000 instructions written by people, one visit a second",
		Repository: "databricks/databricks-dolly-15k", Files: []string{"databricks-dolly-15k.jsonl"},
	},
	{
		Name: "openorca", Description: "4.2 million instructions with system prompts, one visit a second (4 GB; with sample_size only what is needed is fetched)",
		Repository: "Open-Orca/OpenOrca", Files: []string{"1M-GPT4-Augmented.parquet", "3_5M-GPT3_5-Augmented.parquet"},
	},
	{
		Name: "sharegpt", Description: "94,000 conversations with ChatGPT",
		Repository: "anon8231489123/ShareGPT_Vicuna_unfiltered", Files: []string{"ShareGPT_V3_unfiltered_cleaned_split.json"},
	},
}

// NamedDatasets lists the datasets that are known by name.
func NamedDatasets() []Named { return slices.Clone(named) }

// FindNamed returns a dataset by its name.
func FindNamed(name string) (Named, bool) {
	i := slices.IndexFunc(named, func(n Named) bool { return n.Name == name })
	if i < 0 {
		return Named{}, false
	}
	return named[i], true
}

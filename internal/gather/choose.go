package gather

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stampede-bench/stampede/internal/hub"
	"github.com/stampede-bench/stampede/workload"
)

const defaultSplit = "train"

// chosen picks the files of a repository: by what its card says of its
// configurations, or else by their names.
func chosen(ctx context.Context, c *hub.Client, name workload.HubName, l hub.Listing) ([]string, error) {
	if slices.Contains(l.Files, "README.md") {
		place, err := c.File(ctx, hub.Dataset, name.Repository, l.Commit, "README.md")
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(place)
		if err != nil {
			return nil, err
		}
		if configs := cardConfigs(text); len(configs) > 0 {
			return byCard(configs, name, l.Files)
		}
	}
	return byName(name, l.Files), nil
}

// config is a configuration of a dataset's card.
type config struct {
	Name    string `yaml:"config_name"`
	Default bool   `yaml:"default"`
	Files   any    `yaml:"data_files"`
}

// cardConfigs reads the configurations of a card, whose head is YAML between lines
// of ---. A card without any, or one that is broken, has none.
func cardConfigs(text []byte) []config {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	rest, ok := bytes.CutPrefix(text, []byte("---\n"))
	head, _, closed := bytes.Cut(rest, []byte("\n---"))
	if !ok || !closed {
		return nil
	}
	var card struct {
		Configs []config `yaml:"configs"`
	}
	if yaml.Unmarshal(head, &card) != nil {
		return nil
	}
	return slices.DeleteFunc(card.Configs, func(c config) bool { return len(c.splits()) == 0 })
}

// split is a part of a configuration: patterns of the files it consists of.
type split struct {
	name     string
	patterns []string
}

// splits brings the notations of data_files into one: a pattern, patterns, or
// splits with patterns.
func (c config) splits() []split {
	switch v := c.Files.(type) {
	case string, []any:
		if texts := textsOf(v); len(texts) > 0 {
			return []split{{defaultSplit, texts}}
		}
		var out []split
		list, _ := v.([]any)
		for _, item := range list {
			if m, ok := item.(map[string]any); ok {
				name, _ := m["split"].(string)
				out = append(out, split{name, textsOf(m["path"])})
			}
		}
		return out
	case map[string]any:
		var out []split
		for name, paths := range v {
			out = append(out, split{name, textsOf(paths)})
		}
		return out
	}
	return nil
}

func textsOf(v any) []string {
	switch t := v.(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, item := range t {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// byCard picks the files of a configuration and a split; without names those that
// are the default, or first.
func byCard(configs []config, name workload.HubName, files []string) ([]string, error) {
	var names []string
	wanted := -1
	for i, c := range configs {
		names = append(names, c.Name)
		switch {
		case name.Config == c.Name, name.Config == "" && (c.Default || c.Name == "default"):
			wanted = i
		}
	}
	if wanted < 0 && name.Config == "" {
		wanted = 0
	}
	if wanted < 0 {
		return nil, fmt.Errorf("has no configuration %s; there are %s", name.Config, strings.Join(names, ", "))
	}
	splits := configs[wanted].splits()
	var of []string
	for _, s := range splits {
		of = append(of, s.name)
	}
	which := name.Split
	if which == "" {
		if which = defaultSplit; !slices.Contains(of, which) {
			which = of[0]
		}
	}
	i := slices.Index(of, which)
	if i < 0 {
		slices.Sort(of)
		return nil, fmt.Errorf("configuration %s has no split %s; there are %s", configs[wanted].Name, which, strings.Join(of, ", "))
	}
	return matching(files, splits[i].patterns), nil
}

// matching lists the files that fit one of the patterns, in which ** stands for any
// folders.
func matching(files, patterns []string) []string {
	var out []string
	for _, p := range patterns {
		form := patternForm(p)
		for _, f := range files {
			if form.MatchString(f) && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

var wild = strings.NewReplacer(`\*\*/`, `(.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`)

func patternForm(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + wild.Replace(regexp.QuoteMeta(strings.TrimPrefix(pattern, "./"))) + "$")
}

// isData reports whether a file may hold rows.
func isData(name string) bool {
	base := path.Base(name)
	for _, packed := range []string{".gz", ".zst"} {
		base = strings.TrimSuffix(base, packed)
	}
	if strings.HasPrefix(base, ".") || base == "dataset_infos.json" || base == "dataset_dict.json" || base == "state.json" || base == "dataset_info.json" {
		return false
	}
	switch path.Ext(base) {
	case ".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv":
		return true
	}
	return false
}

// byName picks the files in whose names the split stands by itself, below the
// folder of the configuration; when no split is named anywhere all are train.
func byName(name workload.HubName, files []string) []string {
	files = slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !isData(f) })
	if name.Config != "" && name.Config != "default" {
		files = slices.DeleteFunc(files, func(f string) bool { return !strings.HasPrefix(f, name.Config+"/") })
	}
	which := name.Split
	if which == "" {
		which = defaultSplit
	}
	form := regexp.MustCompile(`(?i)(^|[^a-z0-9])` + regexp.QuoteMeta(which) + `([^a-z0-9]|$)`)
	in := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !form.MatchString(f) })
	if len(in) > 0 {
		return oneForm(in)
	}
	if which != defaultSplit {
		return nil
	}
	other := regexp.MustCompile(`(?i)(^|[^a-z0-9])(test|validation|valid|val|dev|eval)([^a-z0-9]|$)`)
	return oneForm(slices.DeleteFunc(files, other.MatchString))
}

// oneForm keeps files of one ending: many repositories hold the same rows twice.
func oneForm(files []string) []string {
	for _, ending := range []string{".parquet", ".jsonl", ".json", ".csv", ".tsv", ".ndjson"} {
		kept := slices.DeleteFunc(slices.Clone(files), func(f string) bool {
			return path.Ext(strings.TrimSuffix(strings.TrimSuffix(f, ".gz"), ".zst")) != ending
		})
		if len(kept) > 0 {
			return kept
		}
	}
	return files
}

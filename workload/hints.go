package workload

import (
	"reflect"
	"regexp"
	"strings"
)

// keyHint suggests what an unknown key may have meant: the same key where it
// belongs, the nearest key here, or all keys here when there are few.
func keyHint(path, key string, here []field) string {
	name := strings.ToLower(strings.ReplaceAll(key, "-", "_"))
	names := make([]string, len(here))
	for i, f := range here {
		names[i] = f.name
	}
	near, distance := nearest(name, names)
	if distance <= 1 {
		return "did you mean " + near + "?"
	}
	if home := homeOf(name); home != "" {
		if here, ok := strings.CutPrefix(home, anyIndex.ReplaceAllString(path, "[]")+"."); ok && !strings.ContainsAny(here, ".[") {
			return "did you mean " + here + "?"
		}
		return "it belongs in " + home
	}
	if near != "" {
		return "did you mean " + near + "?"
	}
	return "known here: " + strings.Join(names, ", ")
}

// Nearest is the candidate that a key may be a slip of the fingers for, or empty.
func Nearest(key string, candidates []string) string {
	near, _ := nearest(key, candidates)
	return near
}

// nearest returns the candidate with the least edit distance, or none when all
// are too far off to be a slip of the fingers.
func nearest(key string, candidates []string) (string, int) {
	best, least := "", 1<<30
	for _, c := range candidates {
		d := EditDistance(key, c)
		// A key that contains the other is near, whatever its length.
		if len(key) >= 3 && len(c) >= 3 && (strings.Contains(c, key) || strings.Contains(key, c)) {
			d = min(d, 2)
		}
		if d < least && d <= max(2, len(c)/3) {
			best, least = c, d
		}
	}
	return best, least
}

// EditDistance is Levenshtein's, in bytes: keys are ASCII. Beyond 100 bytes a is
// taken to differ everywhere.
func EditDistance(a, b string) int {
	if len(a) > 100 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// otherNames are the seed's, vLLM's and people's words for keys of a spec.
var otherNames = map[string]string{
	"endpoint_type": "endpoint.type", "backend": "endpoint.type", "base_url": "endpoint.url", "key": "endpoint.api_key",
	"dataset_name": "dataset.name", "isl": "dataset.input_tokens", "osl": "dataset.output_tokens",
	"request_rate": "load.stages[].rate", "qps": "load.stages[].rate", "rps": "load.stages[].rate",
	"num_prompts": "load.stages[].requests", "goodput": "slo", "random_seed": "seed", "timeout": "limits.request_timeout",
}

var anyIndex = regexp.MustCompile(`\[\d+\]`)

// homeOf returns where a key belongs, if there is one place only.
func homeOf(key string) string {
	var homes []string
	collectHomes(reflect.TypeFor[Spec](), "", key, &homes)
	if home, ok := otherNames[key]; ok && len(homes) == 0 {
		homes = append(homes, home)
	}
	if len(homes) != 1 {
		return ""
	}
	return homes[0]
}

// bare makes maxtokens, maxTokens and max_tokens the same.
func bare(key string) string { return strings.ToLower(strings.ReplaceAll(key, "_", "")) }

func collectHomes(t reflect.Type, path, key string, homes *[]string) {
	for i, f := range structFields(t) {
		p := join(path, f.name)
		if bare(f.name) == bare(key) {
			*homes = append(*homes, p)
		}
		ft := t.Field(i).Type
		if ft.Kind() == reflect.Slice {
			ft, p = ft.Elem(), p+"[]"
		}
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct && ft.PkgPath() == t.PkgPath() {
			collectHomes(ft, p, key, homes)
		}
	}
}

package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/workload"
)

// compareWarnings say what keeps runs from being compared, worst first.
func compareWarnings(runs []ComparedRun) []string {
	w := []string{}
	for i := range runs {
		w = append(w, trustWarnings(letter(i), &runs[i])...)
	}
	for i := 1; i < len(runs); i++ {
		w = append(w, pairWarnings(letter(i), &runs[0], &runs[i])...)
	}
	return w
}

// trustWarnings are about one run by itself.
func trustWarnings(name string, r *ComparedRun) []string {
	if r.Tool == "vllm" {
		return []string{name + " was measured by vLLM's client, which does not judge its own accuracy; its itl is compared as icl, the gap between chunks"}
	}
	var w []string
	switch r.report.State {
	case "CANCELLED":
		w = append(w, name+" was cancelled; what ran of it is compared")
	case "FAILED":
		w = append(w, strings.TrimSuffix(name+" failed: "+r.report.Reason, ": "))
	}
	if v := r.report.Verdict; v.State != Valid {
		text := fmt.Sprintf("%s is %s", name, v.State)
		if len(v.Reasons) > 0 {
			text += ": " + v.Reasons[0].Message
		}
		w = append(w, text)
	}
	return w
}

// maxDifferences is how many keys of two specs are named.
const maxDifferences = 5

// pairWarnings are about a run against the first.
func pairWarnings(name string, a, b *ComparedRun) []string {
	var w []string
	if a.Model != b.Model && a.Model != "" && b.Model != "" {
		w = append(w, fmt.Sprintf("the models differ: %s in A, %s in %s", a.Model, b.Model, name))
	}
	if a.report == nil || b.report == nil {
		return append(w, fmt.Sprintf("whether A and %s sent the same requests is not known: only Stampede keeps a workload_hash", name))
	}
	differences := specDifferences(a.report.Spec, b.report.Spec)
	if len(differences) > 0 {
		shown := differences[:min(len(differences), maxDifferences)]
		text := fmt.Sprintf("the specs of A and %s differ: %s", name, strings.Join(shown, ", "))
		if more := len(differences) - len(shown); more > 0 {
			text += fmt.Sprintf(", and %d more", more)
		}
		w = append(w, text)
	}
	switch {
	case a.WorkloadHash == "" || b.WorkloadHash == "":
		w = append(w, fmt.Sprintf("whether A and %s sent the same requests is not known: a workload_hash is missing", name))
	case a.WorkloadHash == b.WorkloadHash:
	case len(differences) == 0 && drawsByTime(a.report.Spec):
		w = append(w, fmt.Sprintf("A and %s sent the same sequence of requests, but not as many: a closed loop bounded by time sends what is answered", name))
	default:
		left, right := firstApart(strings.Fields(a.WorkloadHash), strings.Fields(b.WorkloadHash))
		w = append(w, fmt.Sprintf("A and %s did not send the same requests (workload_hash %.8s and %.8s)", name, left, right))
	}
	if commonStages([]ComparedRun{*a, *b}) == nil && (len(a.report.Stages) > 1 || len(b.report.Stages) > 1) {
		w = append(w, fmt.Sprintf("A and %s have other stages; the figures are over all of them", name))
	}
	return w
}

// firstApart are the first hashes that differ; of two rows of trials of which one is
// only longer, that it is missing.
func firstApart(a, b []string) (string, string) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	return append(a, "none")[0], append(b, "none")[0]
}

// drawsByTime reports whether how much is sent depends on the endpoint.
func drawsByTime(s *workload.Spec) bool {
	return s != nil && slices.ContainsFunc(s.Load.Stages, func(st workload.Stage) bool {
		return st.Concurrency != nil && st.Requests == 0
	})
}

// aside are keys of a spec that change nothing about what is sent and measured.
var aside = []string{"name", "labels", "gates", "agents", "wait_ready", "preflight", "trials", "endpoint.api_key", "endpoint.api_key_env", "endpoint.model"}

// specDifferences names the keys that differ with both values.
func specDifferences(a, b *workload.Spec) []string {
	left, right := flatSpec(a), flatSpec(b)
	keys := maps.Clone(left)
	maps.Copy(keys, right)
	var differences []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if left[k] == right[k] || slices.ContainsFunc(aside, func(p string) bool { return k == p || strings.HasPrefix(k, p+".") }) {
			continue
		}
		differences = append(differences, fmt.Sprintf("%s %s → %s", k, unset(left[k]), unset(right[k])))
	}
	return differences
}

func unset(v string) string {
	if v == "" {
		return "(unset)"
	}
	return cut(printable(v), 40)
}

// flatSpec is a spec as values by path; secrets are masked.
func flatSpec(s *workload.Spec) map[string]string {
	flat := map[string]string{}
	data, err := json.Marshal(s)
	if err != nil {
		return flat
	}
	var tree any
	if json.Unmarshal(data, &tree) == nil {
		flatten(tree, "", flat)
	}
	return flat
}

func flatten(v any, path string, into map[string]string) {
	switch t := v.(type) {
	case map[string]any:
		for k, e := range t {
			flatten(e, join(path, k), into)
		}
	case []any:
		for i, e := range t {
			flatten(e, path+"["+strconv.Itoa(i)+"]", into)
		}
	case string:
		into[path] = t
	case float64:
		into[path] = strconv.FormatFloat(t, 'g', -1, 64)
	case bool:
		into[path] = strconv.FormatBool(t)
	}
}

package main

import (
	"regexp"
	"strings"
)

// What people who come from other tools type.

// vllmChat is vLLM's backend for the chat API.
const vllmChat = "openai-chat"

// objective is one word of vLLM's --goodput.
var objective = regexp.MustCompile(`^(ttft|tpot|e2el|e2e)[:=][0-9.]+[a-z]*$`)

// habits joins the words that vLLM's --goodput takes, which may be several, into
// one, as flags here take one.
func habits(args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		out = append(out, args[i])
		if args[i] == "--" {
			return append(out, args[i+1:]...)
		}
		name, _, joined := strings.Cut(args[i], "=")
		if name != "--goodput" && name != "--slo" {
			continue
		}
		var words []string
		for i+1 < len(args) && objective.MatchString(args[i+1]) {
			i++
			words = append(words, args[i])
		}
		switch {
		case len(words) == 0:
		case joined: // --goodput=ttft:500 tpot:50
			out[len(out)-1] += "," + strings.Join(words, ",")
		default:
			out = append(out, strings.Join(words, ","))
		}
	}
	return out
}

// foreign says what flags of other tools are called here. docs/migrate.md has all
// of them.
var foreign = map[string]string{
	// vLLM
	"base-url":           "--url, with /v1 at its end",
	"host":               "--url http://HOST:PORT/v1",
	"port":               "--url http://HOST:PORT/v1",
	"endpoint":           "--api chat or --api completions, beside --url",
	"dataset-name":       "--dataset NAME; random is the default here, synthetic",
	"dataset-path":       "--dataset FILE",
	"random-range-ratio": "--input-tokens uniform:LOW:HIGH",
	"num-warmups":        "--warmup N",
	"save-result":        "--export vllm, beside --out DIR",
	"save-detailed":      "--export vllm, beside --out DIR",
	"result-dir":         "--out DIR",
	"result-filename":    "--out DIR; files are named by the run's id",
	"metadata":           "--label K=V",
	"percentile-metrics": "nothing: all percentiles of all figures are reported",
	"metric-percentiles": "nothing: all percentiles of all figures are reported",
	"disable-tqdm":       "--no-progress",
	"served-model-name":  "--model NAME",
	// AIPerf
	"request-count":                "--requests N",
	"benchmark-duration":           "--duration D",
	"warmup-request-count":         "--warmup N",
	"synthetic-input-tokens-mean":  "--input-tokens MEAN or normal:MEAN:STD",
	"output-tokens-mean":           "--output-tokens MEAN or normal:MEAN:STD",
	"synthetic-input-tokens-std":   "--input-tokens normal:MEAN:STD",
	"synthetic-input-tokens-stdev": "--input-tokens normal:MEAN:STD",
	"streaming":                    "nothing: replies are streamed unless --stream=false",
	"output-artifact-dir":          "--out DIR",
	"artifact-dir":                 "--out DIR",
	"random-seed":                  "--seed N",
	"extra-inputs":                 "--extra-body JSON",
	// GuideLLM
	"target":       "--url, with /v1 at its end",
	"rate-type":    "--rate R or --concurrency N; a list makes one stage each",
	"profile":      "--rate R or --concurrency N; a list makes one stage each",
	"max-requests": "--requests N",
	"data":         "--dataset, or --input-tokens and --output-tokens",
	"output-path":  "--out DIR, and --export guidellm",
}

var unknownFlag = regexp.MustCompile(`^unknown flag: --([a-z0-9-]+)`)

// foreignHint translates an unknown flag that another tool knows.
func foreignHint(err error) string {
	m := unknownFlag.FindStringSubmatch(err.Error())
	if m == nil || foreign[m[1]] == "" {
		return ""
	}
	return "here that is " + foreign[m[1]]
}

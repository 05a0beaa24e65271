package main

import (
	"regexp"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/workload"
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
	"save-result":        "--export vllm, beside --out DIR",
	"save-detailed":      "--export vllm, beside --out DIR",
	"result-filename":    "--out DIR; files are named by the run's id",
	"metadata":           "--label K=V",
	"percentile-metrics": "nothing: all percentiles of all figures are reported",
	"metric-percentiles": "nothing: all percentiles of all figures are reported",
	"disable-tqdm":       "--no-progress",
	"served-model-name":  "--model NAME",
	// AIPerf
	"synthetic-input-tokens-mean":   "--input-tokens MEAN or normal:MEAN:STD",
	"output-tokens-mean":            "--output-tokens MEAN or normal:MEAN:STD",
	"prompt-input-tokens-mean":      "--input-tokens MEAN or normal:MEAN:STD",
	"prompt-output-tokens-mean":     "--output-tokens MEAN or normal:MEAN:STD",
	"isl-stddev":                    "--input-tokens normal:MEAN:STD",
	"osl-stddev":                    "--output-tokens normal:MEAN:STD",
	"synthetic-input-tokens-stddev": "--input-tokens normal:MEAN:STD",
	"output-tokens-stddev":          "--output-tokens normal:MEAN:STD",
	"model-names":                   "--model NAME",
	"request-timeout-seconds":       "--request-timeout D",
	"public-dataset":                "--dataset FILE",
	"input-file":                    "--dataset FILE",
	"api-key":                       "--api-key-env NAME, so that no key stands in a process list",
	"num-dataset-entries":           "nothing: synthetic prompts have no end",
	"streaming":                     "nothing: replies are streamed unless --stream=false",
	"extra-inputs":                  "--extra-body JSON",
	// GuideLLM
	"target":      "--url, with /v1 at its end",
	"rate-type":   "--rate R or --concurrency N; a list makes one stage each",
	"profile":     "--rate R or --concurrency N; a list makes one stage each",
	"data":        "--dataset, or --input-tokens and --output-tokens",
	"outputs":     "--export guidellm, beside --out DIR",
	"output-path": "--out DIR, and --export guidellm",
	"rampup":      "a stage with rate and end_rate in a spec file, -f FILE",
}

// seconds is a duration that may also be given as other tools take it, as a bare
// number of seconds.
type seconds time.Duration

func (s *seconds) String() string {
	if *s == 0 {
		return "" // nothing to show as a default
	}
	return time.Duration(*s).String()
}

// Set implements pflag.Value.
func (s *seconds) Set(text string) error {
	d, err := workload.ParseDuration(text)
	if err != nil {
		return err
	}
	*s = seconds(d)
	return nil
}

// Type implements pflag.Value.
func (s *seconds) Type() string { return "duration" }

package report

// Definition says what a figure means.
type Definition struct {
	// ID is the figure's name in a report.
	ID string `json:"-"`
	// Formula in the instants and counts of one request or of the run.
	Formula string `json:"formula"`
	// Unit is "s", "1/s", "tokens", "1" or "ratio" (0 to 1).
	Unit string `json:"unit"`
}

// Definitions explains every figure that a report can hold, in reading order.
// A report repeats them, so that a file read years later still says what its
// numbers mean.
func Definitions() []Definition {
	return append([]Definition(nil), definitions...)
}

// definition returns the definition of a figure.
func definition(id string) (Definition, bool) {
	for _, d := range definitions {
		if d.ID == id {
			return d, true
		}
	}
	return Definition{}, false
}

// definitionMap is definitions as the report's JSON object; encoding/json sorts
// its keys.
func definitionMap() map[string]Definition {
	m := make(map[string]Definition, len(definitions))
	for _, d := range definitions {
		m[d.ID] = d
	}
	return m
}

var definitions = []Definition{
	{"ttft", "first_token - sent; first_token is the first chunk with a token of any kind (content, reasoning, tool call)", "s"},
	{"ttfo", "first_output - sent; first_output is the first non-empty content, after reasoning", "s"},
	{"ttst", "second token chunk - first_token", "s"},
	{"tpot", "(last_token - first_token) / (output_tokens - tokens of the first chunk), per request with 2 token chunks or more; reasoning tokens that were counted but never streamed leave the denominator", "s"},
	{"itl", "gaps between successive tokens, pooled over requests; a chunk of m tokens that comes g after the one before gives m gaps of g/m; the first chunk gives none", "s"},
	{"icl", "gaps between successive token chunks, pooled over requests", "s"},
	{"ntpot", "(last_token - sent) / output_tokens", "s"},
	{"e2e", "last_token - sent", "s"},
	{"ttft_from_schedule", "first_token - intended; null in closed loop", "s"},
	{"e2e_from_schedule", "last_token - intended; null in closed loop", "s"},
	{"lateness", "sent - intended, of the first attempt", "s"},
	{"connect", "time spent to open a connection for a request; no value for a request on a ready connection", "s"},
	{"stamp_uncertainty", "width of the interval in which a token may have arrived because its read was shared; pooled over token chunks, each that shared its read counts with the widest interval of its request, any other with 0", "s"},
	{"read_delay", "read in the process - receive stamp, the longest of the request", "s"},
	{"tokens_per_second_per_user", "(output_tokens - 1) / (last_token - first_token), per request", "1/s"},
	{"input_tokens", "prompt tokens by usage", "tokens"},
	{"output_tokens", "output tokens: usage first, else as token_source says", "tokens"},
	{"output_tokens_asked", "output tokens that were asked for", "tokens"},
	{"reasoning_tokens", "reasoning tokens by usage", "tokens"},
	{"cached_tokens", "prompt tokens answered from a prefix cache, by usage", "tokens"},
	{"cache_hit_rate", "cached_tokens / input_tokens", "ratio"},
	{"in_flight_mean", "time-weighted mean of requests sent and not ended, from first sent to last end", "1"},
	{"in_flight_peak", "most requests sent and not ended at a time, on a grid of 10 ms", "1"},
	{"duration", "first sent to last last_token of the measured phase", "s"},
	{"request_throughput", "succeeded requests / duration", "1/s"},
	{"input_throughput", "input tokens of succeeded requests / duration", "1/s"},
	{"output_throughput", "output tokens of succeeded requests / duration", "1/s"},
	{"total_token_throughput", "input and output tokens of succeeded requests / duration", "1/s"},
	{"steady_request_throughput", "requests that succeeded, by their end, from end of warmup to end of dispatch / that time", "1/s"},
	{"steady_input_throughput", "input tokens of requests that succeeded, by their end, from end of warmup to end of dispatch / that time", "1/s"},
	{"steady_output_throughput", "output tokens of succeeded requests by their own arrival time, from end of warmup to end of dispatch / that time", "1/s"},
	{"steady_total_token_throughput", "steady_input_throughput + steady_output_throughput", "1/s"},
	{"peak_output_throughput", "most output tokens of succeeded requests in any window of min(5 s, duration) / its length; also the top-level Throughput", "1/s"},
	{"offered_rate", "planned requests, later turns of sessions and what was due only after a stop left out, / dispatch window (the stages' own time, no drain); null in closed loop", "1/s"},
	{"achieved_rate", "requests sent within the dispatch window, in open loop without later turns of sessions, / dispatch window", "1/s"},
	{"dispatch_window", "the stages' own time, from their begin to the end of dispatch", "s"},
	{"sent", "requests of which a first byte was written", "1"},
	{"tokens_of_failed", "output tokens streamed by requests that did not succeed; in no other figure", "tokens"},
	{"fail_rate", "(failed + timed_out) / (succeeded + failed + timed_out)", "ratio"},
	{"slo.attainment", "requests that succeeded and met every objective / (planned - unsent - cancelled); null without objectives; a one-token answer is not judged by tpot", "ratio"},
	{"slo.goodput_rps", "requests that succeeded and met every objective / duration", "1/s"},
	{"SLO", "with objectives: slo.attainment; without: succeeded and sent within time_tolerance / planned", "ratio"},
	{"TTFT", "metrics.ttft", "s"},
	{"TPOT", "metrics.tpot", "s"},
	{"latency", "metrics.e2e", "s"},
	{"Throughput", "throughput.peak_output_throughput", "1/s"},
	{"RPS", "throughput.request_throughput", "1/s"},
	{"request_num", "accounting.planned", "1"},
	{"planned", "open loop: entries that the schedule yields within all bounds; closed loop: entries drawn; succeeded + failed + timed_out + cancelled + unsent + lost", "1"},
	{"succeeded", "a full reply with at least one token", "1"},
	{"failed", "the endpoint or the way to it failed", "1"},
	{"timed_out", "the request exceeded limits.request_timeout", "1"},
	{"cancelled", "the run was stopped while the request was in flight", "1"},
	{"unsent", "never sent: the run was stopped, or an earlier turn of its session failed", "1"},
	{"lost", "its agent went silent and no outcome is known, or its time had passed when a dead agent's work was taken over", "1"},
	{"ci95", "95 % interval, lower and upper end, of a mean or percentile within this run: order statistics at the ranks that the binomial distribution gives for as many independent values as the run is worth, by batches of consecutive requests (for gaps between tokens, too, the request is the unit); mean by batch means; null where these are too few, on a load that changes, and while load builds up; other runs may differ by more", "s"},
}

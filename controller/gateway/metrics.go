package gateway

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// newMetrics returns /metrics: what the store and the controller know at the
// moment of asking. Figures of single runs are of live ones alone, so that their
// number does not grow with time.
func newMetrics(cfg Config) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{cfg: cfg},
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// collector makes metrics out of the store.
type collector struct{ cfg Config }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("stampede_"+name, help, labels, nil)
}

var (
	descBuild   = describe("build_info", "The controller's version; always 1.", "version")
	descTests   = describe("tests", "Tests that are registered.")
	descRuns    = describe("runs", "Runs by state.", "state")
	descAgents  = describe("agents", "Agents by whether they are connected or were cut off within their lease.", "state")
	descSamples = describe("samples_folded_total", "Outcomes of requests, warmup included, that have been folded into reports.")
	descBatches = describe("batches_folded_total", "Batches of outcomes that agents sent and that were folded.")
)

// Descriptions of live runs' figures; warmup is in none of them but the last two.
var (
	descPlanned   = describe("run_planned_requests", "Requests that the schedule of a live run holds, or has drawn so far.", "test_id", "run_id")
	descSent      = describe("run_sent_requests_total", "Requests of a live run that were sent.", "test_id", "run_id")
	descSucceeded = describe("run_succeeded_requests_total", "Requests of a live run that succeeded.", "test_id", "run_id")
	descFailed    = describe("run_failed_requests_total", "Requests of a live run that failed, timeouts included.", "test_id", "run_id")
	descLost      = describe("run_lost_requests_total", "Requests of a live run whose outcome is unknown.", "test_id", "run_id")
	descTTFT      = describe("run_ttft_seconds", "Time to first token of a live run so far.", "test_id", "run_id", "quantile")
	descTokens    = describe("run_output_tokens_per_second", "Output tokens of requests of a live run that ended in the last second.", "test_id", "run_id")
	descInFlight  = describe("run_in_flight_requests", "Requests of a live run that were sent and have no outcome.", "test_id", "run_id")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descBuild, descTests, descRuns, descAgents, descSamples, descBatches,
		descPlanned, descSent, descSucceeded, descFailed, descLost, descTTFT, descTokens, descInFlight,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(descBuild, 1, c.cfg.Version)
	gauge(descTests, float64(c.cfg.Store.CountTests()))
	connected, cutOff := 0, 0
	for _, a := range c.cfg.Store.Agents(nil) {
		if a.Connected {
			connected++
		} else {
			cutOff++
		}
	}
	gauge(descAgents, float64(connected), "connected")
	gauge(descAgents, float64(cutOff), "cut_off")
	figures := c.cfg.Control.Figures()
	counter(descSamples, figures.SamplesFolded)
	counter(descBatches, figures.BatchesFolded)

	runs := c.cfg.Store.AllRuns(nil)
	for state, n := range byState(runs) {
		gauge(descRuns, float64(n), state)
	}
	for _, r := range runs {
		if !r.Ended() {
			collectRun(r, gauge, counter)
		}
	}
}

// byState counts runs by the states that a run can have.
func byState(runs []*store.Run) map[string]int {
	counts := map[string]int{}
	for number := range stampedev1.State_name {
		s := stampedev1.State(number)
		if s != stampedev1.State_STATE_UNSPECIFIED && s != stampedev1.State_STATE_REGISTERED {
			counts[stateWord(s)] = 0
		}
	}
	for _, r := range runs {
		counts[stateWord(r.State)]++
	}
	return counts
}

func stateWord(s stampedev1.State) string { return s.String()[len("STATE_"):] }

func collectRun(r *store.Run, gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	p := r.Progress
	if p == nil {
		return
	}
	gauge(descPlanned, float64(p.GetPlannedCount()), r.TestID, r.ID)
	counter(descSent, p.GetSentCount(), r.TestID, r.ID)
	counter(descSucceeded, p.GetSucceededCount(), r.TestID, r.ID)
	counter(descFailed, p.GetFailedCount(), r.TestID, r.ID)
	counter(descLost, p.GetLostCount(), r.TestID, r.ID)
	gauge(descTokens, p.GetOutputTokensPerSecond(), r.TestID, r.ID)
	gauge(descInFlight, float64(p.GetInFlightCount()), r.TestID, r.ID)
	for quantile, nanos := range map[string]int64{"0.5": p.GetTtftP50Nanos(), "0.99": p.GetTtftP99Nanos()} {
		if nanos > 0 {
			gauge(descTTFT, float64(nanos)/1e9, r.TestID, r.ID, quantile)
		}
	}
}

package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
)

// traceStatus counts the requests of a test in one state.
type traceStatus struct {
	Timestamp string `json:"timestamp"`
	Number    int64  `json:"number"`
	Status    string `json:"status"`
}

func (g *Gateway) seedTraceStatus(w http.ResponseWriter, r *seedRequest) {
	var sent, ended, failed int64
	if _, run := g.find(r.id); run != nil {
		p := run.Progress
		sent, failed = p.GetSentCount(), p.GetFailedCount()
		ended = p.GetSucceededCount() + failed
	}
	now := time.Now().Format(seedTime)
	writeJSON(w, http.StatusOK, []traceStatus{{now, sent, "total"}, {now, ended, "finish"}, {now, failed, "failed"}})
}

// Bounds of sample_len, in seconds.
const (
	defaultSampleLen = 5
	maxSampleLen     = 60
)

// tokenRate is how fast output came.
type tokenRate struct {
	TPS       float64 `json:"tps"`
	Timestamp string  `json:"timestamp"`
}

func (g *Gateway) seedTraceTPS(w http.ResponseWriter, r *seedRequest) {
	seconds := defaultSampleLen
	if query := r.URL.Query(); query.Has("sample_len") {
		n, err := strconv.Atoi(query.Get("sample_len"))
		switch {
		case err != nil:
			writeFaults(w, queryFault("sample_len", "Input should be a valid integer, unable to parse string as an integer", "int_parsing"))
			return
		case n < 1:
			writeFaults(w, queryFault("sample_len", "Input should be greater than 0", "greater_than"))
			return
		case n > maxSampleLen:
			writeFaults(w, queryFault("sample_len", fmt.Sprintf("Input should be less than or equal to %d", maxSampleLen), "less_than_equal"))
			return
		}
		seconds = n
	}
	rate := tokenRate{Timestamp: time.Now().Format(seedTime)}
	if _, run := g.find(r.id); run != nil && !run.Ended() {
		rate.TPS = g.cfg.Control.OutputTokens(run.ID, seconds)
	}
	writeJSON(w, http.StatusOK, rate)
}

func (g *Gateway) seedWorkers(w http.ResponseWriter, _ *seedRequest) {
	ids := []string{}
	for _, a := range g.cfg.Store.Agents(nil) {
		ids = append(ids, a.ID)
	}
	writeJSON(w, http.StatusOK, map[string][]string{"workers": ids})
}

func (g *Gateway) seedWorker(w http.ResponseWriter, r *seedRequest) {
	health := "unresponsive"
	if slices.ContainsFunc(g.cfg.Store.Agents(nil), func(a *store.Agent) bool { return a.ID == r.id && a.Connected }) {
		health = "healthy"
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": health})
}

// datasetInfo is one value of dataset_name.
type datasetInfo struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// seedDatasetNames are the values that the body knows.
var seedDatasetNames = []datasetInfo{
	{"synthesizer", "Synthesizer", "Arrivals by dataset_config.func, prompts from dataset_config.prompt_source: synthetic, a file, or one of the other datasets."},
	{"arena", "Chatbot Arena conversations", "Recorded conversations of people with language models, replayed at the times they took place."},
	{"oasst1", "OpenAssistant conversations", "Conversation trees written by volunteers, replayed at the times they were written."},
	{"dolly", "Databricks Dolly 15k", "Instructions written by hand; without times of their own, one visit a second."},
	{"openorca", "OpenOrca", "Instructions with system prompts; without times of their own, one visit a second."},
}

func (g *Gateway) seedDatasets(w http.ResponseWriter, _ *seedRequest) {
	writeJSON(w, http.StatusOK, map[string][]datasetInfo{"available_datasets": seedDatasetNames})
}

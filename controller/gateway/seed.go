package gateway

import (
	"net/http"
	"strings"
)

// seedRoute is a route of the original, in the spellings of both its code bases.
type seedRoute struct {
	method string
	paths  []string
	// summary, query and answer describe it for /openapi.json.
	summary string
	query   []seedParam
	answer  string // media type
	// changes says that it changes something, whatever its method.
	changes bool
	handle  func(g *Gateway, w http.ResponseWriter, r *seedRequest)
}

// seedParam is a parameter of the query.
type seedParam struct {
	name, kind  string // a kind of JSON schema
	description string
	required    bool
}

// seedRequest is a request to such a route.
type seedRequest struct {
	*http.Request
	id    string // from the path; shown in answers
	later bool   // in the later spelling, whose answers differ here and there
}

const (
	typeJSON = "application/json"
	typePNG  = "image/png"
	typeZIP  = "application/zip"
)

// seedRoutes are the original's routes. The first path is the earlier spelling.
var seedRoutes = []seedRoute{
	{http.MethodPost, []string{"/register_test", "/tests/register"}, "Register a test and answer with its id.", nil, typeJSON, true, (*Gateway).seedRegister},
	{http.MethodPost, []string{"/register_and_start_test", "/tests/register_and_start"}, "Register a test, start it and answer with its id.", nil, typeJSON, true, (*Gateway).seedRegisterAndStart},
	{http.MethodGet, []string{"/start_test/{id}", "/tests/start/{id}"}, "Start a test; one that has ended is run again.", nil, typeJSON, true, (*Gateway).seedStart},
	{http.MethodGet, []string{"/test_status/{id}", "/tests/status/{id}"}, "How far a test is: init, pending, running, finish or error.", nil, typeJSON, false, (*Gateway).seedStatus},
	{http.MethodGet, []string{"/config/{id}", "/tests/config/{id}"}, "The body as registered, secrets masked.", nil, typeJSON, false, (*Gateway).seedConfig},
	{http.MethodGet, []string{"/test_model/{id}", "/tests/model/{id}"}, "The model of a test.", nil, typeJSON, false, (*Gateway).seedModel},
	{http.MethodGet, []string{"/error_info/{id}", "/tests/error_info/{id}"}, "Why a test has failed.", nil, typeJSON, false, (*Gateway).seedError},
	{http.MethodGet, []string{"/id_list", "/tests/id_list"}, "All tests, newest first: id, nickname, when it was registered.", nil, typeJSON, false, (*Gateway).seedList},
	{http.MethodGet, []string{"/set_nickname/{id}", "/tests/set_nickname/{id}"}, "Give a test a name for people.", []seedParam{{"nickname", "string", "The name.", true}}, typeJSON, true, (*Gateway).seedNickname},
	{http.MethodGet, []string{"/delete_test/{id}", "/tests/delete/{id}"}, "Delete a test with its files.", nil, typeJSON, true, (*Gateway).seedDelete},
	{http.MethodGet, []string{"/delete_all_tests", "/tests/delete_all"}, "Delete all tests that are not running, with their files.", nil, typeJSON, true, (*Gateway).seedDeleteAll},
	{http.MethodGet, []string{"/get/workload_hash/{id}", "/tests/workload_hash/{id}"}, "The workload hash of a test that has ended.", nil, typeJSON, false, (*Gateway).seedHash},
	{http.MethodGet, []string{"/report/json/{id}", "/tests/report/json/{id}"}, "The report of a test that has ended.", nil, typeJSON, false, (*Gateway).seedReport},
	{http.MethodGet, []string{"/report/throughput/{id}", "/tests/report/throughput/{id}"}, "Output tokens per second over time, as a picture.", nil, typePNG, false, (*Gateway).seedThroughputPlot},
	{http.MethodGet, []string{"/report/requests_status/{id}", "/tests/report/requests_status/{id}"}, "Requests over time by what became of them, as a picture.", nil, typePNG, false, (*Gateway).seedRequestsPlot},
	{http.MethodGet, []string{"/report/download/{id}", "/tests/report/download/{id}"}, "All files of a test that has ended.", nil, typeZIP, false, (*Gateway).seedDownload},
	{http.MethodGet, []string{"/trace/status/{id}"}, "How many requests were sent, have ended and have failed.", nil, typeJSON, false, (*Gateway).seedTraceStatus},
	{http.MethodGet, []string{"/trace/tps/{id}"}, "Output tokens per second of the last seconds.", []seedParam{
		{"model", "string", "Has no effect: tokens are counted by the endpoint's usage.", false},
		{"sample_len", "integer", "How many seconds, 1 to 60. Default 5.", false},
	}, typeJSON, false, (*Gateway).seedTraceTPS},
	{http.MethodGet, []string{"/workers"}, "The agents that are connected.", nil, typeJSON, false, (*Gateway).seedWorkers},
	{http.MethodGet, []string{"/workers/{id}"}, "Whether an agent is healthy.", nil, typeJSON, false, (*Gateway).seedWorker},
	{http.MethodGet, []string{"/dataset_list"}, "The values of dataset_name that can be had.", nil, typeJSON, false, (*Gateway).seedDatasets},
}

func seedHandler(g *Gateway, route seedRoute) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		route.handle(g, w, &seedRequest{Request: r, id: r.PathValue("id"), later: strings.HasPrefix(r.URL.Path, "/tests/")})
	}
}

// maxShownID bounds how much of an id an answer repeats, in runes. Those of tests
// and runs are shorter.
const maxShownID = 80

// shown is an id that may be nonsense, as an answer repeats it.
func shown(id string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd {
			return -1
		}
		return r
	}, strings.ToValidUTF8(id, ""))
	if runes := []rune(clean); len(runes) > maxShownID {
		return string(runes[:maxShownID]) + "…"
	}
	return clean
}

package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/internal/auth"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// document returns /openapi.json.
func openAPI(t *testing.T) (doc struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Paths      map[string]map[string]map[string]any
	Components struct{ Schemas, Responses map[string]any }
}) {
	t.Helper()
	w := newRig(t).ask(http.MethodGet, "/openapi.json", "")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc := openAPI(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Version != "v0.0.0-test" {
		t.Errorf("%s %+v", doc.OpenAPI, doc.Info)
	}
	for _, r := range seedRoutes {
		for _, path := range r.paths {
			if op := doc.Paths[path][strings.ToLower(r.method)]; op == nil || op["summary"] == "" {
				t.Errorf("%s %s is not described", r.method, path)
			}
		}
	}
	described := map[any]bool{}
	for _, item := range doc.Paths {
		for _, op := range item {
			if described[op["operationId"]] {
				t.Errorf("two operations are called %v", op["operationId"])
			}
			described[op["operationId"]] = true
		}
	}
	for _, m := range stampedev1.TestService_ServiceDesc.Methods {
		if !described["TestService_"+m.MethodName] {
			t.Errorf("rpc %s is not described", m.MethodName)
		}
	}
	for _, s := range stampedev1.TestService_ServiceDesc.Streams {
		if !described["TestService_"+s.StreamName] {
			t.Errorf("rpc %s is not described", s.StreamName)
		}
	}
}

// Every reference leads somewhere.
func TestOpenAPIReferences(t *testing.T) {
	w := newRig(t).ask(http.MethodGet, "/openapi.json", "")
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && !leads(doc, ref) {
				t.Errorf("%s leads nowhere", ref)
			}
			for _, child := range v {
				visit(child)
			}
		case []any:
			for _, child := range v {
				visit(child)
			}
		}
	}
	visit(doc)
}

func leads(doc any, ref string) bool {
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := doc.(map[string]any)
		if !ok || m[step] == nil {
			return false
		}
		doc = m[step]
	}
	return true
}

// What is described is answered, and what is asked for with GET and changes
// something demands a token that may.
func TestRoutesAreServedAndDemandTheRightRole(t *testing.T) {
	for _, r := range seedRoutes {
		for _, path := range r.paths {
			path = strings.Replace(path, "{id}", "x", 1)
			if w := newRig(t).ask(r.method, path, ""); w.Code == http.StatusMethodNotAllowed || strings.Contains(w.Body.String(), `"Not Found"`) {
				t.Errorf("%s %s: %d %s", r.method, path, w.Code, w.Body)
			}
			want := auth.Read
			if r.changes {
				want = auth.Run
			}
			if got := auth.RequestRole(httptest.NewRequest(r.method, path, nil)); got != want {
				t.Errorf("%s %s demands %v, want %v", r.method, path, got, want)
			}
		}
	}
	for path, want := range map[string]auth.Role{"/metrics": auth.Read, "/healthz": auth.Open, "/openapi.json": auth.Open, "/v1/tests": auth.Read} {
		if got := auth.RequestRole(httptest.NewRequest(http.MethodGet, path, nil)); got != want {
			t.Errorf("GET %s demands %v, want %v", path, got, want)
		}
	}
}

func TestSpellingsComeInPairs(t *testing.T) {
	alone := []string{"/trace/status/{id}", "/trace/tps/{id}", "/workers", "/workers/{id}", "/dataset_list"}
	for _, r := range seedRoutes {
		if len(r.paths) != 2 && !slices.Contains(alone, r.paths[0]) || len(r.paths) == 2 && !strings.HasPrefix(r.paths[1], "/tests/") {
			t.Errorf("%v", r.paths)
		}
	}
}

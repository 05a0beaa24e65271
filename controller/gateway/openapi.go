package gateway

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// restDocument describes /v1; it is generated from the proto files.
//
//go:embed restapi/stampede/v1/test_service.openapi.json
var restDocument []byte

// object is a JSON object.
type object = map[string]any

// describe returns /openapi.json: what is generated for /v1, and the routes that
// stand in this package's tables.
func (g *Gateway) describe() []byte {
	doc, err := document(restDocument, g.cfg.Version)
	if err != nil {
		g.log.Error("openapi.json is not there", "err", err)
		return []byte(`{"detail":"the description could not be made"}`)
	}
	return doc
}

func document(generated []byte, version string) ([]byte, error) {
	var doc struct {
		OpenAPI    string            `json:"openapi"`
		Info       object            `json:"info"`
		Paths      map[string]object `json:"paths"`
		Components struct {
			Schemas   object `json:"schemas"`
			Responses object `json:"responses,omitempty"`
		} `json:"components"`
		Tags []object `json:"tags"`
	}
	if err := json.Unmarshal(generated, &doc); err != nil {
		return nil, fmt.Errorf("generated description of /v1: %w", err)
	}
	doc.Info = object{
		"title": "Stampede", "version": version,
		"description": "Load tests for language model endpoints. Under /v1 are the services as JSON; the other routes are those that clients of the original know, in the spellings of both its code bases.",
	}
	for _, item := range doc.Paths {
		refineREST(item)
	}
	doc.Paths[uploadPath]["post"].(object)["description"] = "With the query file_name=NAME the body is the file's bytes as they stand; without it, one message a line, each as in the schema."
	for _, r := range seedRoutes {
		for i, path := range r.paths {
			doc.Paths[path] = object{strings.ToLower(r.method): describeSeed(r, i)}
		}
	}
	maps.Copy(doc.Paths, ownPaths())
	maps.Copy(doc.Components.Schemas, ownSchemas())
	doc.Components.Responses = object{
		"Error":   jsonAnswer("Something is wrong; detail says what.", "Error"),
		"Invalid": jsonAnswer("The body or the query is wrong; all faults at once.", "Invalid"),
	}
	doc.Tags = append(doc.Tags,
		object{"name": "original", "description": "The routes of the original."},
		object{"name": "operation", "description": "For those who run the controller."})
	return json.Marshal(doc)
}

// refineREST says what the generator can't know: how errors look, and that a
// stream is one message a line.
func refineREST(item object) {
	for _, op := range item {
		op, ok := op.(object)
		if !ok {
			continue
		}
		answers := op["responses"].(object)
		answers["default"] = object{"$ref": "#/components/responses/Error"}
		switch op["operationId"] {
		case "TestService_WatchTest", "TestService_StreamSamples":
			content := answers["200"].(object)["content"].(object)
			content["application/x-ndjson"] = content[typeJSON]
			delete(content, typeJSON)
		case "TestService_GetReport":
			answers["200"] = object{"description": "The report as it stands in report_ID.json.", "content": object{typeJSON: object{"schema": object{"type": "object"}}}}
		}
	}
}

func describeSeed(r seedRoute, spelling int) object {
	answers := object{
		"200":     object{"description": "The answer.", "content": object{r.answer: object{}}},
		"default": object{"$ref": "#/components/responses/Error"},
	}
	op := object{
		"tags": []string{"original"}, "summary": r.summary, "responses": answers,
		"operationId": "original_" + strings.NewReplacer("/", "_", "{", "", "}", "").Replace(strings.TrimPrefix(r.paths[spelling], "/")),
	}
	var parameters []object
	if strings.Contains(r.paths[spelling], "{id}") {
		parameters = append(parameters, object{"name": "id", "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.query {
		parameters = append(parameters, object{"name": p.name, "in": "query", "required": p.required, "description": p.description, "schema": object{"type": p.kind}})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if len(r.query) > 0 || strings.Contains(r.paths[spelling], "register") {
		answers["422"] = object{"$ref": "#/components/responses/Invalid"}
	}
	if strings.Contains(r.paths[spelling], "register") {
		op["requestBody"] = object{"required": true, "content": object{typeJSON: object{"schema": object{"$ref": "#/components/schemas/SeedBody"}}}}
	}
	return op
}

func jsonAnswer(description, schema string) object {
	return object{"description": description, "content": object{typeJSON: object{"schema": object{"$ref": "#/components/schemas/" + schema}}}}
}

func ownPaths() map[string]object {
	get := func(id, summary, media string) object {
		return object{"get": object{
			"tags": []string{"operation"}, "operationId": id, "summary": summary,
			"responses": object{"200": object{"description": "The answer.", "content": object{media: object{}}}},
		}}
	}
	return map[string]object{
		"/healthz":      get("healthz", "200 as long as the process lives.", "text/plain"),
		"/readyz":       get("readyz", "200 while the controller serves, 503 before and after.", "text/plain"),
		"/metrics":      get("metrics", "Metrics for Prometheus.", "text/plain"),
		"/openapi.json": get("openapi", "This description.", typeJSON),
	}
}

func ownSchemas() object {
	text, list := object{"type": "string"}, func(of object) object { return object{"type": "array", "items": of} }
	fields := func(required []string, properties object) object {
		return object{"type": "object", "required": required, "properties": properties}
	}
	anything := object{"type": "object"}
	return object{
		"Error": fields([]string{"detail"}, object{
			"detail": text, "code": text, "hint": text,
			"violations": list(fields([]string{"field", "description"}, object{"field": text, "description": text, "hint": text})),
		}),
		"Invalid": fields([]string{"detail"}, object{"detail": list(fields([]string{"loc", "msg", "type"}, object{
			"loc": list(object{"type": []string{"string", "integer"}}), "msg": text, "type": text,
		}))}),
		"SeedBody": fields([]string{"url", "model", "dataset_name", "endpoint_type"}, object{
			"url": text, "model": text, "dataset_name": text, "endpoint_type": text, "key": text, "test_id": text,
			"random_seed": object{"type": "integer"}, "max_run_time": object{"type": "number"}, "legacy": object{"type": "boolean"},
			"dataset_config": anything, "kwargs": anything,
			"workload_range": list(object{"type": []string{"integer", "null"}}),
		}),
	}
}

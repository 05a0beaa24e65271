package kube

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// release is the Kubernetes whose schemas are used, of those that kubectl-validate
// carries; every field here has been in since.
const release = "1.30"

// schemas finds the folder of OpenAPI documents, one for each group and version.
var schemas = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", "sigs.k8s.io/kubectl-validate").Output()
	if err != nil {
		return "", fmt.Errorf("kubectl-validate can't be had: %w", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", err
	}
	return filepath.Join(module.Dir, "pkg", "openapiclient", "builtins", release), nil
})

// checkSchema holds an object against the schema of its kind, in which no field
// may stand that the API does not know.
func checkSchema(t *testing.T, o object) {
	t.Helper()
	switch o.kind() {
	case "ServiceMonitor":
		if err := into(o, &monitoringv1.ServiceMonitor{}); err != nil {
			t.Errorf("%s: %v", o.name(), err)
		}
		return
	case "PodMonitor":
		if err := into(o, &monitoringv1.PodMonitor{}); err != nil {
			t.Errorf("%s: %v", o.name(), err)
		}
		return
	}
	schema, err := schemaOf(o.str("apiVersion"), o.kind())
	if err != nil {
		t.Fatalf("%s: %v", o.name(), err)
	}
	// Numbers as JSON has them, not as YAML's reader made them.
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s: %v", o.name(), err)
	}
}

var compiled sync.Map // of *jsonschema.Schema

func schemaOf(apiVersion, kind string) (*jsonschema.Schema, error) {
	if s, ok := compiled.Load(apiVersion + kind); ok {
		return s.(*jsonschema.Schema), nil
	}
	dir, err := schemas()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "apis", apiVersion+".json")
	if !strings.Contains(apiVersion, "/") {
		file = filepath.Join(dir, "api", apiVersion+".json")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("no schema for %s: %w", apiVersion, err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	name := ""
	for candidate, v := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		if isKind(v, apiVersion, kind) {
			name = candidate
		}
		closeObject(v)
	}
	if name == "" {
		return nil, fmt.Errorf("%s has no kind %s", apiVersion, kind)
	}
	c := jsonschema.NewCompiler()
	url := "file:///" + apiVersion + ".json"
	if err := c.AddResource(url, doc); err != nil {
		return nil, err
	}
	s, err := c.Compile(url + "#/components/schemas/" + name)
	if err != nil {
		return nil, err
	}
	compiled.Store(apiVersion+kind, s)
	return s, nil
}

func isKind(schema any, apiVersion, kind string) bool {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	list, _ := schema.(map[string]any)["x-kubernetes-group-version-kind"].([]any)
	for _, v := range list {
		m := v.(map[string]any)
		if m["group"] == group && m["version"] == version && m["kind"] == kind && len(list) == 1 {
			return true
		}
	}
	return false
}

// closeObject has every object with named properties refuse others, as a server
// does that is asked to be strict. It also drops what OpenAPI 3.0 means otherwise
// than JSON Schema.
func closeObject(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, named := v["properties"].(map[string]any); named && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for key, inner := range v {
			if key != "default" {
				closeObject(inner)
			}
		}
	case []any:
		for _, inner := range v {
			closeObject(inner)
		}
	}
}

// The check itself: what is wrong is found.
func TestSchemasAreStrict(t *testing.T) {
	good := `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "a"}]}}}}`
	for _, tt := range []struct{ from, to, says string }{
		{``, ``, ""},
		{`"selector": {}, `, ``, "selector"},
		{`"selector": {}`, `"selector": {}, "replcas": 2`, "replcas"},
		{`"selector": {}`, `"selector": {}, "replicas": "2"`, "replicas"},
		{`{"name": "a"}]`, `{"name": "a", "imagePullpolicy": "Never"}]`, "imagePullpolicy"},
		{`{"name": "a"}]`, `{}]`, "name"},
	} {
		s, err := schemaOf("apps/v1", "Deployment")
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(good, tt.from, tt.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		err = s.Validate(v)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want something about %q", tt.to, err, tt.says)
		}
	}
	monitor := object{"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "spec": map[string]any{"endpoints": []any{map[string]any{"prot": "http"}}}}
	if err := into(monitor, &monitoringv1.ServiceMonitor{}); err == nil || !strings.Contains(err.Error(), "prot") {
		t.Errorf("a ServiceMonitor with an unknown field: %v", err)
	}
}

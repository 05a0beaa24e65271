package kube

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// object is one manifest.
type object map[string]any

func (o object) str(path ...string) string {
	s, _ := o.at(path...).(string)
	return s
}

// at is the value at a path, nil when there is none.
func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func (o object) kind() string { return o.str("kind") }
func (o object) name() string { return o.kind() + "/" + o.str("metadata", "name") }

var deploy = filepath.Join("..", "..", "deploy")

// kustomized is what kubectl kustomize prints for a folder.
func kustomized(t *testing.T, folder string) []object {
	t.Helper()
	k := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	m, err := k.Run(filesys.MakeFsOnDisk(), filepath.Join(deploy, "kubernetes", folder))
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return split(t, text)
}

// helmed is what helm template prints for values.
func helmed(t *testing.T, values string) ([]object, error) {
	t.Helper()
	chart, err := loader.Load(filepath.Join(deploy, "helm", "stampede"))
	if err != nil {
		t.Fatal(err)
	}
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	options := chartutil.ReleaseOptions{Name: "bench", Namespace: "load", IsInstall: true, Revision: 1}
	full, err := chartutil.ToRenderValues(chart, given, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := (&engine.Engine{Strict: true}).Render(chart, full)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") {
			all = append(all, split(t, []byte(files[name]))...)
		}
	}
	return all, nil
}

func fromFile(t *testing.T, path string) []object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, path))
	if err != nil {
		t.Fatal(err)
	}
	return split(t, text)
}

// split reads the documents of a stream; a key that stands twice is an error.
func split(t *testing.T, text []byte) []object {
	t.Helper()
	var all []object
	for doc := range bytes.SplitSeq(text, []byte("\n---")) {
		var o object
		if err := yaml.UnmarshalStrict(doc, &o); err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if len(o) > 0 {
			all = append(all, o)
		}
	}
	return all
}

// into decodes an object into a type of Go; a key that it does not know is an error.
func into(o object, v any) error {
	text, err := yaml.Marshal(map[string]any(o))
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(text, v)
}

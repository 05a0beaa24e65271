// Package archtest holds the direction of imports: data flows one way, and no
// arrow runs back up.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stampede-bench/stampede"

// allowed lists what each package of ours may import of ours; internal/secret,
// internal/clock, internal/guard, internal/allow and internal/procs, which import
// nothing, are free to all.
var allowed = map[string][]string{
	".":                  {"agent", "client", "controller", "report", "workload"},
	"workload":           {"internal/draw", "internal/exactmath"},
	"workload/dataset":   {"proto/stampede/v1", "workload", "internal/draw"},
	"workload/source":    {"workload", "workload/dataset"},
	"schedule":           {"workload", "workload/dataset", "internal/draw", "internal/exactmath"},
	"measure":            {"measure/interval", "internal/snapshot"},
	"measure/interval":   {},
	"ledger":             {"measure", "internal/snapshot"},
	"target":             {"measure", "workload", "workload/dataset", "internal/retry"},
	"agent":              {"measure", "proto/stampede/v1", "schedule", "target", "workload", "workload/dataset", "workload/tokenizer", "internal/doctor", "internal/wire"},
	"report":             {"ledger", "measure", "measure/interval", "workload"},
	"report/export":      {"report", "workload"},
	"report/parquet":     {"measure", "report"},
	"report/plot":        {"report"},
	"controller":         {"controller/...", "ledger", "measure", "proto/stampede/v1", "report", "report/parquet", "schedule", "workload", "workload/dataset", "workload/source", "workload/tokenizer", "internal/gather", "internal/hub", "internal/snapshot", "internal/wire"},
	"controller/store":   {"proto/stampede/v1", "workload"},
	"controller/journal": {"proto/stampede/v1"},
	"controller/gateway": {"controller/gateway/restapi", "controller/store", "proto/stampede/v1", "report", "report/plot", "workload", "internal/wire"},

	"controller/gateway/restapi": {"proto/stampede/v1"},

	"client":               {"measure", "proto/stampede/v1", "report", "workload", "workload/source", "workload/tokenizer", "internal/gather", "internal/wire"},
	"simulate":             {"workload/tokenizer"},
	"bench":                {"agent", "client", "report", "simulate", "target", "workload", "internal/firehose"},
	"e2e":                  {},
	"e2e/harness":          {"report", "simulate"},
	"e2e/docs":             {},
	"e2e/fault":            {},
	"e2e/deploy":           {},
	"e2e/fleet":            {},
	"internal/wire":        {"measure", "proto/stampede/v1", "schedule", "workload"},
	"internal/allow":       {},
	"internal/auth":        {},
	"workload/tokenizer":   {},
	"internal/hub":         {"internal/allow", "internal/retry"},
	"internal/retry":       {},
	"internal/hub/hubtest": {},
	"internal/gather":      {"internal/hub", "workload", "workload/source", "workload/tokenizer"},
	"internal/secret":      {},
	"internal/guard":       {},
	"internal/clock":       {},
	"internal/draw":        {},
	"internal/doctor":      {},
	"internal/exactmath":   {},
	"internal/firehose":    {"measure", "proto/stampede/v1", "schedule", "target", "workload/dataset", "internal/wire"},
	"internal/procs":       {},
	"internal/plural":      {},
	"internal/origin":      {},
	"internal/archtest":    {},
	"internal/snapshot":    {},
	"proto/stampede/v1":    {},
	"cmd/stampede":         {".", "agent", "client", "controller", "report", "report/export", "report/parquet", "report/plot", "schedule", "simulate", "workload", "workload/dataset", "workload/source", "workload/tokenizer", "internal/..."},
}

var free = map[string]bool{
	"internal/secret": true, "internal/clock": true, "internal/guard": true, "internal/allow": true, "internal/procs": true, "internal/plural": true, "internal/origin": true,
}

func TestImportsPointOneWay(t *testing.T) {
	root := filepath.Join("..", "..")
	for pkg, imports := range packages(t, root) {
		rules, known := allowed[pkg]
		if !known {
			t.Errorf("package %s has no line in allowed: say what it may import", pkg)
			continue
		}
		for _, imp := range imports {
			if free[imp] || permits(rules, imp) {
				continue
			}
			t.Errorf("package %s imports %s, which is not in its line of allowed (%s)", pkg, imp, strings.Join(rules, ", "))
		}
	}
}

func TestOnlyTheStoreImportsMemdb(t *testing.T) {
	root := filepath.Join("..", "..")
	fset := token.NewFileSet()
	walkGo(t, root, func(pkg, path string) {
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			if strings.Contains(imp.Path.Value, "go-memdb") && pkg != "controller/store" {
				t.Errorf("%s imports go-memdb; only controller/store may", path)
			}
		}
	})
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	root := filepath.Join("..", "..")
	documented := map[string]bool{}
	fset := token.NewFileSet()
	walkGo(t, root, func(pkg, path string) {
		f, err := parser.ParseFile(fset, path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		documented[pkg] = documented[pkg] || f.Doc != nil || pkg == "proto/stampede/v1"
	})
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

func permits(rules []string, imp string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool {
		if tree, ok := strings.CutSuffix(rule, "/..."); ok {
			return strings.HasPrefix(imp, tree+"/")
		}
		return rule == imp
	})
}

// packages returns for each package of the module what non-test files import of
// the module, both relative to it.
func packages(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	fset := token.NewFileSet()
	walkGo(t, root, func(pkg, path string) {
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		if _, seen := found[pkg]; !seen {
			found[pkg] = nil
		}
		for _, imp := range f.Imports {
			name := strings.Trim(imp.Path.Value, `"`)
			if name == module {
				found[pkg] = append(found[pkg], ".")
			} else if rel, ok := strings.CutPrefix(name, module+"/"); ok {
				found[pkg] = append(found[pkg], rel)
			}
		}
	})
	return found
}

func walkGo(t *testing.T, root string, visit func(pkg, path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "tools") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && rel != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			visit(filepath.ToSlash(filepath.Dir(rel)), path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

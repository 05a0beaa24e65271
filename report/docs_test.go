package report

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateDocs = flag.Bool("update-docs", false, "write the table of docs/metrics.md anew")

// TestMetricsPageHasEveryFormula holds docs/metrics.md against the definitions
// that reports carry, so that the two can't part.
func TestMetricsPageHasEveryFormula(t *testing.T) {
	const begin, end = "<!-- definitions: written by go test ./report -update-docs -->\n", "<!-- end of definitions -->"
	name := filepath.Join("..", "docs", "metrics.md")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of its table", name)
	}
	var table strings.Builder
	table.WriteString("| id | formula | unit |\n|---|---|---|\n")
	for _, d := range Definitions() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", d.ID, strings.ReplaceAll(d.Formula, "|", "\\|"), d.Unit)
	}
	want := head + begin + table.String() + end + tail
	if *updateDocs {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("%s differs from the definitions; go test ./report -update-docs writes it anew", name)
	}
}

package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/reference/cli.md anew")

// docs/reference/cli.md says what --help says.
func TestCommandReference(t *testing.T) {
	name := filepath.Join("..", "..", "docs", "reference", "cli.md")
	root := newRoot(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	var page bytes.Buffer
	page.WriteString("# The command line\n\n<!-- generated from the commands by make generate; do not edit -->\n\nWhat follows is what `--help` prints; the commands in it are text, those of the other pages are run by the tests.\n\n" +
		"Results go to stdout; diagnostics go to stderr as `stampede: error: …`, with a `hint: …` where there is one.\n\n" +
		"Exit status, the first that applies: 130 interrupted · 2 usage or a bad spec · 1 the run failed · 3 the verdict is not valid · 4 a gate was missed · 0.\n")
	writeReference(&page, root)
	if *updateDocs {
		if err := os.WriteFile(name, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, page.Bytes()) {
		t.Errorf("%s differs from what the commands say; make generate writes it anew", name)
	}
}

func writeReference(page *bytes.Buffer, cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		fmt.Fprintf(page, "\n## %s\n\n", c.CommandPath())
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprintf(page, "%s\n\n```text\n%s\n```\n", text, c.UseLine())
		if c.Example != "" {
			fmt.Fprintf(page, "\n```text\n%s\n```\n", strings.TrimRight(unindent(c.Example), "\n"))
		}
		if flags := c.LocalFlags().FlagUsagesWrapped(0); flags != "" {
			fmt.Fprintf(page, "\n```text\n%s```\n", unindent(flags))
		}
		writeReference(page, c)
	}
}

// unindent takes two spaces from the front of each line.
func unindent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, "  "))
	}
	return b.String()
}

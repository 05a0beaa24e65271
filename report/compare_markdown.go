package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// CompareMarkdown writes a comparison as tables that paste into a document.
func CompareMarkdown(w io.Writer, c *Comparison) error {
	var b bytes.Buffer
	tables := func(t *table) { b.WriteString(strings.Join(t.markdown(), "\n") + "\n") }
	runs := &table{columns: []column{{head: "", left: true}, {head: "run", left: true}, {head: "verdict", left: true}, {head: "started (UTC)", left: true}, {head: "model", left: true}, {head: "load", left: true}}}
	for i := range c.Runs {
		r := &c.Runs[i]
		runs.add(letter(i), printable(r.title()), verdictWord(r), startedText(r), printable(r.Model), printable(r.Load))
	}
	tables(runs)
	if len(c.Warnings) > 0 {
		b.WriteByte('\n')
		for _, warning := range c.Warnings {
			b.WriteString("- **!** " + escapeMarkdown(printable(warning)) + "\n")
		}
	}
	for i := range c.Sections {
		if c.Sections[i].Stage != "" {
			fmt.Fprintf(&b, "\n### %s\n", escapeMarkdown(printable(c.Sections[i].Stage)))
		}
		b.WriteByte('\n')
		tables(compareMarkdownTable(c, &c.Sections[i]))
	}
	_, err := w.Write(b.Bytes())
	return err
}

func compareMarkdownTable(c *Comparison, s *ComparedSection) *table {
	t := &table{columns: []column{{head: "figure", left: true}, {head: "unit", left: true}, {head: "A"}}}
	for i := 1; i < len(c.Runs); i++ {
		t.columns = append(t.columns, column{head: letter(i)}, column{head: letter(i) + " vs A"}, column{head: "judged", left: true})
	}
	for i := range s.Figures {
		f := &s.Figures[i]
		unit, show := compareCells(f)
		row := []string{f.Figure, unit, show(f.Values[0].Value)}
		for j := 1; j < len(f.Values); j++ {
			row = append(row, show(f.Values[j].Value), changeText(f, j), judgementText(&f.Values[j]))
		}
		t.add(row...)
	}
	return t
}

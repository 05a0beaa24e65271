package report

import (
	"strings"
	"unicode/utf8"
)

// column is one column of a table.
type column struct {
	head string
	left bool // aligned left; numbers stand right
	// keep orders columns by how long they stay when room is scarce: those with a
	// lower one go first, 0 never.
	keep int
	// shrink lets long cells be cut.
	shrink bool
}

// table is rows of cells under a head.
type table struct {
	columns []column
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

const columnGap = 2

// width is the number of terminal columns s takes; all our letters are narrow.
func width(s string) int { return utf8.RuneCountInString(s) }

// fit returns the widths of the columns, 0 for those left out, such that a line
// is at most room wide.
func (t *table) fit(room int) []int {
	widths := make([]int, len(t.columns))
	total := -columnGap
	for i, c := range t.columns {
		widths[i] = width(c.head)
		for _, row := range t.rows {
			widths[i] = max(widths[i], width(row[i]))
		}
		total += widths[i] + columnGap
	}
	for total > room {
		i := t.next(widths)
		if i < 0 {
			break
		}
		total -= widths[i] + columnGap
		widths[i] = 0
	}
	for i, c := range t.columns {
		if over := total - room; over > 0 && c.shrink && widths[i] > 0 {
			narrow := max(widths[i]-over, width(c.head), 8)
			total -= widths[i] - narrow
			widths[i] = narrow
		}
	}
	return widths
}

// next is the column to leave out next, or -1.
func (t *table) next(widths []int) int {
	next := -1
	for i, c := range t.columns {
		if c.keep > 0 && widths[i] > 0 && (next < 0 || c.keep < t.columns[next].keep) {
			next = i
		}
	}
	return next
}

// lines renders the table; the first line is the head.
func (t *table) lines(room int) []string {
	widths := t.fit(room)
	lines := make([]string, 0, len(t.rows)+1)
	heads := make([]string, len(t.columns))
	for i, c := range t.columns {
		heads[i] = c.head
	}
	for _, row := range append([][]string{heads}, t.rows...) {
		lines = append(lines, t.line(row, widths))
	}
	return lines
}

func (t *table) line(row []string, widths []int) string {
	var b strings.Builder
	first := true
	for i, c := range t.columns {
		if widths[i] == 0 {
			continue
		}
		if !first {
			b.WriteString(strings.Repeat(" ", columnGap))
		}
		first = false
		cell := cut(row[i], widths[i])
		pad := strings.Repeat(" ", widths[i]-width(cell))
		if c.left {
			b.WriteString(cell + pad)
		} else {
			b.WriteString(pad + cell)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// cut shortens s to n columns.
func cut(s string, n int) string {
	if width(s) <= n {
		return s
	}
	return string([]rune(s)[:max(n-1, 0)]) + "…"
}

// markdown renders the table for a document, all columns.
func (t *table) markdown() []string {
	head, rule := "|", "|"
	for _, c := range t.columns {
		head += " " + c.head + " |"
		if c.left {
			rule += " :-- |"
		} else {
			rule += " --: |"
		}
	}
	lines := []string{head, rule}
	for _, row := range t.rows {
		line := "|"
		for _, cell := range row {
			line += " " + escapeMarkdown(cell) + " |"
		}
		lines = append(lines, line)
	}
	return lines
}

var markdownEscapes = strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`)

func escapeMarkdown(s string) string { return markdownEscapes.Replace(s) }

// wrap breaks s at spaces into lines of at most n columns; words longer than
// that stay whole.
func wrap(s string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= n:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

package report

import (
	"io"
	"strings"
)

// judgementText says in words what to think of a change.
func judgementText(v *ComparedValue) string {
	switch {
	case v.Judgement == "":
		return ""
	case v.Judgement == unclear:
		return "intervals overlap"
	case v.Judgement == same:
		return "same"
	case v.Intervals == apart:
		return v.Judgement + ", intervals apart"
	default:
		return v.Judgement + ", no intervals"
	}
}

// judgementMark says it by one letter, for narrow columns.
func judgementMark(v *ComparedValue) string {
	filled := v.Intervals == apart
	switch v.Judgement {
	case better:
		return pick(filled, "▲", "△")
	case worse:
		return pick(filled, "▼", "▽")
	case unclear:
		return "≈"
	case same:
		return "="
	default:
		return " "
	}
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// judgementStyle is bold only where the intervals are apart.
func judgementStyle(v *ComparedValue) string {
	switch v.Judgement {
	case better:
		return pick(v.Intervals == apart, green, "32")
	case worse:
		return pick(v.Intervals == apart, red, "31")
	case unclear, same:
		return dim
	default:
		return ""
	}
}

// cell is a text and its style.
type cell struct{ text, style string }

// CompareText writes a comparison for people.
func CompareText(w io.Writer, c *Comparison, o TextOptions) error {
	p := page{color: o.Color, width: 100}
	if o.Width > 0 {
		p.width = min(max(o.Width, 60), 200)
	}
	p.gap()
	p.comparedRuns(c)
	if len(c.Warnings) > 0 {
		p.gap()
		for _, warning := range c.Warnings {
			p.warning(warning)
		}
	}
	for i := range c.Sections {
		p.comparedTables(c, &c.Sections[i])
	}
	p.compareLegend(c)
	_, err := w.Write(p.b.Bytes())
	return err
}

func (p *page) warning(s string) {
	for i, l := range wrap(printable(s), p.room()-2) {
		mark := "  "
		if i == 0 {
			mark = p.style(yellow, "!") + " "
		}
		p.line(mark + l)
	}
}

// comparedRuns says which letter is what.
func (p *page) comparedRuns(c *Comparison) {
	t := &table{columns: []column{{left: true}, {left: true, shrink: true}, {left: true}, {left: true, keep: 3}, {left: true, keep: 1, shrink: true}, {left: true, keep: 2, shrink: true}}}
	for i := range c.Runs {
		r := &c.Runs[i]
		t.add(letter(i), cut(printable(r.title()), 32), verdictWord(r), startedText(r), cut(printable(r.Model), 40), printable(r.Load))
	}
	widths := t.fit(p.room())
	for i, row := range t.rows {
		line := t.line(row, widths)
		line = p.style(bold, line[:1]) + line[1:]
		if word := verdictWord(&c.Runs[i]); word != "" {
			line = strings.Replace(line, word, p.style(verdictColor(c.Runs[i].Verdict), word), 1)
		}
		p.line(line)
	}
}

func startedText(r *ComparedRun) string {
	if r.StartedAt.IsZero() {
		return ""
	}
	return r.StartedAt.UTC().Format("2006-01-02 15:04")
}

func verdictWord(r *ComparedRun) string {
	if r.Verdict == "" {
		return "no verdict"
	}
	return verdictMark(r.Verdict) + " " + string(r.Verdict)
}

func verdictColor(s State) string {
	switch s {
	case Valid:
		return green
	case Degraded:
		return yellow
	case Invalid:
		return red
	default:
		return dim
	}
}

// comparedTables shows one section, in as many tables as the width takes; each
// holds the first run.
func (p *page) comparedTables(c *Comparison, s *ComparedSection) {
	for from := 1; from < len(c.Runs); {
		to := len(c.Runs)
		rows := p.comparedTable(c, s, from, to)
		for to > from+1 && tableWidth(columnWidths(rows)) > p.room() {
			to--
			rows = p.comparedTable(c, s, from, to)
		}
		p.gap()
		if s.Stage != "" {
			p.line(p.style(bold, printable(s.Stage)))
		}
		p.cells(rows, p.words(c))
		from = to
	}
}

// words reports whether there is room to say in words what others get a mark for.
func (p *page) words(c *Comparison) bool { return len(c.Runs) == 2 && p.room() >= 80 }

// comparedTable is the first run with those from from to to.
func (p *page) comparedTable(c *Comparison, s *ComparedSection, from, to int) [][]cell {
	words := p.words(c)
	head := []cell{{"", dim}, {"unit", dim}, {"A", dim}}
	for i := from; i < to; i++ {
		head = append(head, cell{letter(i), dim}, cell{letter(i) + " vs A", dim})
	}
	if words {
		head = append(head, cell{"", dim})
	}
	rows := [][]cell{head}
	group := -1
	for i := range s.Figures {
		row := rowOf(s.Figures[i].Figure)
		if s.Stage != "" && !row.brief {
			continue
		}
		if s.Stage == "" && group >= 0 && row.group != group {
			rows = append(rows, nil)
		}
		group = row.group
		rows = append(rows, compareRow(&s.Figures[i], from, to, words))
	}
	return rows
}

func rowOf(path string) comparedRow {
	for _, row := range compareRows {
		if row.path == path {
			return row
		}
	}
	return comparedRow{group: -1}
}

func compareRow(f *ComparedFigure, from, to int, words bool) []cell {
	unit, show := compareCells(f)
	row := []cell{{f.Figure, ""}, {unit, dim}, {show(f.Values[0].Value), ""}}
	for i := from; i < to; i++ {
		v := &f.Values[i]
		change := changeText(f, i)
		if !words {
			change += " " + judgementMark(v)
		}
		row = append(row, cell{show(v.Value), ""}, cell{change, judgementStyle(v)})
		if words {
			row = append(row, cell{judgementText(v), judgementStyle(v)})
		}
	}
	return row
}

// cells writes rows of styled cells under a rule; the first two columns, and the
// last where it holds words, stand left. A nil row is a gap.
func (p *page) cells(rows [][]cell, words bool) {
	widths := columnWidths(rows)
	for n, row := range rows {
		if row == nil {
			p.gap()
			continue
		}
		var b strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-width(c.text))
			if i > 0 {
				b.WriteString(strings.Repeat(" ", columnGap))
			}
			switch {
			case i < 2:
				b.WriteString(p.style(c.style, c.text) + pad)
			case words && i == len(widths)-1:
				b.WriteString(p.style(c.style, c.text))
			default:
				b.WriteString(pad + p.style(c.style, c.text))
			}
		}
		p.line(b.String())
		if n == 0 {
			p.line(p.style(dim, strings.Repeat("─", tableWidth(widths))))
		}
	}
}

func columnWidths(rows [][]cell) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], width(c.text))
		}
	}
	return widths
}

func tableWidth(widths []int) int {
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

// compareLegend explains the marks and words that were used.
func (p *page) compareLegend(c *Comparison) {
	p.gap()
	text := "vs A: change against A. "
	if !p.words(c) {
		text += "▲ better, ▼ worse: the 95 % intervals are apart. △ better, ▽ worse: no intervals, it may be chance. ≈ the intervals overlap. "
	} else if c.uses("") {
		text += "No intervals: the difference may be chance. "
	}
	if c.uses(apart) || c.uses(overlap) {
		text += c.intervalText()
	}
	for _, l := range wrap(text, p.room()) {
		p.line(p.style(dim, l))
	}
}

// intervalText says what the intervals are of.
func (c *Comparison) intervalText() string {
	between, within := []string{}, []string{}
	for i := range c.Runs {
		switch r := c.Runs[i].report; {
		case r == nil:
		case r.Trials != nil:
			between = append(between, letter(i))
		default:
			within = append(within, letter(i))
		}
	}
	switch {
	case len(between) == 0:
		return "Intervals are ci95 within one run; between runs there is more, which --trials shows."
	case len(within) == 0:
		return "Intervals are ci95 between trials."
	}
	return "Intervals are ci95 between trials in " + strings.Join(between, ", ") + ", within one run in " + strings.Join(within, ", ") + ", where between runs there is more."
}

// uses reports whether a judgement of better or worse, or unclear, rests on such
// intervals.
func (c *Comparison) uses(intervals string) bool {
	for _, s := range c.Sections {
		for _, f := range s.Figures {
			for _, v := range f.Values {
				if v.Judgement != "" && v.Judgement != same && v.Intervals == intervals {
					return true
				}
			}
		}
	}
	return false
}

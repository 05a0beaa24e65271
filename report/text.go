package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// TextOptions says how a report is shown to people. The zero value is plain text
// of 100 columns.
type TextOptions struct {
	// Color uses ANSI colours; nothing is said by colour alone.
	Color bool
	// Width in columns; 0 means 100, and it is held between 60 and 160.
	Width int
	// Files that were written, named at the end.
	Files []string
}

// Text writes the report as a person wants to read it: whether to trust it
// first, then the few numbers that matter, then the rest.
func Text(w io.Writer, r *Report, o TextOptions) error {
	p := page{r: r, color: o.Color, width: 100}
	if o.Width > 0 {
		p.width = min(max(o.Width, 60), 160)
	}
	p.verdict()
	p.headline()
	p.percentiles()
	p.trials()
	p.stages()
	p.objectives()
	p.errors()
	p.agents()
	p.generator()
	p.files(o.Files)
	_, err := w.Write(p.b.Bytes())
	return err
}

// page is a text report in the making.
type page struct {
	r     *Report
	b     bytes.Buffer
	color bool
	width int
}

// Styles of text, as ANSI codes.
const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	green  = "1;32"
	yellow = "1;33"
)

func (p *page) style(code, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

const margin = "  "

// room is the width between the margins.
func (p *page) room() int { return p.width - 2*len(margin) }

func (p *page) line(s string) {
	if s = strings.TrimRight(s, " "); s != "" {
		p.b.WriteString(margin)
		p.b.WriteString(s)
	}
	p.b.WriteByte('\n')
}

// gap sets sections apart.
func (p *page) gap() { p.b.WriteByte('\n') }

// section shows a table under its dimmed head and a rule.
func (p *page) section(t *table) {
	lines := t.lines(p.room())
	ruled := 0
	for _, l := range lines {
		ruled = max(ruled, width(l))
	}
	p.gap()
	p.line(p.style(dim, lines[0]))
	p.line(p.style(dim, strings.Repeat("─", ruled)))
	for _, l := range lines[1:] {
		p.line(l)
	}
}

// bullets writes s behind a mark, wrapped, its further lines indented.
func (p *page) bullets(mark, s string) {
	indent := strings.Repeat(" ", width(mark)+1)
	for i, l := range wrap(printable(s), p.room()-len(indent)) {
		if i == 0 {
			p.line(mark + " " + l)
		} else {
			p.line(indent + l)
		}
	}
}

func (p *page) verdict() {
	r := p.r
	p.gap()
	if r.State != "" && r.State != "SUCCEEDED" {
		p.line(p.style(red, r.State) + "  " + cut(printable(or(reasonOf(r), "the run did not succeed")), p.room()-width(r.State)-2))
	}
	code, meaning := verdictStyle(r)
	word := verdictMark(r.Verdict.State) + " " + strings.ToUpper(string(r.Verdict.State))
	for i, l := range wrap(meaning, p.room()-width(word)-2) {
		if i == 0 {
			p.line(p.style(code, word) + "  " + l)
		} else {
			p.line(strings.Repeat(" ", width(word)+2) + l)
		}
	}
	for _, reason := range r.Verdict.Reasons {
		p.bullets("  •", reason.Message)
	}
	p.gates()
	for _, notice := range r.Verdict.Notices {
		if notice != r.Reason {
			p.bullets("  note:", notice)
		}
	}
	p.gap()
	p.identity()
}

func reasonOf(r *Report) *string {
	if r.Reason == "" {
		return nil
	}
	return &r.Reason
}

func verdictMark(s State) string {
	switch s {
	case Valid:
		return "✔"
	case Degraded:
		return "▲"
	default:
		return "✘"
	}
}

func verdictStyle(r *Report) (code, meaning string) {
	switch {
	case r.Verdict.State == Degraded:
		return yellow, "these numbers are true, but not of all requests"
	case r.Verdict.State == Invalid:
		return red, "do not trust these numbers: the generator itself disturbed them"
	case r.Accounting.Succeeded == 0:
		return bold, "the generator did its part, but there is no reply to measure"
	default:
		return green, "trust these numbers: the generator kept to its schedule and clocks"
	}
}

// identity says what was tested, and when.
func (p *page) identity() {
	r := p.r
	if r.Name != "" {
		p.line(p.style(bold, cut(printable(r.Name), p.room())))
	}
	parts := []string{printable(r.Model)}
	if r.Spec != nil {
		parts = append(parts, printable(publicURL(r.Spec.Endpoint.URL)))
	}
	if r.Server.Engine != "" || r.Server.Version != "" {
		parts = append(parts, printable(strings.TrimSpace(r.Server.Engine+" "+r.Server.Version)))
	}
	p.line(cut(joined(parts), p.room()))
	parts = nil
	if len(r.Stages) == 1 {
		parts = append(parts, r.Stages[0].Description)
	} else if len(r.Stages) > 1 {
		parts = append(parts, fmt.Sprintf("%d stages", len(r.Stages)))
	}
	if r.Trials != nil {
		parts = append(parts, trialsText(r.Trials))
	}
	if r.Accounting.Warmup.Planned > 0 {
		parts = append(parts, integer(r.Accounting.Warmup.Planned)+" warmup requests")
	}
	if r.Spec != nil && r.Spec.Dataset.TokensPerWord != nil {
		parts = append(parts, number3(*r.Spec.Dataset.TokensPerWord)+" tokens a word")
	}
	parts = append(parts, r.StartedAt.UTC().Format("2006-01-02 15:04:05 MST"))
	if took := r.EndedAt.Sub(r.StartedAt); took > 0 {
		parts = append(parts, "took "+took.Round(100*time.Millisecond).String())
	}
	p.line(p.style(dim, cut(printable(joined(parts)), p.room())))
}

func joined(parts []string) string {
	kept := parts[:0:0]
	for _, s := range parts {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " · ")
}

// printable replaces what could steer a terminal or break a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '·'
		default:
			return r
		}
	}, s)
}

func (p *page) files(files []string) {
	if len(files) == 0 {
		return
	}
	p.gap()
	for i, f := range files {
		label := "files      "
		if i > 0 {
			label = "           "
		}
		p.line(p.style(dim, label) + printable(f))
	}
}

package report

import (
	"bytes"
	"io"
	"math"
	"strings"
)

// Markdown writes the report as tables that paste into a document.
func Markdown(w io.Writer, r *Report) error {
	var b bytes.Buffer
	line := func(s string) { b.WriteString(s + "\n") }
	para := func(s string) { line(""); line(s) }
	tables := func(title string, t *table) {
		para("### " + title)
		line("")
		line(strings.Join(t.markdown(), "\n"))
	}

	_, meaning := verdictStyle(r)
	line("## " + escapeMarkdown(printable(titleOf(r))))
	if r.State != "" && r.State != "SUCCEEDED" {
		para("**" + r.State + "** " + escapeMarkdown(printable(r.Reason)))
	}
	para("**" + verdictMark(r.Verdict.State) + " " + string(r.Verdict.State) + "**: " + meaning)
	line("")
	for _, reason := range r.Verdict.Reasons {
		line("- " + escapeMarkdown(printable(reason.Message)))
	}
	for _, g := range r.Gates {
		line("- " + gateMark(g) + " " + escapeMarkdown(printable(g.Message)))
	}
	for _, notice := range r.Verdict.Notices {
		line("- note: " + escapeMarkdown(printable(notice)))
	}
	facts := &table{columns: []column{{head: "", left: true}, {head: "", left: true}}}
	p := page{r: r}
	for _, f := range append(p.flowFacts(), p.latencyFacts(math.MaxInt)...) {
		facts.add(f.label, strings.Join(strings.Fields(f.text), " "))
	}
	line("")
	line(strings.Join(facts.markdown(), "\n"))

	if len(r.Stages) > 1 {
		tables("Stages", spelledOut(stageTable(r)))
	}
	if t := percentileTable(r); len(t.rows) > 0 {
		tables("Figures", t)
	}
	if r.Trials != nil && r.Trials.N > 1 {
		tables("Between trials", trialTable(r))
	}
	if len(r.SLO.PerObjective) > 0 {
		tables("Objectives", objectiveTable(r))
	}
	if len(r.Errors) > 0 {
		tables("Errors", errorTable(r))
	}
	if len(r.Agents) > 1 {
		tables("Agents", agentTable(r))
	}
	para("Generator: " + escapeMarkdown(strings.Join(generatorParts(r), ", ")) + ". Stampede " + r.StampedeVersion + ", run `" + r.ID + "`.")
	_, err := w.Write(b.Bytes())
	return err
}

// titleOf names the run: by its name, else by what it loaded.
func titleOf(r *Report) string {
	if r.Name != "" {
		return r.Name
	}
	return r.Model
}

// spelledOut gives every column of a table of stages its full head: a column that
// is pasted elsewhere, or sorted by, has lost its neighbours.
func spelledOut(t *table) *table {
	figure, unit := "", ""
	for i := range t.columns {
		head := &t.columns[i].head
		switch parts := strings.Fields(*head); {
		case len(parts) == 3:
			figure, unit = strings.ToUpper(parts[0]), parts[2]
			*head = figure + " " + parts[1] + " (" + unit + ")"
		case strings.HasPrefix(*head, "p") && figure != "":
			*head = figure + " " + *head + " (" + unit + ")"
		}
	}
	return t
}

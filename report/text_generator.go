package report

import (
	"fmt"
	"strings"
)

// generator says in one line how well the tool itself did.
func (p *page) generator() {
	p.gap()
	label := "generator  "
	for i, l := range wrapParts(generatorParts(p.r), p.room()-width(label)) {
		if i > 0 {
			label = strings.Repeat(" ", width(label))
		}
		p.line(p.style(dim, label) + l)
	}
}

// wrapParts joins parts with commas into lines of at most n columns, breaking
// between parts only.
func wrapParts(parts []string, n int) []string {
	var lines []string
	line := ""
	for _, part := range parts {
		switch {
		case line == "":
			line = part
		case width(line)+2+width(part) <= n-1:
			line += ", " + part
		default:
			lines = append(lines, line+",")
			line = part
		}
	}
	if line == "" {
		return lines
	}
	return append(lines, line)
}

func generatorParts(r *Report) []string {
	g := &r.Generator
	var parts []string
	if g.Lateness != nil {
		parts = append(parts, "lateness p99 "+optional(g.Lateness.P99, seconds))
	}
	if s := stampText(g); s != "" {
		parts = append(parts, s)
	}
	if g.CPUMax != nil {
		parts = append(parts, "CPU at most "+percent(*g.CPUMax))
	}
	if g.GCPauseMax != nil && *g.GCPauseMax > 0 {
		parts = append(parts, "GC pause at most "+seconds(*g.GCPauseMax))
	}
	if g.ClockBound != nil && g.Agents > 1 {
		parts = append(parts, "clocks ±"+seconds(*g.ClockBound))
	}
	for _, c := range []struct {
		n    *int64
		what string
	}{
		{g.ClockSteps, "clock step"}, {g.StaleConnections, "stale connection"}, {g.ColdConnections, "cold connection"},
		{&r.Accounting.LateSamples, "late sample"},
	} {
		if c.n != nil && *c.n > 0 {
			parts = append(parts, integer(*c.n)+" "+c.what+plural(*c.n, "", "s"))
		}
	}
	if len(parts) == 0 {
		return []string{"no account of it"}
	}
	return parts
}

// stampText says who stamped the instants and how sure they are.
func stampText(g *Generator) string {
	if g.KernelStamped == nil {
		return ""
	}
	who, sure := "kernel stamps", g.StampUncertainty
	switch {
	case *g.KernelStamped == 0:
		who, sure = "process stamps", g.ReadDelay
	case *g.KernelStamped < 1:
		who = fmt.Sprintf("kernel stamps for %s", percent(*g.KernelStamped))
	}
	if sure == nil {
		return who
	}
	return who + " ±" + seconds(max(or(sure.P99, 0), 1e-6)) // no instrument knows better
}

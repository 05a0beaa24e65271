package report

import "fmt"

// gates names the gates that were missed, and says how many hold.
func (p *page) gates() {
	gates := p.r.Gates
	if len(gates) == 0 {
		return
	}
	missed := p.r.MissedGates()
	if len(missed) == 0 {
		p.line(p.style(green, "✔ "+heldText(len(gates))))
		return
	}
	word := fmt.Sprintf("✘ %d OF %d GATES MISSED", len(missed), len(gates))
	if len(gates) == 1 {
		word = "✘ GATE MISSED"
	}
	p.line(p.style(red, word))
	for _, g := range missed {
		p.bullets("  •", g.Message)
	}
}

func heldText(n int) string {
	if n == 1 {
		return "the gate holds"
	}
	return fmt.Sprintf("all %d gates hold", n)
}

// gateMark introduces a gate in a list of all.
func gateMark(g GateResult) string {
	if g.Passed {
		return "✔ gate:"
	}
	return "✘ **gate missed**:"
}

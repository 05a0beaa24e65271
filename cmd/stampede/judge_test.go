package main

import (
	"testing"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/report"
)

// TestJudge holds the order of exit codes: the first that applies counts.
func TestJudge(t *testing.T) {
	run := func(succeeded int64, verdict report.State, held bool) *report.Report {
		return &report.Report{
			Accounting: report.Accounting{Accounting: ledger.Accounting{Planned: 10, Succeeded: succeeded}},
			Verdict:    report.Verdict{State: verdict},
			Gates:      []report.GateResult{{Passed: true}, {Passed: held}},
		}
	}
	for _, tt := range []struct {
		name                    string
		rep                     *report.Report
		state                   client.State
		interrupted, incomplete bool
		want                    int
	}{
		{"all is well", run(10, report.Valid, true), client.Succeeded, false, false, exitOK},
		{"a gate was missed", run(10, report.Valid, false), client.Succeeded, false, false, exitGate},
		{"degraded goes before the gate", run(10, report.Degraded, false), client.Succeeded, false, false, exitUntrusted},
		{"invalid", run(10, report.Invalid, true), client.Succeeded, false, false, exitUntrusted},
		{"nothing succeeded", run(0, report.Invalid, false), client.Succeeded, false, false, exitFailed},
		{"the run failed", run(10, report.Invalid, false), client.Failed, false, false, exitFailed},
		{"files are missing", run(10, report.Valid, false), client.Succeeded, false, true, exitFailed},
		{"interrupted goes before all", run(0, report.Invalid, false), client.Cancelled, true, true, exitInterrupted},
	} {
		if got := exitCode(judge(tt.rep, tt.state, tt.interrupted, tt.incomplete)); got != tt.want {
			t.Errorf("%s: exit %d, want %d", tt.name, got, tt.want)
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
	"github.com/stampede-bench/stampede/workload"
)

func at(v int64) *int64 { return &v }

func row(id string, intended, sent, first, last int64, tokens int32) report.Row {
	return report.Row{ID: id, Status: "succeeded", IntendedUnixNS: at(intended), SentUnixNS: at(sent),
		FirstTokenUnixNS: at(first), LastTokenUnixNS: at(last), OutputTokens: &tokens}
}

func TestMatch(t *testing.T) {
	rows := []report.Row{
		row("a", 1000, 1100, 5000, 8000, 4),
		row("b", 2000, 2050, 6000, 6000, 1),
		row("twice", 0, 0, 1, 2, 2),
		row("nowhere", 0, 0, 1, 2, 2),
		row("short", 3000, 3000, 4000, 5000, 3),
	}
	record := func(id string, arrival, first, last int64, tokens int) simulate.Record {
		return simulate.Record{ID: id, Status: simulate.StatusServed, Arrival: arrival, FirstToken: first, LastToken: last, OutputTokens: tokens}
	}
	records := []simulate.Record{
		record("a", 1200, 5050, 8000, 4), record("b", 2060, 6010, 6010, 1), record("twice", 0, 1, 2, 2), record("twice", 0, 1, 2, 2),
		record("short", 3000, 4000, 5000, 4), record("unknown", 0, 1, 2, 2),
	}
	var m measured
	m.match(rows, records)
	if m.Rows != 5 || m.Unmatched != 3 || m.Wrong != 1 {
		t.Errorf("%+v", m)
	}
	for name, tc := range map[string]struct {
		got  *spread
		want spread
	}{
		"schedule": {m.Schedule, spread{60e-9, 200e-9, 200e-9}}, // 0, 60, 200
		"lateness": {m.Lateness, spread{50e-9, 100e-9, 100e-9}}, // 0, 50, 100
		"ttft":     {m.TTFT, spread{0, 50e-9, 50e-9}},           // 3900 against 3850, 3950 against 3950
		"itl":      {m.ITL, spread{17e-9, 17e-9, 17e-9}},        // 3000/3 against 2950/3
	} {
		if *tc.got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, *tc.got, tc.want)
		}
	}
}

func TestTableAndJSON(t *testing.T) {
	r := &results{StartedAt: time.Unix(0, 0).UTC(), Machine: "a machine", Workload: workload0(), Runs: []measured{
		{Tool: "stampede", CPU: 2, Requests: 10, Served: 10, Rows: 10, TTFT: &spread{26e-6, 170e-6, 1}},
		{Tool: "vegeta", CPU: 2, Requests: 10, Served: 10},
		{Tool: "stampede", CPU: 3, Requests: 10, Served: 9, Rows: 9, Unmatched: 1, TTFT: &spread{28e-6, 190e-6, 1}},
		{Tool: "vegeta", CPU: 2, Requests: 10, Served: 10},
	}}
	var b bytes.Buffer
	r.table(&b)
	for _, want := range []string{"27", "180", "1.25 (1.00 to 1.50)", "run 2: 9 rows, 10 requests, 1 unmatched", "–", "medians of 2 runs"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	path, err := r.keep(filepath.Join(t.TempDir(), "new"))
	if err != nil {
		t.Fatal(err)
	}
	var again results
	if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, &again) != nil || len(again.Runs) != 4 {
		t.Errorf("%v, %+v", err, again)
	}
}

func workload0() load { o, _ := parse(nil, io.Discard); return o.load }

func TestSpecIsAccepted(t *testing.T) {
	w := workload0()
	text, err := w.spec("http://127.0.0.1:1/v1")
	if err != nil {
		t.Fatal(err)
	}
	if _, notices, err := workload.Parse(text); err != nil || len(notices) != 0 {
		t.Errorf("%v, %v", notices, err)
	}
}

func TestArguments(t *testing.T) {
	for _, args := range []string{"--rate 0", "--duration 0s", "more", "--nonsense"} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

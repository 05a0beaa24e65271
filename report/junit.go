package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// junitSuites is the file that CI systems read.
type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Time     string `xml:"time,attr"` // s
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property,omitempty"`
	Cases      []junitCase     `xml:"testcase"`
	Output     *junitText      `xml:"system-out"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Output  *junitText    `xml:"system-out"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",cdata"`
}

type junitText struct {
	Text string `xml:",cdata"`
}

// JUnit writes the report as JUnit XML: one test case for the run, one for the
// verdict and one for each gate. The text report is the suite's output.
func JUnit(w io.Writer, r *Report) error {
	suite := junitSuite{
		Name: printable(titleOf(r)), Timestamp: r.StartedAt.UTC().Format("2006-01-02T15:04:05"),
		Properties: junitProperties(r),
	}
	took := r.EndedAt.Sub(r.StartedAt).Seconds()
	run := suite.add("run", took)
	if r.State != "" && r.State != "SUCCEEDED" || r.Accounting.Succeeded == 0 {
		message := r.Reason
		if message == "" {
			message = outcomes(&r.Accounting)
		}
		run.Error = &junitProblem{Message: printable(message), Type: strings.ToLower(r.State), Text: printable(outcomes(&r.Accounting))}
	} else {
		run.Output = &junitText{outcomes(&r.Accounting)}
	}
	suite.verdict(r)
	for _, g := range r.Gates {
		c := suite.add("gate "+printable(g.Expr), 0)
		if g.Passed {
			c.Output = &junitText{printable(g.Message)}
			continue
		}
		c.Failure = &junitProblem{Message: printable(g.Message), Type: "gate", Text: gateDetail(g)}
	}
	var text bytes.Buffer
	if err := Text(&text, r, TextOptions{}); err != nil {
		return err
	}
	suite.Output = &junitText{text.String()}
	return writeJUnit(w, suite, took)
}

// JUnitError writes the JUnit XML of a run that came to no report.
func JUnitError(w io.Writer, name, reason string) error {
	suite := junitSuite{Name: printable(name)}
	suite.add("run", 0).Error = &junitProblem{Message: printable(reason), Type: "failed", Text: printable(reason)}
	return writeJUnit(w, suite, 0)
}

// add appends a case; the pointer is good until the next one.
func (s *junitSuite) add(name string, seconds float64) *junitCase {
	s.Cases = append(s.Cases, junitCase{Name: name, Class: "stampede." + strings.ReplaceAll(s.Name, ".", "_"), Time: junitTime(seconds)})
	return &s.Cases[len(s.Cases)-1]
}

func (s *junitSuite) verdict(r *Report) {
	c := s.add("verdict", 0)
	_, meaning := verdictStyle(r)
	if r.Verdict.State == Valid {
		c.Output = &junitText{meaning}
		return
	}
	var lines []string
	for _, reason := range r.Verdict.Reasons {
		lines = append(lines, printable(reason.Message))
	}
	message := string(r.Verdict.State) + ": " + meaning
	c.Failure = &junitProblem{Message: message, Type: string(r.Verdict.State), Text: strings.Join(lines, "\n")}
}

// gateDetail gives value and limit as plain numbers in the report's unit.
func gateDetail(g GateResult) string {
	value := "null"
	if g.Value != nil {
		value = strconv.FormatFloat(*g.Value, 'g', -1, 64)
	}
	return fmt.Sprintf("%s\nfigure: %s\nvalue: %s\nlimit: %s", printable(g.Message), g.Figure, value, strconv.FormatFloat(g.Limit, 'g', -1, 64))
}

func junitProperties(r *Report) []junitProperty {
	list := []junitProperty{{"run_id", r.ID}, {"model", r.Model}, {"verdict", string(r.Verdict.State)}, {"workload_hash", string(r.WorkloadHash)}, {"stampede_version", r.StampedeVersion}}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		list = append(list, junitProperty{"label." + k, r.Labels[k]})
	}
	for i := range list {
		list[i].Value = printable(list[i].Value)
	}
	return list
}

func writeJUnit(w io.Writer, suite junitSuite, took float64) error {
	suite.Time = junitTime(took)
	for i := range suite.Cases {
		suite.Tests++
		if suite.Cases[i].Failure != nil {
			suite.Failures++
		}
		if suite.Cases[i].Error != nil {
			suite.Errors++
		}
	}
	file := junitSuites{Name: "stampede", junitCounts: suite.junitCounts, Suites: []junitSuite{suite}}
	data, err := xml.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("encode JUnit XML: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}

func junitTime(seconds float64) string {
	return strconv.FormatFloat(max(seconds, 0), 'f', 3, 64)
}

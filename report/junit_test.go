package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestJUnit(t *testing.T) {
	f := troubled()
	f.in.Spec.Gates = []string{"ttft.p99<500ms", "fail_rate<1%", "reasoning_tokens.p50>=0"}
	f.in.Spec.Name = "a <b> & \"c\" \x1b[31m"
	var b bytes.Buffer
	if err := JUnit(&b, build(t, f)); err != nil {
		t.Fatal(err)
	}
	golden(t, "troubled.junit.xml", withoutText(b.Bytes()))
	var file junitSuites
	if err := xml.Unmarshal(b.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	if file.Tests != 5 || file.Failures != 3 || file.Errors != 0 || len(file.Suites) != 1 || len(file.Suites[0].Cases) != 5 {
		t.Errorf("%+v", file.junitCounts)
	}
	wellFormed(t, b.Bytes())
}

func TestJUnitOfAFailedRun(t *testing.T) {
	var b bytes.Buffer
	if err := JUnit(&b, build(t, hopeless())); err != nil {
		t.Fatal(err)
	}
	var file junitSuites
	if err := xml.Unmarshal(b.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	c := file.Suites[0].Cases[0]
	if c.Name != "run" || c.Error == nil || c.Error.Message != "not one of 200 requests succeeded" || file.Errors != 1 {
		t.Errorf("%+v", c)
	}
	b.Reset()
	if err := JUnitError(&b, "chat", "401: no key\x00"); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.Bytes())
	if !strings.Contains(b.String(), `<error message="401: no key·"`) {
		t.Errorf("%s", b.String())
	}
}

func wellFormed(t *testing.T, data []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// withoutText takes out the text report, which has golden files of its own.
func withoutText(data []byte) []byte {
	from, to := bytes.LastIndex(data, []byte("<system-out>")), bytes.LastIndex(data, []byte("</system-out>"))
	return append(append([]byte(nil), data[:from+len("<system-out>")]...), data[to:]...)
}

package report

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/measure"
)

// A row is what its line says, whatever the sample.
func TestRowIsTheLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := RowContext{
			RunID: "run.1", Agent: rapid.String().Draw(t, "agent"), Model: "m", URL: "http://x/v1", AnchorUnix: 1_700_000_000_000_000_000,
			Correction: rapid.Int64Range(-1e9, 1e9).Draw(t, "correction"), FirstStagePhase: rapid.Int32Range(0, 1).Draw(t, "first"),
			Streaming: rapid.Bool().Draw(t, "streaming"),
		}
		if rapid.Bool().Draw(t, "several models") {
			c.Mix = fixtureSpec("endpoint: {url: 'http://x/v1', models: [{name: m, weight: 1}, {name: n, weight: 3}]}\nload: {stages: [{rate: 1, duration: 1s}]}")
		}
		if rapid.Bool().Draw(t, "slo") {
			c.SLO = measure.SLO{TTFT: 1e8, E2E: 1e9}
		}
		s := sampleGen(t)
		s.Status = measure.Status(rapid.IntRange(0, int(measure.Lost)).Draw(t, "any status"))
		line := EncodeRow(nil, &c, &s)
		got, ok := c.Row(&s)
		if ok != (len(line) > 0) {
			t.Fatalf("row %v, line %q", ok, line)
		}
		if !ok {
			return
		}
		var want Row
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("row\n%+v\nline\n%+v", got, want)
		}
	})
}

package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/measure"
)

func TestIntervalsFit(t *testing.T) {
	f := steady()
	for width, want := range map[int]string{100: "p50   212 ms [207, 217]     p99   240 ms\n", 160: "p50   212 ms [207, 217]     p99   240 ms\n"} {
		r := build(t, f)
		r.Metrics[measure.ITL].CI95 = nil
		var b bytes.Buffer
		must(Text(&b, r, TextOptions{Width: width}))
		if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "[ ] 95 % interval within this run") {
			t.Errorf("%d columns: want %q in\n%s", width, want, b.String())
		}
	}
	rows := [][4]string{{"  212 ms", " [207, 217]", "  240 ms", " [230, 250]"}, {" 9.49 ms", "", " 9.78 ms", " [9, 10]"}}
	for _, tt := range []struct {
		room  int
		want  [2]int
		shown bool
	}{{100, [2]int{11, 11}, true}, {50, [2]int{11, 11}, true}, {48, [2]int{0, 11}, true}, {37, [2]int{}, false}} {
		if widths, shown := intervalRoom(rows, tt.room); widths != tt.want || shown != tt.shown {
			t.Errorf("room of %d: widths %v, %v; want %v, %v", tt.room, widths, shown, tt.want, tt.shown)
		}
	}
	rows[0][3], rows[1][3] = "", ""
	if widths, _ := intervalRoom(rows, 38); widths != [2]int{11, 0} {
		t.Errorf("no p99: widths %v", widths)
	}
}

func TestIntervalsOfAReport(t *testing.T) {
	r := build(t, steady())
	for _, m := range []Metrics{r.Metrics, r.Stages[0].Metrics} {
		d := m[measure.TTFT]
		if ci := d.CI95["p50"]; ci[0] >= *d.P50 || ci[1] <= *d.P50 {
			t.Errorf("p50 %g in %v", *d.P50, ci)
		}
		if _, there := d.CI95["p99"]; there {
			t.Error("200 requests are too few for an interval of p99")
		}
	}
	if r = build(t, troubled()); r.Metrics[measure.TTFT].CI95 != nil || r.Stages[1].Metrics[measure.TTFT].CI95 == nil {
		t.Error("stages of different loads have intervals each, and none together")
	}
}

// TestGrowingQueueIsNoticed: what depends on how long a stage took has no interval.
func TestGrowingQueueIsNoticed(t *testing.T) {
	r := build(t, makeFixture(fixtureSpec(`
endpoint: {url: "http://h/v1", model: m}
load: {stages: [{rate: 10, arrival: constant, duration: 20s}]}
`), func(i int, s *measure.Sample) {
		late := int64(i) * 40 * ms
		for _, at := range []*int64{&s.Headers, &s.FirstToken, &s.FirstOutput, &s.LastToken, &s.End} {
			*at += late
		}
		for j := range s.ChunkOffsets {
			s.ChunkOffsets[j] += late
		}
	}))
	if r.Metrics[measure.TTFT].CI95 != nil || !strings.Contains(strings.Join(r.Verdict.Notices, "\n"), `load was building up in stage "rate 10"`) {
		t.Errorf("intervals %v, notices %q", r.Metrics[measure.TTFT].CI95, r.Verdict.Notices)
	}
}

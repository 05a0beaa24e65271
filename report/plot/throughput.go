package plot

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot/vg"

	"github.com/stampede-bench/stampede/report"
)

// windowSeconds is the width of the moving window.
const windowSeconds = 5

// rate is a rate at an instant.
type rate struct{ at, value float64 }

// moving turns tokens per point into tokens per second in a window centred on
// each point; at the ends of the series the window is cut, and so is what it is
// divided by. It also returns the window's width in seconds: the odd number of
// points next to windowSeconds.
func moving(s *report.Series) ([]rate, float64) {
	n, step := points(s), interval(s)
	half := int(windowSeconds / step / 2)
	window := float64(2*half+1) * step
	rates := make([]rate, n)
	sum := 0.0
	for i := range min(half, n) {
		sum += float64(s.OutputTokens[i])
	}
	for i := range n {
		if i+half < n {
			sum += float64(s.OutputTokens[i+half])
		}
		if i-half-1 >= 0 {
			sum -= float64(s.OutputTokens[i-half-1])
		}
		width := float64(min(i+half, n-1)-max(i-half, 0)+1) * step
		rates[i] = rate{at: s.T[i] + step/2, value: sum / width}
	}
	return rates, window
}

// ThroughputPNG writes an image of output tokens per second over time, in a
// centred window of 5 s.
func ThroughputPNG(w io.Writer, r *report.Report) error {
	f, err := newFrame(r, "Output throughput")
	if err != nil {
		return err
	}
	rates, window := moving(&r.Series)
	most := 0.0
	for _, v := range rates {
		most = max(most, v.value)
	}
	begin, end := span(&r.Series)
	mean := r.Throughput.OutputThroughput
	if most == 0 {
		f.axes(begin, end, 0, true, "output tokens/s")
		f.ground()
		f.empty("no token arrived")
		return f.encode(w)
	}
	if mean != nil && finite(*mean) {
		most = max(most, *mean)
	}
	f.axes(begin, end, most, false, "output tokens/s")
	f.curve(rates, begin, end)
	f.stages()
	f.ground()
	keys := []key{{color: blue, name: fmt.Sprintf("In a centred %s s window, at most", short(window)), figure: short(highest(rates))}}
	if mean != nil && finite(*mean) {
		y := f.atY(*mean)
		f.line(ink, 2, []vg.Length{9, 6}, vg.Point{X: plotLeft, Y: y}, vg.Point{X: plotRight, Y: y})
		keys = append(keys, key{color: ink, dashed: true, name: "Over the whole run", figure: short(*mean)})
	}
	f.legend(keys...)
	return f.encode(w)
}

// curve draws the rates, level out to both ends of the stretch, over a faint
// filling.
func (f *frame) curve(rates []rate, begin, end float64) {
	line := make([]vg.Point, 0, len(rates)+2)
	line = append(line, vg.Point{X: f.atX(begin), Y: f.atY(rates[0].value)})
	for _, v := range rates {
		line = append(line, vg.Point{X: f.atX(v.at), Y: f.atY(v.value)})
	}
	line = append(line, vg.Point{X: f.atX(end), Y: f.atY(rates[len(rates)-1].value)})
	area := append([]vg.Point{{X: f.atX(begin), Y: plotBottom}}, line...)
	area = append(area, vg.Point{X: f.atX(end), Y: plotBottom})
	f.FillPolygon(faded(blue, 0.14), area)
	f.line(blue, 3, nil, line...)
}

func highest(rates []rate) float64 {
	most := 0.0
	for _, v := range rates {
		most = max(most, v.value)
	}
	return most
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

package plot

import (
	"image/color"
	"io"

	"gonum.org/v1/plot/vg"

	"github.com/stampede-bench/stampede/report"
)

// outcomes are requests so far, at one instant.
type outcomes struct{ at, failed, succeeded, inProgress float64 }

// cumulate adds up a series: one instant at the begin of each of its points and
// one at its end, when nothing is in progress any more.
func cumulate(s *report.Series) []outcomes {
	n := points(s)
	if n == 0 {
		return nil
	}
	all := make([]outcomes, 0, n+1)
	var sum outcomes
	for i := range n {
		sum.at, sum.inProgress = s.T[i], max(float64(s.InFlight[i]), 0)
		all = append(all, sum)
		sum.failed += float64(s.Failed[i])
		sum.succeeded += float64(s.Done[i])
	}
	sum.at, sum.inProgress = s.T[n-1]+interval(s), 0
	return append(all, sum)
}

// RequestsPNG writes an image of the requests so far over time, stacked by what
// became of them: failed, succeeded, in progress.
func RequestsPNG(w io.Writer, r *report.Report) error {
	f, err := newFrame(r, "Requests")
	if err != nil {
		return err
	}
	sums := cumulate(&r.Series)
	most, peak := 0.0, 0.0
	for _, s := range sums {
		most, peak = max(most, s.failed+s.succeeded+s.inProgress), max(peak, s.inProgress)
	}
	begin, end := span(&r.Series)
	f.axes(begin, end, most, true, "requests so far")
	if most == 0 {
		f.ground()
		f.empty("no request was sent")
		return f.encode(w)
	}
	f.layer(sums, sky, func(s outcomes) (from, to float64) {
		return s.failed + s.succeeded, s.failed + s.succeeded + s.inProgress
	})
	f.layer(sums, green, func(s outcomes) (from, to float64) { return s.failed, s.failed + s.succeeded })
	f.layer(sums, vermillion, func(s outcomes) (from, to float64) { return 0, s.failed })
	f.stages()
	f.ground()
	last := sums[len(sums)-1]
	f.legend(
		key{color: sky, name: "In progress, at most", figure: grouped(peak, 0)},
		key{color: green, name: "Success", figure: grouped(last.succeeded, 0)},
		key{color: vermillion, name: "Fail", figure: grouped(last.failed, 0)},
	)
	return f.encode(w)
}

// layer fills what lies between two curves.
func (f *frame) layer(sums []outcomes, c color.Color, bounds func(outcomes) (from, to float64)) {
	area := make([]vg.Point, 2*len(sums))
	thick := false
	for i, s := range sums {
		from, to := bounds(s)
		thick = thick || to > from
		x := f.atX(s.at)
		area[i] = vg.Point{X: x, Y: f.atY(to)}
		area[len(area)-1-i] = vg.Point{X: x, Y: f.atY(from)}
	}
	if thick {
		f.FillPolygon(c, area)
		f.line(paper, 1.5, nil, area[:len(sums)]...) // sets it off from what lies on it
	}
}

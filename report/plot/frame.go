package plot

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"strings"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/stampede-bench/stampede/report"
)

// Width and Height of an image in pixels. A point of the canvas is a pixel.
const (
	Width  = 1600
	Height = 900
)

// Where things are on it.
const (
	marginLeft, marginRight = 120, 60
	plotBottom, plotTop     = 96, Height - 196
	plotLeft, plotRight     = marginLeft, Width - marginRight
	headLeft                = 48
	legendY                 = plotTop + 28
)

// How text looks.
var (
	titleType  = type_{size: 34, bold: true, color: ink}
	subType    = type_{size: 20, color: muted}
	badgeType  = type_{size: 17, bold: true, color: paper}
	legendType = type_{size: 19, color: ink}
	tickType   = type_{size: 18, color: muted}
	axisType   = type_{size: 18, color: muted}
	stageType  = type_{size: 16, color: muted}
	emptyType  = type_{size: 26, color: faint}
)

// key is one entry of a legend: a colour, its name, and a figure beside it.
type key struct {
	color  color.Color
	dashed bool
	name   string
	figure string
}

// frame is an image in the making: head, legend, axes; a plot fills in the rest.
type frame struct {
	pen
	image image.Image
	r     *report.Report
	x, y  scale
	unit  timeUnit
}

// newFrame draws the head of a report's image.
func newFrame(r *report.Report, title string) (*frame, error) {
	hand, err := fonts()
	if err != nil {
		return nil, fmt.Errorf("fonts: %w", err)
	}
	c := vgimg.NewWith(vgimg.UseWH(Width, Height), vgimg.UseDPI(72))
	f := &frame{pen: pen{Canvas: draw.New(c), fonts: hand}, image: c.Image(), r: r}
	f.box(paper, 0, 0, Width, Height)
	f.head(title)
	return f, nil
}

// head is what the image shows, of what, and whether to trust it.
func (f *frame) head(title string) {
	const room = plotRight - headLeft
	model := plain(f.r.Model)
	if model != "" {
		title += " · " + model
	}
	f.write(titleType, headLeft, Height-66, 1, f.fit(titleType, title, room))
	left := f.badge(headLeft, Height-118)
	f.write(subType, left+16, Height-112, 1, f.fit(subType, f.subtitle(), plotRight-left-16))
}

// badge shows the verdict and returns where it ends.
func (f *frame) badge(x, y vg.Length) vg.Length {
	fill, kind := muted, badgeType
	switch f.r.Verdict.State {
	case report.Valid:
		fill = rgb(0x00795A) // dark enough for white text
	case report.Degraded:
		fill, kind.color = amber, ink
	case report.Invalid:
		fill = rgb(0xB84A00)
	}
	word := strings.ToUpper(plain(string(f.r.Verdict.State)))
	if word == "" {
		word = "NOT JUDGED"
	}
	end := x + f.width(kind, word) + 32
	f.pill(fill, x, y-4, end, y+26)
	f.write(kind, x+16, y+5, 1, word)
	return end
}

// subtitle says what the load was and when.
func (f *frame) subtitle() string {
	var parts []string
	if f.r.Name != "" {
		parts = append(parts, plain(f.r.Name))
	}
	switch n := len(f.r.Stages); {
	case n == 1:
		parts = append(parts, plain(f.r.Stages[0].Description))
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d stages", n))
	}
	if n := f.r.Accounting.Planned; n > 0 {
		parts = append(parts, grouped(float64(n), 0)+" requests")
	}
	if !f.r.StartedAt.IsZero() {
		parts = append(parts, f.r.StartedAt.UTC().Format("2006-01-02 15:04 MST"))
	}
	return strings.Join(parts, " · ")
}

// axes draws grid, ticks and labels for values up to most over a stretch of time.
func (f *frame) axes(begin, end, most float64, whole bool, yLabel string) {
	f.x, f.unit = timeScale(begin, end, 10)
	f.y = countScale(most, 5, whole)
	for _, v := range f.y.ticks() {
		y := f.atY(v)
		f.line(grid, 1.2, nil, vg.Point{X: plotLeft, Y: y}, vg.Point{X: plotRight, Y: y})
		f.write(tickType, plotLeft-14, y-6, -1, f.y.label(v))
	}
	for _, v := range f.x.ticks() {
		x := f.atX(v * f.unit.seconds)
		f.line(ground, 1.5, nil, vg.Point{X: x, Y: plotBottom}, vg.Point{X: x, Y: plotBottom - 7})
		f.write(tickType, x, plotBottom-28, 0, f.x.label(v))
	}
	f.write(axisType, (plotLeft+plotRight)/2, plotBottom-64, 0, "time since the start in "+unitWord(f.unit.name))
	f.write(axisType, headLeft, legendY, 1, yLabel)
}

// ground draws the axis itself, over what was filled.
func (f *frame) ground() {
	f.line(muted, 1.6, nil, vg.Point{X: plotLeft, Y: plotBottom}, vg.Point{X: plotRight, Y: plotBottom})
}

func unitWord(name string) string {
	return map[string]string{"s": "seconds", "min": "minutes", "h": "hours"}[name]
}

func (f *frame) atX(seconds float64) vg.Length {
	span := f.x.max - f.x.min
	return plotLeft + vg.Length((seconds/f.unit.seconds-f.x.min)/span)*(plotRight-plotLeft)
}

func (f *frame) atY(v float64) vg.Length {
	return plotBottom + vg.Length(v/f.y.max)*(plotTop-plotBottom)
}

// legend names the colours, right-aligned above the plot, beside the axis's label.
func (f *frame) legend(keys ...key) {
	const swatch, gap, between = 18, 10, 34
	x := vg.Length(plotRight)
	const y = legendY
	figureType := legendType
	figureType.bold = true
	for i := len(keys) - 1; i >= 0; i-- {
		k := keys[i]
		x -= f.width(figureType, k.figure)
		f.write(figureType, x, y, 1, k.figure)
		x -= f.width(legendType, k.name) + 8
		f.write(legendType, x, y, 1, k.name)
		x -= gap + swatch
		if k.dashed {
			f.line(k.color, 2.5, []vg.Length{5, 4}, vg.Point{X: x - 6, Y: y + 6}, vg.Point{X: x + swatch, Y: y + 6})
		} else {
			f.box(k.color, x, y-2, x+swatch, y+swatch-4)
		}
		x -= between
	}
}

// stages marks where stages begin, and names them where there is room.
func (f *frame) stages() {
	if len(f.r.Stages) < 2 {
		return
	}
	for i := range f.r.Stages {
		s := &f.r.Stages[i]
		if s.Begin == 0 && s.End == 0 || s.Begin < f.x.min*f.unit.seconds {
			continue // never began
		}
		x := f.atX(s.Begin)
		end := vg.Length(plotRight)
		if i+1 < len(f.r.Stages) && f.r.Stages[i+1].Begin > s.Begin {
			end = f.atX(f.r.Stages[i+1].Begin)
		}
		if x > plotLeft+1 {
			f.line(faint, 1, []vg.Length{3, 4}, vg.Point{X: x, Y: plotBottom}, vg.Point{X: x, Y: plotTop})
		}
		if name := plain(s.Name); f.width(stageType, name)+12 < end-x {
			f.write(stageType, x+7, plotTop-18, 1, name)
		}
	}
}

// empty says why there is nothing to see.
func (f *frame) empty(why string) {
	f.write(emptyType, (plotLeft+plotRight)/2, (plotBottom+plotTop)/2, 0, why)
}

// encode writes the image as PNG.
func (f *frame) encode(w io.Writer) error {
	e := png.Encoder{CompressionLevel: png.DefaultCompression}
	if err := e.Encode(w, f.image); err != nil {
		return fmt.Errorf("encode plot of run %q: %w", f.r.ID, err)
	}
	return nil
}

// span is the stretch of time that the series covers, in seconds.
func span(s *report.Series) (begin, end float64) {
	n := points(s)
	if n == 0 {
		return 0, 1
	}
	return s.T[0], s.T[n-1] + interval(s)
}

// points is how many points all columns have; those of a file may differ.
func points(s *report.Series) int {
	return min(len(s.T), len(s.Sent), len(s.Done), len(s.Failed), len(s.InFlight), len(s.OutputTokens))
}

func interval(s *report.Series) float64 {
	if s.Interval > 0 {
		return s.Interval
	}
	return time.Second.Seconds()
}

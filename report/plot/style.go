package plot

import (
	"image/color"
	"strings"
	"sync"
	"unicode"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	stdfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours of Okabe and Ito, and greys.
var (
	green      = rgb(0x009E73)
	vermillion = rgb(0xD55E00)
	amber      = rgb(0xE69F00)
	sky        = rgb(0x56B4E9)
	blue       = rgb(0x0072B2)

	paper  = rgb(0xFFFFFF)
	ink    = rgb(0x1F2933)
	muted  = rgb(0x616E7C)
	faint  = rgb(0x9AA5B1)
	grid   = rgb(0xE4E7EB)
	ground = rgb(0xCBD2D9)
)

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
}

// faded is c with an opacity from 0 to 1.
func faded(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(opacity*255 + 0.5)
	return c
}

// fonts holds the two faces; they are parsed when the first image is drawn.
var fonts = sync.OnceValues(func() (text.Plain, error) {
	var faces font.Collection
	for _, f := range []struct {
		data   []byte
		weight stdfont.Weight
	}{{liberationsansregular.TTF, stdfont.WeightNormal}, {liberationsansbold.TTF, stdfont.WeightBold}} {
		face, err := opentype.Parse(f.data)
		if err != nil {
			return text.Plain{}, err
		}
		faces = append(faces, font.Face{Font: sans(0, f.weight), Face: face})
	}
	return text.Plain{Fonts: font.NewCache(faces)}, nil
})

func sans(size vg.Length, weight stdfont.Weight) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size}
}

// pen writes text on a canvas.
type pen struct {
	draw.Canvas
	fonts text.Plain
}

// type_ is how a piece of text looks.
type type_ struct {
	size  vg.Length
	bold  bool
	color color.Color
}

func (t type_) font() font.Font {
	if t.bold {
		return sans(t.size, stdfont.WeightBold)
	}
	return sans(t.size, stdfont.WeightNormal)
}

// width of a text in points.
func (p *pen) width(t type_, s string) vg.Length {
	w, _, _ := p.fonts.Box(s, t.font())
	return w
}

// write puts a text with its baseline on y; align is -1 for left of x, 0 for
// centred, 1 for right of it.
func (p *pen) write(t type_, x, y vg.Length, align int, s string) {
	switch align {
	case 0:
		x -= p.width(t, s) / 2
	case -1:
		x -= p.width(t, s)
	}
	p.SetColor(t.color)
	p.FillString(p.fonts.Fonts.Lookup(t.font(), t.size), vg.Point{X: x, Y: y}, s)
}

// fit shortens s until it is no wider than most.
func (p *pen) fit(t type_, s string, most vg.Length) string {
	if p.width(t, s) <= most {
		return s
	}
	runes := []rune(s)
	low, high := 0, len(runes)
	for low < high { // the longest beginning that fits
		mid := (low + high + 1) / 2
		if p.width(t, string(runes[:mid])+"…") <= most {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return strings.TrimRight(string(runes[:low]), " ") + "…"
}

// box fills a rectangle.
func (p *pen) box(c color.Color, x0, y0, x1, y1 vg.Length) {
	p.FillPolygon(c, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}

// pill fills a rectangle with round ends.
func (p *pen) pill(c color.Color, x0, y0, x1, y1 vg.Length) {
	r := (y1 - y0) / 2
	var path vg.Path
	path.Move(vg.Point{X: x0 + r, Y: y0})
	path.Line(vg.Point{X: x1 - r, Y: y0})
	path.Arc(vg.Point{X: x1 - r, Y: y0 + r}, r, -halfTurn/2, halfTurn)
	path.Line(vg.Point{X: x0 + r, Y: y1})
	path.Arc(vg.Point{X: x0 + r, Y: y0 + r}, r, halfTurn/2, halfTurn)
	path.Close()
	p.SetColor(c)
	p.Fill(path)
}

const halfTurn = 3.141592653589793

// line strokes points.
func (p *pen) line(c color.Color, width vg.Length, dashes []vg.Length, points ...vg.Point) {
	p.StrokeLines(draw.LineStyle{Color: c, Width: width, Dashes: dashes}, points)
}

// plain makes text of others fit for one line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

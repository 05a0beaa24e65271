package report

import (
	"math"
	"strings"
)

// pathUnit is the unit of a figure by its path.
func pathUnit(path string) string { return unitAt(splitPath(path)) }

// compareCells returns the unit in which a figure reads best, and how its values
// are shown in it, alike in one row.
func compareCells(f *ComparedFigure) (string, func(*float64) string) {
	typical := 0.0
	for _, v := range f.Values {
		if v.Value != nil && *v.Value != 0 && (typical == 0 || math.Abs(*v.Value) < math.Abs(typical)) {
			typical = *v.Value
		}
	}
	scale, name := 1.0, f.Unit
	switch f.Unit {
	case "s":
		u := unitOf(typical)
		scale, name = u.factor, u.name
	case "ratio":
		scale, name = 100, "%"
	}
	n := decimals(typical * scale)
	switch {
	case f.Unit == "ratio" && typical != 1:
		n = shareDecimals(f)
	case typical == 0:
		n = 1
	}
	return name, func(v *float64) string {
		return optional(v, func(v float64) string { return fixed(v*scale, n) })
	}
}

// shareDecimals is one, or more where a share would read as all or nothing that is
// neither.
func shareDecimals(f *ComparedFigure) int {
	n := 1
	for _, v := range f.Values {
		if v.Value == nil || !(*v.Value > 0 && *v.Value < 1) {
			continue
		}
		for text := trimZeros(fixed(*v.Value*100, n)); n < 4 && (text == "0" || text == "100"); text = trimZeros(fixed(*v.Value*100, n)) {
			n++
		}
	}
	return n
}

// changeText shows a change in percent: "+9.5 %". Of shares it is the difference
// in points: "+0.4 pp".
func changeText(f *ComparedFigure, i int) string {
	first, v := f.Values[0].Value, &f.Values[i]
	if first == nil || v.Value == nil {
		return "–"
	}
	if f.Unit == "ratio" {
		return points((*v.Value-*first)*100) + " pp"
	}
	if v.Change == nil {
		if *v.Value == *first {
			return "0 %"
		}
		return "–"
	}
	return signed(*v.Change*100) + " %"
}

// points is signed, with more decimals for what would be 0 with one.
func points(v float64) string {
	if a := math.Abs(v); a > 0 && a < 0.1 {
		return signedTo(v, 3)
	}
	return signed(v)
}

func signed(v float64) string {
	if math.Abs(v) >= 99.95 {
		return signedTo(v, 0)
	}
	return signedTo(v, 1)
}

func signedTo(v float64, n int) string {
	a := math.Abs(v)
	s := fixed(a, n)
	switch {
	case strings.Trim(s, "0.") == "":
		return "0"
	case v < 0:
		return "−" + s
	default:
		return "+" + s
	}
}

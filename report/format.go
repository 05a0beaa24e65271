package report

import (
	"math"
	"strconv"
	"strings"
)

// unit is a unit that seconds are shown in.
type unit struct {
	name   string
	factor float64 // of a second
}

var (
	micros = unit{"µs", 1e6}
	millis = unit{"ms", 1e3}
	secs   = unit{"s", 1}
)

// unitOf picks the unit in which v seconds read best.
func unitOf(v float64) unit {
	switch v = math.Abs(v); {
	case v != 0 && v < 0.9995e-3:
		return micros
	case v < 0.9995:
		return millis
	default:
		return secs
	}
}

// seconds shows v seconds with three digits and a unit: "412 ms". Below a
// microsecond no instrument here tells values apart.
func seconds(v float64) string {
	if v > 0 && v < 1e-6 {
		return "<1 µs"
	}
	u := unitOf(v)
	return number(v*u.factor) + " " + u.name
}

// number shows v with at least three digits and no more decimals than that
// takes: 0.412, 4.12, 41.2, 412, 4,120.
func number(v float64) string {
	return fixed(v, decimals(v))
}

// decimals is how many decimals show v with three significant digits.
func decimals(v float64) int {
	a := math.Abs(v)
	switch {
	case a == 0 || math.IsInf(a, 0) || math.IsNaN(a):
		return 0
	case a >= 99.95:
		return 0
	case a >= 9.995:
		return 1
	case a >= 0.9995:
		return 2
	default:
		return 3
	}
}

// fixed shows v with n decimals and groups thousands from 10,000 on.
func fixed(v float64, n int) string {
	s := strconv.FormatFloat(v, 'f', n, 64)
	whole, rest, _ := strings.Cut(s, ".")
	if rest != "" {
		rest = "." + rest
	}
	return group(whole) + rest
}

// integer shows a count with grouped thousands.
func integer(n int64) string { return group(strconv.FormatInt(n, 10)) }

// group sets commas into numbers of five digits or more.
func group(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	if len(s) < 5 || s[0] < '0' || s[0] > '9' {
		return sign + s
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// percent shows a share: 0.9931 is "99.3 %". What is not all is never shown as
// 100 %, nor what is something as 0 %.
func percent(share float64) string {
	p := share * 100
	switch {
	case p > 99.9 && p < 100:
		return "99.9 %"
	case p > 0 && p < 0.1:
		return "<0.1 %"
	default:
		return strings.TrimSuffix(fixed(p, 1), ".0") + " %"
	}
}

// share1 is percent with always one decimal, for columns.
func share1(share float64) string {
	s := percent(share)
	if !strings.ContainsAny(s, ".<") && share != 0 && share != 1 {
		s = strings.Replace(s, " %", ".0 %", 1)
	}
	return s
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

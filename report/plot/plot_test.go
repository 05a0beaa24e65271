package plot

import (
	"bytes"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/report"
)

// go test ./report/plot -keep DIR writes the images there, to be looked at.
var keep = flag.String("keep", "", "write the images of the tests into this `folder`")

// made is a report of a run of n points with a ramp, noise and some failures.
func made(n int, interval, scale float64) *report.Report {
	rng := rand.New(rand.NewPCG(7, 9))
	r := &report.Report{
		ID: "r.1", Name: "chat, steady", Model: "mistralai/Mistral-7B-Instruct-v0.1",
		Verdict:   report.Verdict{State: report.Valid},
		StartedAt: time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC),
		Stages:    []report.Stage{{Name: "rate 40", Description: "40/s poisson, 1m0s", End: float64(n) * interval}},
	}
	s := &r.Series
	s.Interval = interval
	inFlight, tokens := int64(0), int64(0)
	for i := range n {
		sent := int64(scale * interval * (0.8 + 0.4*rng.Float64()))
		if i > n-4 && n > 9 {
			sent = 0 // it drains
		}
		done := min(inFlight, int64(scale*interval*(0.8+0.4*rng.Float64())))
		failed := int64(0)
		if i > n/2 && i < n/2+n/8+1 {
			failed = done / 5
		}
		if i == n-1 {
			done, failed = inFlight+sent, 0
		} else {
			done -= failed
		}
		out := int64(float64(done) * 130 * (0.9 + 0.2*rng.Float64()))
		s.T = append(s.T, float64(i)*interval)
		s.Sent, s.Done, s.Failed = append(s.Sent, sent), append(s.Done, done), append(s.Failed, failed)
		s.InFlight, s.OutputTokens = append(s.InFlight, inFlight), append(s.OutputTokens, out)
		s.TTFTP50, s.TTFTP99 = append(s.TTFTP50, nil), append(s.TTFTP99, nil)
		inFlight += sent - done - failed
		tokens += out
		r.Accounting.Planned += sent
	}
	if n > 0 {
		mean := float64(tokens) / (float64(n) * interval)
		r.Throughput.OutputThroughput = &mean
	}
	return r
}

func staged() *report.Report {
	r := made(90, 1, 60)
	r.Name, r.Verdict.State = "", report.Degraded
	r.Stages = []report.Stage{
		{Name: "concurrency 8", Begin: 0, End: 30}, {Name: "concurrency 16", Begin: 31, End: 60}, {Name: "concurrency 32", Begin: 61, End: 89},
		{Name: "never begun"},
	}
	return r
}

var cases = map[string]func() *report.Report{
	"steady":    func() *report.Report { return made(60, 1, 40) },
	"staged":    staged,
	"empty":     func() *report.Report { return made(0, 1, 0) },
	"one point": func() *report.Report { return made(1, 1, 5) },
	"two":       func() *report.Report { return made(2, 1, 3) },
	"thousands": func() *report.Report { return made(7200, 1, 5000) },
	"hours":     func() *report.Report { return made(5000, 8, 1) },
	"nothing answered": func() *report.Report {
		r := made(20, 1, 10)
		for i := range r.Series.Done {
			r.Series.Failed[i] += r.Series.Done[i]
			r.Series.Done[i], r.Series.OutputTokens[i] = 0, 0
		}
		r.Throughput.OutputThroughput = nil
		r.Verdict.State = report.Invalid
		return r
	},
	"long names": func() *report.Report {
		r := staged()
		r.Model = strings.Repeat("a-very-long-model-name/", 20)
		r.Name = strings.Repeat("Wörter, 言葉\n\x00", 30)
		for i := range r.Stages {
			r.Stages[i].Name = strings.Repeat("long ", 30)
		}
		return r
	},
	"odd numbers": func() *report.Report {
		r := made(10, 1, 10)
		nan := math.NaN()
		r.Throughput.OutputThroughput = &nan
		r.Series.InFlight[3] = -5
		r.Series.Sent = r.Series.Sent[:4]
		r.Verdict.State = ""
		return r
	},
}

var kinds = map[string]func(io.Writer, *report.Report) error{"rs": RequestsPNG, "tp": ThroughputPNG}

// album keeps what was drawn, which is slow under the race detector.
var album = map[string]image.Image{}

func drawn(t *testing.T, name, kind string) image.Image {
	t.Helper()
	if img := album[kind+name]; img != nil {
		return img
	}
	var buf bytes.Buffer
	if err := kinds[kind](&buf, cases[name]()); err != nil {
		t.Fatalf("%s of %s: %v", kind, name, err)
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, kind+"_"+strings.ReplaceAll(name, " ", "_")+".png"), buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	img, err := png.Decode(&buf)
	if err != nil {
		t.Fatalf("%s of %s: %v", kind, name, err)
	}
	album[kind+name] = img
	return img
}

// pixels yields every third pixel of every third row of a part of an image.
func pixels(img image.Image, x0, y0, x1, y1 int) func(func(color.NRGBA) bool) {
	return func(yield func(color.NRGBA) bool) {
		for y := y0; y < y1; y += 3 {
			for x := x0; x < x1; x += 3 {
				c, _ := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
				if !yield(c) {
					return
				}
			}
		}
	}
}

// count is how many pixels have a colour, in the part of the image that is drawn
// into.
func count(img image.Image, c color.NRGBA) int {
	n := 0
	for got := range pixels(img, plotLeft, Height-plotTop, plotRight, Height-plotBottom) {
		if got == c {
			n++
		}
	}
	return n
}

func TestImages(t *testing.T) {
	for name := range cases {
		for kind := range kinds {
			t.Run(kind+" of "+name, func(t *testing.T) {
				img := drawn(t, name, kind)
				if size := img.Bounds().Size(); size.X != Width || size.Y != Height {
					t.Errorf("%v pixels, want %d×%d", size, Width, Height)
				}
				if colors := different(img); colors < 20 {
					t.Errorf("%d colours: it is blank", colors)
				}
			})
		}
	}
}

func different(img image.Image) int {
	seen := map[color.NRGBA]bool{}
	for c := range pixels(img, 0, 0, Width, Height) {
		seen[c] = true
	}
	return len(seen)
}

// The areas of the colours tell what became of the requests.
func TestColoursSayWhatHappened(t *testing.T) {
	for _, tt := range []struct {
		name                     string
		failed, done, inProgress bool
		tokens                   bool
	}{
		{"steady", true, true, true, true},
		{"empty", false, false, false, false},
		{"nothing answered", true, false, true, false},
	} {
		img := drawn(t, tt.name, "rs")
		for _, c := range []struct {
			what  string
			color color.NRGBA
			want  bool
		}{{"failed", vermillion, tt.failed}, {"succeeded", green, tt.done}, {"in progress", sky, tt.inProgress}} {
			if got := count(img, c.color) > 100; got != c.want {
				t.Errorf("%s: the colour of %s is there: %v, want %v", tt.name, c.what, got, c.want)
			}
		}
		if got := count(drawn(t, tt.name, "tp"), blue) > 100; got != tt.tokens {
			t.Errorf("%s: a curve of tokens is there: %v, want %v", tt.name, got, tt.tokens)
		}
	}
}

func TestCumulate(t *testing.T) {
	s := &report.Series{Interval: 1, T: []float64{2, 3, 4}, Sent: []int64{3, 1, 0}, Done: []int64{0, 2, 1}, Failed: []int64{0, 0, 1}, InFlight: []int64{0, 3, 2}, OutputTokens: []int64{0, 9, 9}}
	want := []outcomes{{2, 0, 0, 0}, {3, 0, 0, 3}, {4, 0, 2, 2}, {5, 1, 3, 0}}
	got := cumulate(s)
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestMoving(t *testing.T) {
	series := func(interval float64, tokens ...int64) *report.Series {
		n := len(tokens)
		s := &report.Series{Interval: interval, Sent: make([]int64, n), Done: make([]int64, n), Failed: make([]int64, n), InFlight: make([]int64, n), OutputTokens: tokens}
		for i := range tokens {
			s.T = append(s.T, float64(i)*interval)
		}
		return s
	}
	for _, tt := range []struct {
		name   string
		s      *report.Series
		want   []float64
		window float64
	}{
		{"none", series(1), nil, 5},
		{"one point", series(1, 10), []float64{10}, 5},
		{"shorter than the window", series(1, 10, 20), []float64{15, 15}, 5},
		{"a spike", series(1, 0, 0, 0, 50, 0, 0, 0), []float64{0, 50.0 / 4, 10, 10, 10, 50.0 / 4, 0}, 5},
		{"constant", series(1, 4, 4, 4, 4, 4, 4, 4, 4), []float64{4, 4, 4, 4, 4, 4, 4, 4}, 5},
		{"two seconds a point", series(2, 4, 4, 10), []float64{2, 3, 3.5}, 6},
		{"points wider than the window", series(8, 8, 16), []float64{1, 2}, 8},
	} {
		got, window := moving(tt.s)
		if len(got) != len(tt.want) || window != tt.window {
			t.Errorf("%s: got %v in a window of %v", tt.name, got, window)
			continue
		}
		for i := range got {
			if math.Abs(got[i].value-tt.want[i]) > 1e-9 {
				t.Errorf("%s: point %d is %v, want %v", tt.name, i, got[i].value, tt.want[i])
			}
		}
	}
}

func TestScales(t *testing.T) {
	for _, tt := range []struct {
		most  float64
		whole bool
		want  []string
	}{
		{0, true, []string{"0", "1"}},
		{3, true, []string{"0", "1", "2", "3"}},
		{4321, true, []string{"0", "1,000", "2,000", "3,000", "4,000", "5,000"}},
		{0.4, false, []string{"0.0", "0.1", "0.2", "0.3", "0.4"}},
		{1234567, false, []string{"0", "250,000", "500,000", "750,000", "1,000,000", "1,250,000"}},
	} {
		s := countScale(tt.most, 5, tt.whole)
		var got []string
		for _, v := range s.ticks() {
			got = append(got, s.label(v))
		}
		if strings.Join(got, " ") != strings.Join(tt.want, " ") {
			t.Errorf("%v: got %q, want %q", tt.most, got, tt.want)
		}
	}
	for _, tt := range []struct {
		begin, end float64
		unit       string
		first, n   string
	}{{0, 60, "s", "0", "7"}, {3, 9, "s", "3", "7"}, {0, 3600, "min", "0", "7"}, {0, 40000, "h", "0", "6"}, {0, 1, "s", "0.0", "11"}} {
		s, unit := timeScale(tt.begin, tt.end, 10)
		ticks := s.ticks()
		if unit.name != tt.unit || s.label(ticks[0]) != tt.first || grouped(float64(len(ticks)), 0) != tt.n {
			t.Errorf("%v to %v: %d ticks from %s in %s", tt.begin, tt.end, len(ticks), s.label(ticks[0]), unit.name)
		}
	}
}

// The controller draws for several callers at once.
func TestDrawConcurrently(t *testing.T) {
	r := cases["steady"]()
	var one bytes.Buffer
	if err := RequestsPNG(&one, r); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var again bytes.Buffer
			if err := RequestsPNG(&again, r); err != nil || !bytes.Equal(one.Bytes(), again.Bytes()) {
				t.Errorf("it draws another image beside others, or %v", err)
			}
		})
	}
	wg.Wait()
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrors(t *testing.T) {
	if err := RequestsPNG(full{}, cases["steady"]()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
}

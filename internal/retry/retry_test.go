package retry

import (
	"testing"
	"time"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestAfter(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   time.Duration
		ok     bool
	}{
		{"", 0, false},
		{"0", 0, true},
		{"7", 7 * time.Second, true},
		{" 7 ", 7 * time.Second, true},
		{"-7", 0, false},
		{"7.5", 0, false},
		{"soon", 0, false},
		{"9223372036854775807", longest, true},
		{"92233720368547758070", 0, false},
		{"Thu, 26 Nov 2026 12:00:30 GMT", 30 * time.Second, true},
		{"Thu, 26 Nov 2026 11:00:00 GMT", 0, true},
		{"Fri, 31 Dec 9999 23:59:59 GMT", longest, true},
	} {
		if got, ok := After(tc.header, now); got != tc.want || ok != tc.ok {
			t.Errorf("%q: %v, %t, want %v, %t", tc.header, got, ok, tc.want, tc.ok)
		}
	}
}

func FuzzAfter(f *testing.F) {
	f.Add("3")
	f.Add("Thu, 26 Nov 2026 12:00:30 GMT")
	f.Fuzz(func(t *testing.T, header string) {
		if d, ok := After(header, now); d < 0 || d > longest || !ok && d != 0 {
			t.Errorf("%q: %v, %t", header, d, ok)
		}
	})
}

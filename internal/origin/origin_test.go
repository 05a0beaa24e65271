package origin

import "testing"

func TestByPage(t *testing.T) {
	for _, c := range []struct {
		host, origin, site string
		want               bool
	}{
		{"127.0.0.1:8001", "", "", false},
		{"[::1]:8001", "", "", false},
		{"[::ffff:127.0.0.1]:8001", "", "", false},
		{"::1", "", "", false},
		{"localhost:8001", "", "", false},
		{"sim.localhost", "", "", false},
		{"sim", "", "", false},
		{"sim.", "", "", false},
		{"", "", "", false},
		{"127.0.0.1:8001", "http://127.0.0.1:8001", "same-origin", false},
		{"127.0.0.1:8001", "", "none", false},
		{"evil.example", "", "", true},
		{"evil.example:8001", "", "", true},
		{"127.0.0.1.evil.example:8001", "", "", true},
		{"EVIL.Example.:8001", "", "", true},
		{"evil.example:8001", "http://evil.example:8001", "same-origin", true},
		{"127.0.0.1:8001", "http://evil.example", "", true},
		{"127.0.0.1:8001", "http://127.0.0.1:3000", "", true},
		{"127.0.0.1:8001", "null", "", true},
		{"127.0.0.1:8001", "", "cross-site", true},
		{"127.0.0.1:8001", "", "same-site", true},
	} {
		if got := ByPage(c.host, c.origin, c.site); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func BenchmarkByPage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if ByPage("127.0.0.1:8001", "", "") {
			b.Fatal("refused")
		}
	}
}

package allow

import (
	"net/netip"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, host, addr string
		want                bool
	}{
		{"10.0.0.0/8", "models.internal", "10.1.2.3:8000", true},
		{"10.0.0.0/8", "models.internal", "11.1.2.3:8000", false},
		{"10.0.0.0/8:8000", "h", "10.1.2.3:8000", true},
		{"10.0.0.0/8:8000", "h", "10.1.2.3:22", false},
		{"10.1.2.3", "h", "10.1.2.3:22", true},
		{"10.1.2.3", "10.1.2.4", "10.1.2.4:22", false},
		{"10.0.0.0/8", "h", "[::ffff:10.1.2.3]:80", true}, // mapped
		{"fd00::/8", "h", "[fd00::1]:80", true},
		{"[fd00::/8]:443", "h", "[fd00::1]:443", true},
		{"[fd00::/8]:443", "h", "[fd00::1]:80", false},
		{"[::1]:8000", "localhost", "[::1]:8000", true},
		{"::1", "localhost", "[::1]:8000", true},
		{"*.models.internal", "a.models.internal", "10.0.0.1:80", true},
		{"*.models.internal", "A.Models.Internal.", "10.0.0.1:80", true},
		{"*.models.internal", "models.internal.evil.org", "10.0.0.1:80", false},
		{"*.models.internal:8000", "a.models.internal", "10.0.0.1:80", false},
		{"gpu-?", "gpu-7", "10.0.0.1:80", true},
		{"gpu-?", "gpu-77", "10.0.0.1:80", false},
		{"*", "anything", "192.0.2.1:1", true},
	} {
		list, err := Parse([]string{tt.pattern})
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got := list.Allow(tt.host, netip.MustParseAddrPort(tt.addr)) == nil; got != tt.want {
			t.Errorf("%s allows %s at %s: %v, want %v", tt.pattern, tt.host, tt.addr, got, tt.want)
		}
	}
}

func TestNoPatternsAllowAll(t *testing.T) {
	list, err := Parse(nil)
	if err != nil || list.Allow("h", netip.MustParseAddrPort("192.0.2.1:1")) != nil {
		t.Errorf("nothing was asked for: %v", err)
	}
}

func TestAnyPatternWillDo(t *testing.T) {
	list, err := Parse([]string{"10.0.0.0/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Allow("h", netip.MustParseAddrPort("[::1]:1")); err != nil {
		t.Error(err)
	}
	err = list.Allow("h", netip.MustParseAddrPort("192.0.2.1:1"))
	if err == nil || !strings.Contains(err.Error(), "192.0.2.1") || !strings.Contains(err.Error(), "--allow-target") {
		t.Errorf("got %v", err)
	}
}

func TestBadPatterns(t *testing.T) {
	for _, text := range []string{"", ":80", "h:", "h:0", "h:65536", "h:x", "a b", "http://h", "10.0.0.0/33", "[::1", "h[0-9]", "ho\nst", "[fd00::1%eth0]:80"} {
		if _, err := Parse([]string{text}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8:80", "*.x", "[::1]:2", "::/0"} {
		f.Add(s, "h", "10.0.0.1:80")
	}
	f.Fuzz(func(t *testing.T, text, host, addr string) {
		list, err := Parse([]string{text})
		at, aerr := netip.ParseAddrPort(addr)
		if err == nil && aerr == nil {
			_ = list.Allow(host, at)
		}
	})
}

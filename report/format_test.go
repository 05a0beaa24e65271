package report

import "testing"

func TestFormat(t *testing.T) {
	tests := []struct{ got, want string }{
		{seconds(0), "0 ms"},
		{seconds(0.000026), "26.0 µs"},
		{seconds(0.000999), "999 µs"},
		{seconds(0.00099999), "1.00 ms"},
		{seconds(0.0123), "12.3 ms"},
		{seconds(0.4126), "413 ms"},
		{seconds(0.9996), "1.00 s"},
		{seconds(1.234), "1.23 s"},
		{seconds(3600), "3600 s"},
		{number(0), "0"},
		{seconds(0.0000005), "<1 µs"},
		{share1(0.65), "65.0 %"},
		{share1(1), "100 %"},
		{number(0.0204), "0.020"},
		{number(9.996), "10.0"},
		{number(99.96), "100"},
		{number(1234.5), "1234"},
		{number(123456), "123,456"},
		{number(-12345), "-12,345"},
		{integer(591), "591"},
		{integer(10000000), "10,000,000"},
		{percent(1), "100 %"},
		{percent(0.9999), "99.9 %"},
		{percent(0.00004), "<0.1 %"},
		{percent(0), "0 %"},
		{percent(0.34), "34 %"},
		{percent(0.345), "34.5 %"},
		{figureText(0.9999, "ratio", 3), "99.99 %"},
		{figureText(0.000004, "ratio", 3), "0.0004 %"},
		{figureText(1, "ratio", 3), "100 %"},
		{figureText(0, "ratio", 3), "0 %"},
		{figureText(0.999, "ratio", 3), "99.9 %"},
		{beyond(0.0124, 0.01, "s", seconds), "12.4 ms"},
		{beyond(0.010002, 0.01, "s", seconds), "10.002 ms"},
		{beyond(0.0504, 0.05, "ratio", percent), "5.04 %"},
		{beyond(0.051, 0.05, "ratio", percent), "5.1 %"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

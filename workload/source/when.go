package source

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// when is a point in time as data writes it: a number of seconds (or, when it
// is too large for that, of milli-, micro- or nanoseconds) since whatever the
// data counts from, or a date with a time. It is kept in nanoseconds.
type when struct {
	nanos int64
	given bool
}

// UnmarshalJSON reads a number, a text, or null.
func (m *when) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		return nil
	}
	if data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	nanos, err := parseWhen(strings.TrimSpace(text))
	if err != nil {
		return err
	}
	m.nanos, m.given = nanos, true
	return nil
}

func parseWhen(text string) (int64, error) {
	var number json.Number
	if json.Unmarshal([]byte(text), &number) == nil && number != "" {
		f, err := number.Float64()
		if err == nil && math.Abs(f) < 1e20 {
			return nanosOf(f)
		}
	}
	for _, layout := range append(dateForms, "2006-01-02") {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1700 && t.Year() < 2250 {
			return t.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("a time must be seconds or a date such as 2006-01-02T15:04:05Z, got %.40q", text)
}

// nanosOf tells the unit of a number of time by its size: no recording counts
// seconds from before the year 5000, nor milliseconds and so on.
func nanosOf(f float64) (int64, error) {
	unit := 1e9
	for limit := 1e11; math.Abs(f) >= limit && unit > 1; limit *= 1e3 {
		unit /= 1e3
	}
	if f *= unit; math.Abs(f) >= math.MaxInt64/2 {
		return 0, fmt.Errorf("a time is out of bounds: %g", f)
	}
	if unit > 1 && math.Abs(f) > 1e15 {
		return int64(math.Round(f/1e3)) * 1e3, nil // a double holds microseconds of our days
	}
	return int64(math.Round(f)), nil
}

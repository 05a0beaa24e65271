package workload

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDuration bounds every duration of a spec; a year is longer than any run and
// far from where nanoseconds overflow.
const maxDuration = Duration(366 * 24 * time.Hour)

// D returns d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String returns the shortest usual notation, such as 500ms, 1h30m or 90s's 1m30s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// seconds returns protojson's notation, such as 0.5s.
func (d Duration) seconds() string {
	sign, n := "", uint64(d)
	if d < 0 {
		sign, n = "-", -uint64(d)
	}
	whole, frac := n/1e9, n%1e9
	s := sign + strconv.FormatUint(whole, 10)
	if frac != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%09d", frac), "0")
	}
	return s + "s"
}

// MarshalJSON writes protojson's notation, such as "0.5s".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.seconds()) }

// UnmarshalJSON reads "500ms", "1h30m", "0.5s" and numbers, which are seconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		return nil
	}
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return fmt.Errorf("duration: %w", err)
		}
	}
	v, err := ParseDuration(text)
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// DurationForm is what ParseDuration takes, in words.
const DurationForm = "a duration such as 500ms, 30s or 1h30m"

// ParseDuration reads a duration as people write it: 500ms, 1h30m, 0.5s. A bare
// number is seconds.
func ParseDuration(text string) (Duration, error) {
	s := strings.TrimSpace(text)
	if f, err := strconv.ParseFloat(s, 64); err == nil && !isHexFloat(s) {
		return durationOfSeconds(f, text)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("must be %s, got %s", DurationForm, quote(text))
	}
	return Duration(d), nil
}

func durationOfSeconds(f float64, text string) (Duration, error) {
	if math.IsNaN(f) || math.Abs(f) > maxDuration.D().Seconds()*100 {
		return 0, fmt.Errorf("must be a duration of at most %s, got %s", maxDuration, shorten(text))
	}
	return Duration(math.Round(f * 1e9)), nil
}

func isHexFloat(s string) bool { return strings.ContainsAny(s, "xX_") }

package workload

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Inf reports whether r sends everything at once.
func (r Rate) Inf() bool { return math.IsInf(float64(r), 1) }

// String returns the number, or inf.
func (r Rate) String() string {
	if r.Inf() {
		return "inf"
	}
	return strconv.FormatFloat(float64(r), 'g', -1, 64)
}

// MarshalJSON writes a number, or protojson's "Infinity".
func (r Rate) MarshalJSON() ([]byte, error) {
	if r.Inf() {
		return []byte(`"Infinity"`), nil
	}
	b, err := json.Marshal(float64(r))
	if err != nil {
		return nil, fmt.Errorf("rate: %w", err)
	}
	return b, nil
}

// UnmarshalJSON reads a number, or "inf" or "Infinity".
func (r *Rate) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		return nil
	}
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return fmt.Errorf("rate: %w", err)
		}
	}
	v, err := ParseRate(text)
	if err != nil {
		return err
	}
	*r = v
	return nil
}

// ParseRate reads requests per second: a number, inf or Infinity.
func ParseRate(text string) (Rate, error) {
	s := strings.TrimSpace(text)
	switch strings.TrimPrefix(strings.ToLower(s), "+") {
	case "inf", "infinity":
		return Rate(math.Inf(1)), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || isHexFloat(s) {
		return 0, fmt.Errorf("must be a number of requests per second or inf, got %s", quote(text))
	}
	return Rate(f), nil
}

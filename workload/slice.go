package workload

import (
	"fmt"
	"regexp"
	"strconv"
)

// Slice is a range of sessions in Python's notation; a nil bound is open, a
// negative one counts from the end.
type Slice struct{ From, To *int64 }

var sliceForm = regexp.MustCompile(`^\s*([+-]?\d+)?\s*:\s*([+-]?\d+)?\s*$`)

// ParseSlice reads "a:b", "a:", ":b" or ":".
func ParseSlice(text string) (Slice, error) {
	m := sliceForm.FindStringSubmatch(text)
	if m == nil {
		return Slice{}, fmt.Errorf("must be a slice such as 0:100, :100 or -50:, got %s", quote(text))
	}
	from, errFrom := bound(m[1])
	to, errTo := bound(m[2])
	if errFrom != nil || errTo != nil {
		return Slice{}, fmt.Errorf("must have bounds of at most 18 digits, got %s", quote(text))
	}
	return Slice{From: from, To: to}, nil
}

func bound(s string) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("bound %s: %w", quote(s), err)
	}
	return &v, nil
}

// Of applies the slice to n sessions and returns the first one and the one after
// the last; they are equal when nothing is left.
func (s Slice) Of(n int64) (from, to int64) {
	from, to = 0, n
	if s.From != nil {
		from = position64(*s.From, n)
	}
	if s.To != nil {
		to = position64(*s.To, n)
	}
	return from, max(from, to)
}

func position64(i, n int64) int64 {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

// String returns the notation that ParseSlice reads.
func (s Slice) String() string {
	text := func(p *int64) string {
		if p == nil {
			return ""
		}
		return strconv.FormatInt(*p, 10)
	}
	return text(s.From) + ":" + text(s.To)
}

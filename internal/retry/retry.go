// Package retry reads what a server says about when to ask again. It asks nobody
// and waits for nothing.
package retry

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longest is what no server can mean to ask for.
const longest = 366 * 24 * time.Hour

// After reads a Retry-After, seconds or a date; false when there is none, or one
// that is neither.
func After(header string, now time.Time) (time.Duration, bool) {
	header = strings.TrimSpace(header)
	if n, err := strconv.ParseInt(header, 10, 64); err == nil && n >= 0 {
		return time.Duration(min(n, int64(longest/time.Second))) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), longest), true
	}
	return 0, false
}

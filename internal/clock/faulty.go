//go:build clockfault

package clock

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// fault is what ails the host's clocks, by the environment: STAMPEDE_CLOCK_FAULT
// holds some of skew=5ms, ppm=50, step=2s, after=3s. The wall clock is ahead by
// skew, and set forward by step when the process is as old as after; both clocks
// run faster by ppm.
var fault = parse(os.Getenv("STAMPEDE_CLOCK_FAULT"))

type ailment struct {
	skew, step, after int64
	ppm               int64
}

func parse(text string) (a ailment) {
	for part := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(part, "=")
		if name == "ppm" {
			_, _ = fmt.Sscan(value, &a.ppm)
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			panic(fmt.Sprintf("STAMPEDE_CLOCK_FAULT: %v", err))
		}
		switch name {
		case "skew":
			a.skew = int64(d)
		case "step":
			a.step = int64(d)
		case "after":
			a.after = int64(d)
		default:
			panic("STAMPEDE_CLOCK_FAULT: no such fault: " + name)
		}
	}
	return a
}

func monotonic(since int64) int64 { return since + since/1000*fault.ppm/1000 }

func wall(since, unix int64) int64 {
	unix += fault.skew + since/1000*fault.ppm/1000
	if fault.step != 0 && since >= fault.after {
		unix += fault.step
	}
	return unix
}

//go:build !linux

package simulate

import (
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// alarm lets the scheduler sleep to a deadline by Go's timers, and lets others
// wake it earlier.
type alarm struct {
	event chan struct{}
	until atomic.Int64
}

func (a *alarm) init() error {
	a.event = make(chan struct{}, 1)
	return nil
}

func (a *alarm) prepareThread(bool) {}

func (a *alarm) close() {}

// before sees to it that the sleeper is awake by due.
func (a *alarm) before(due int64) {
	if due < a.until.Load() {
		select {
		case a.event <- struct{}{}:
		default:
		}
	}
}

// sleep returns at the monotonic instant until, or earlier. It returns at once
// when orders wait or the scheduler is to stop.
func (a *alarm) sleep(until int64, orders *atomic.Int32, stopped *atomic.Bool) {
	a.until.Store(until)
	defer a.until.Store(0)
	if orders.Load() > 0 || stopped.Load() {
		return
	}
	if until == never {
		<-a.event
		return
	}
	timer := time.NewTimer(time.Duration(until - clock.Now()))
	defer timer.Stop()
	select {
	case <-a.event:
	case <-timer.C:
	}
}

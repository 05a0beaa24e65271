package agent

import (
	"math"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// never is a deadline that does not come.
const never = int64(math.MaxInt64)

// sleeper lets one goroutine sleep to an instant of clock.Now and others wake it.
type sleeper interface {
	// sleep returns at the instant, or when wake was called since the last sleep
	// returned. It may return early for no reason. One goroutine calls it.
	sleep(until int64)
	// wake never waits; any goroutine may call it.
	wake()
}

// timerSleeper sleeps on a Go timer: on every system, and in fake time.
type timerSleeper struct {
	woken chan struct{}
	timer *time.Timer
}

func newTimerSleeper() *timerSleeper {
	s := &timerSleeper{woken: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	s.timer.Stop()
	return s
}

func (s *timerSleeper) sleep(until int64) {
	if until == never {
		<-s.woken
		return
	}
	d := until - clock.Now()
	if d <= 0 {
		return
	}
	s.timer.Reset(time.Duration(d))
	select {
	case <-s.timer.C:
	case <-s.woken:
		s.timer.Stop()
	}
}

func (s *timerSleeper) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

package agent

import (
	"testing"
	"testing/synctest"
	"time"
)

const constant = `
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{rate: 10, arrival: constant, duration: 2s}]}
`

func TestOpenLoopIsOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		r := ref("run", 0, 1)
		b.start(constant, r)
		b.release("run", 0, 0, 0)
		b.until(done, 1, 10*time.Second)
		anchor := b.anchorMono()
		if len(b.d.sent) != 20 {
			t.Fatalf("%d requests were sent, want 20", len(b.d.sent))
		}
		for i, s := range b.d.sent {
			if want := anchor + int64(i)*int64(100*time.Millisecond); s.at != want || s.id != requestID("run", int64(i)) {
				t.Errorf("entry %d: %s was sent %v late", i, s.id, time.Duration(s.at-want))
			}
		}
		for i, s := range b.c.samples(t) {
			if s.Index != int64(i) || s.Intended != int64(i)*int64(100*time.Millisecond) || s.Sent != s.Intended || s.ScheduleOffset != s.Intended {
				t.Errorf("sample %d: %+v", i, s)
			}
		}
		if n := len(b.c.samples(t)); n != 20 {
			t.Errorf("%d samples, want 20", n)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

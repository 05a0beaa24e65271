package simulate

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// The bounds in this file are loose on one side: nothing comes early, and late
// only by what a busy machine may add.
const slackOfBusyMachine = 500 * time.Millisecond

func TestTimingIsAsScripted(t *testing.T) {
	s := start(t, Config{TTFT: "40ms", ITL: "5ms", PrefillPerToken: 2 * time.Millisecond, TokenTimes: true})
	r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(20), "X-Request-Id: t")
	rec := recordOf(t, s, "t")
	if runtime.GOOS == "linux" && rec.Stamp != stampKernel {
		t.Errorf("stamp %q", rec.Stamp)
	}
	if rec.Arrival < r.sent.UnixNano() {
		t.Errorf("arrived %d ns before it was sent", r.sent.UnixNano()-rec.Arrival)
	}
	if due := rec.FirstDue - rec.Arrival; due != int64(46*time.Millisecond) {
		t.Errorf("the first token is due %v after arrival, want 46ms", time.Duration(due))
	}
	for i, at := range rec.TokenOffsets {
		due := 46*time.Millisecond + time.Duration(i)*5*time.Millisecond
		if late := time.Duration(at) - due; late < 0 || late > slackOfBusyMachine {
			t.Errorf("token %d written %v late", i, late)
		}
	}
	if e := r.events[1].at.UnixNano(); e < rec.FirstToken {
		t.Errorf("the client saw the first token %v before it was written", time.Duration(rec.FirstToken-e))
	}
}

func TestHeadersSetTheTiming(t *testing.T) {
	s := start(t, Config{TTFT: "1h", ITL: "1h"})
	r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(3), "X-Request-Id: h", "X-Sim-TTFT: 10ms", "X-Sim-ITL: uniform:1ms:2ms")
	rec := recordOf(t, s, "h")
	if !r.done || rec.FirstDue-rec.Arrival != 10e6 || rec.LastToken-rec.FirstToken > int64(slackOfBusyMachine) {
		t.Errorf("%+v", rec)
	}
	if r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(3), "X-Sim-TTFT: soon"); r.status != 400 {
		t.Errorf("%+v", r)
	}
}

// TestSlotsSaturate asks more than the slots can serve: Little's law says how
// long all of it takes at the least, and the queue is first in, first out.
func TestSlotsSaturate(t *testing.T) {
	const slots, requests, service = 4, 24, 10 * time.Millisecond
	s := start(t, Config{TTFT: service.String(), Slots: slots})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: requests}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range requests {
		wg.Go(func() { ask(client, s, "/v1/chat/completions", chatBody(1), fmt.Sprintf("X-Request-Id: %d", i)) })
	}
	wg.Wait()
	waitFor(t, "all records", func() bool { return len(s.Account()) == requests })
	records := s.Account()
	slices.SortFunc(records, func(a, b *Record) int { return int(a.Start - b.Start) })
	first, last, busy := records[0].Start, int64(0), int64(0)
	for _, r := range records {
		last = max(last, r.End)
		busy += r.End - r.Start
	}
	if sum := s.Summary(); sum.MaxRunning != slots {
		t.Errorf("%d ran at once, want %d", sum.MaxRunning, slots)
	}
	if mean := float64(busy) / float64(last-first); mean > slots*1.001 {
		t.Errorf("%.2f in service on average, with %d slots", mean, slots)
	}
	if least := int64(requests / slots * service); last-first < least {
		t.Errorf("served in %v, which %d slots can't", time.Duration(last-first), slots)
	}
	// Each record has its own mapping to Unix time, so two of them may disagree a little.
	const mapping = int64(100 * time.Microsecond)
	for i, r := range records[slots:] {
		free := min(records[i].End, records[i+1].End, records[i+2].End, records[i+3].End)
		if r.Start < free-mapping {
			t.Errorf("request %s began while all slots were taken", r.ID)
		}
	}
}

func TestFullQueueRefuses(t *testing.T) {
	s := start(t, Config{TTFT: "1h", Slots: 1, QueueLimit: 1})
	client := &http.Client{Transport: &http.Transport{}}
	for i, want := range []int64{0, 1} {
		go ask(&http.Client{Timeout: 2 * time.Second}, s, "/v1/chat/completions", chatBody(1))
		waitFor(t, fmt.Sprint(i), func() bool { return s.meter.running.Load() == 1 && s.Summary().Waiting == want })
	}
	if r := ask(client, s, "/v1/chat/completions", chatBody(1)); r.status != http.StatusTooManyRequests {
		t.Errorf("%+v", r)
	}
}

func TestDistributions(t *testing.T) {
	for text, want := range map[string]struct{ mean, tolerance, least, most float64 }{
		"50ms":                {50e6, 0, 50e6, 50e6},
		"fixed:50ms":          {50e6, 0, 50e6, 50e6},
		"uniform:40ms:60ms":   {50e6, 2e5, 40e6, 60e6},
		"normal:50ms:5ms":     {50e6, 2e5, 0, 1e9},
		"normal:1ms:10ms":     {4.5e6, 5e5, 0, 1e9}, // cut at 0
		"lognormal:50ms:20ms": {50e6, 6e5, 1, 1e9},
		"exp:50ms":            {50e6, 2e6, 0, 1e10},
		"0":                   {0, 0, 0, 0},
	} {
		d, err := parseDurationDist(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		rng, sum := rand.New(rand.NewPCG(1, 2)), 0.0
		for range 50_000 {
			v := float64(d.draw(rng))
			if sum += v; v < want.least || v > want.most {
				t.Fatalf("%s: drew %v", text, v)
			}
		}
		if mean := sum / 50_000; mean < want.mean-want.tolerance || mean > want.mean+want.tolerance {
			t.Errorf("%s: mean %v, want %v", text, mean, want.mean)
		}
	}
	for _, text := range []string{"", "5", "-1ms", "uniform:1ms", "normal:1ms:2ms:3ms", "lognormal:0ms:1ms", "25h", "exp:"} {
		if d, err := parseDurationDist(text); err == nil {
			t.Errorf("%q is %+v", text, d)
		}
	}
}

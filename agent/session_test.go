package agent

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func TestResumeResendsWhatWasNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.c.ack = func(m *stampedev1.SampleBatch) bool { return m.GetBatchSequence() <= 3 }
		_, end := b.agent()
		b.start(constant, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(1800 * time.Millisecond)
		synctest.Wait()
		b.c.mu.Lock()
		before := sequences(b.c.batches)
		b.c.batches = nil
		b.c.updates = nil
		b.c.ack = nil
		b.c.cut()
		b.c.mu.Unlock()
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		b.c.mu.Lock()
		after := sequences(b.c.batches)
		b.c.mu.Unlock()
		if len(before) < 5 || len(after) < len(before)-3 || !slices.Equal(after[:len(before)-3], before[3:]) {
			t.Errorf("sent %v, of which 3 were acknowledged; after resuming %v", before, after)
		}
		b.until(done, 1, time.Minute)
		if n := b.c.hellos[1]; !bytes.Equal(n.GetResumeSecret(), []byte{1}) || len(n.GetShards()) != 1 || n.GetAgentId() != b.c.hellos[0].GetAgentId() {
			t.Errorf("the second hello is %v", n)
		}
		if len(b.c.told(ready)) != 1 {
			t.Error("the new session was not told that the shard is ready")
		}
		anchor := b.anchorMono()
		for i, s := range b.d.sent {
			if s.at != anchor+int64(i)*int64(100*time.Millisecond) {
				t.Errorf("entry %d was not sent on time: the load paused", i)
			}
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func sequences(batches []*stampedev1.SampleBatch) (all []int64) {
	for _, m := range batches {
		all = append(all, m.GetBatchSequence())
	}
	return all
}

func TestSilentControllerEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		time.Sleep(3 * time.Second)
		b.c.mu.Lock()
		b.c.silent = true
		b.c.mu.Unlock()
		time.Sleep(b.c.lease/2 - time.Second)
		synctest.Wait()
		if b.c.sessionCount() != 1 {
			t.Error("the session ended before half a lease was over")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if b.c.sessionCount() != 2 {
			t.Errorf("%d sessions, want 2", b.c.sessionCount())
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// The controller says how often to report, and says so anew with each renewal. A
// period that would cost the lease is not followed.
func TestHeartbeatPeriodIsDictated(t *testing.T) {
	for dictated, want := range map[time.Duration]time.Duration{
		0: time.Second, 1500 * time.Millisecond: 1500 * time.Millisecond, time.Hour: 5 * time.Second,
	} {
		t.Run(dictated.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				defer b.close()
				b.c.lease, b.c.period, b.c.dictated = 10*time.Second, time.Second, dictated
				_, end := b.agent()
				time.Sleep(10*time.Second + time.Millisecond)
				b.c.mu.Lock()
				before := len(b.c.beats)
				b.c.mu.Unlock()
				time.Sleep(30 * time.Second)
				b.c.mu.Lock()
				got := len(b.c.beats) - before
				b.c.mu.Unlock()
				if most := int(30 * time.Second / want); got < most-1 || got > most+1 {
					t.Errorf("%d heartbeats in 30 s, want one every %v", got, want)
				}
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestRefusedAgentEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.c.refuse = status.Error(codes.Unauthenticated, "the join token is wrong")
		_, end := b.agent()
		if err := end(); status.Code(err) != codes.Unauthenticated {
			t.Errorf("Run returned %v, want what the controller said", err)
		}
	})
}

func TestAgentThatWasWelcomeIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		time.Sleep(time.Second)
		b.c.mu.Lock()
		b.c.refuse = status.Error(codes.Unauthenticated, "the join token was rotated")
		b.c.cut()
		b.c.mu.Unlock()
		time.Sleep(refusalPatience / 2)
		b.c.mu.Lock()
		b.c.refuse = nil
		b.c.mu.Unlock()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if b.c.sessionCount() != 2 {
			t.Errorf("%d sessions, want 2: a new one once the token is known again", b.c.sessionCount())
		}
		b.c.mu.Lock()
		b.c.refuse = status.Error(codes.Unauthenticated, "the join token is gone")
		b.c.cut()
		b.c.mu.Unlock()
		time.Sleep(refusalPatience + 10*time.Second)
		if err := end(); status.Code(err) != codes.Unauthenticated {
			t.Errorf("Run returned %v, want what the controller said", err)
		}
	})
}

func TestUnreachableControllerIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.c.refuse = status.Error(codes.Unavailable, "not yet")
		_, end := b.agent()
		time.Sleep(time.Minute)
		b.c.mu.Lock()
		b.c.refuse = nil
		b.c.mu.Unlock()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if b.c.sessionCount() != 1 {
			t.Errorf("%d sessions, want 1", b.c.sessionCount())
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestGoodbyeDrainsAndShips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.latency = func(string) time.Duration { return 2 * time.Second }
		a, end := b.agent(func(c *Config) { c.LeaveTimeout = 5 * time.Second })
		b.start(constant, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(300*time.Millisecond + 550*time.Millisecond)
		left := time.Now()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(left); took > 2*time.Second {
			t.Errorf("leaving took %v", took)
		}
		if len(b.c.goodbyes) != 1 {
			t.Errorf("%d goodbyes", len(b.c.goodbyes))
		}
		samples := b.c.samples(t)
		if len(samples) != 6 || len(b.d.sent) != 6 {
			t.Errorf("%d samples of %d requests, want all 6 that were in flight", len(samples), len(b.d.sent))
		}
		for _, s := range samples {
			if s.Status != measure.Succeeded {
				t.Errorf("sample %d has status %d", s.Index, s.Status)
			}
		}
		if n, _ := a.outbox.held(); n != 0 || len(b.c.told(done)) != 1 {
			t.Errorf("%d batches left, %d shards done", n, len(b.c.told(done)))
		}
	})
}

func TestLeavingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.latency = func(string) time.Duration { return time.Hour }
		_, end := b.agent(func(c *Config) { c.LeaveTimeout = 5 * time.Second })
		b.start(constant, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(400 * time.Millisecond)
		left := time.Now()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(left); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("leaving took %v, want the bound of 5 s", took)
		}
		for _, s := range b.c.samples(t) {
			if s.Status != measure.Cancelled {
				t.Errorf("sample %d has status %d, want cancelled", s.Index, s.Status)
			}
		}
	})
}

func TestLeavingAgentTakesNoShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.latency = func(string) time.Duration { return time.Second }
		a, end := b.agent()
		b.start(constant, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(400 * time.Millisecond)
		ended := make(chan error)
		go func() { ended <- end() }()
		synctest.Wait()
		_, m := spec(t, constant)
		b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartShard{
			StartShard: &stampedev1.StartShard{Ref: ref("other", 0, 1).Proto(), Spec: m},
		}})
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := len(b.c.told(failed)); n != 1 {
			t.Errorf("%d shards failed, want the new one", n)
		}
		_ = a
	})
}

// The controller's clock may be anywhere: what counts is when it says.
func TestSkewedClocks(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, 5 * time.Second} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				defer b.close()
				b.c.skew = skew
				_, end := b.agent()
				b.start(constant, ref("run", 0, 1))
				b.release("run", 0, 0, 0)
				b.until(done, 1, time.Minute)
				if first := b.d.sent[0].at - b.anchorMono(); first != 0 {
					t.Errorf("the first entry was sent %v late", time.Duration(first))
				}
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	tests := []struct {
		failures int
		lease    time.Duration
		uniform  float64
		want     time.Duration
	}{
		{0, 10 * time.Second, 0, 50 * time.Millisecond},
		{1, 10 * time.Second, 0, 100 * time.Millisecond},
		{1, 10 * time.Second, 0.5, 150 * time.Millisecond},
		{4, 10 * time.Second, 0, 800 * time.Millisecond},
		{100, 10 * time.Second, 0, 1250 * time.Millisecond},
		{100, time.Second, 0.999999, 250 * time.Millisecond},
	}
	for _, test := range tests {
		if got := backoff(test.failures, test.lease, test.uniform); (got - test.want).Abs() > time.Microsecond {
			t.Errorf("backoff(%d, %v, %g) = %v, want %v", test.failures, test.lease, test.uniform, got, test.want)
		}
	}
}

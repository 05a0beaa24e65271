//go:build linux

package fault

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/e2e/harness"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func TestControllerKilledAndBackWithinTheLease(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	r := begin(t, c, sim, load(sim, 40, 7*time.Second))
	sim.Await(t, 60)
	c.Controller.Kill()
	pause(300 * time.Millisecond)
	c.Restart(t)
	a := r.ended(t)
	r.hold(t, a)
	if sum := a.Report.Accounting; sum.Planned != 280 || sum.Succeeded != 280 {
		t.Errorf("accounting %+v, want 280 planned and succeeded\n%s", sum, c.Controller.Stderr())
	}
	if gap := longestGap(a); gap > time.Second {
		t.Errorf("nothing was sent for %v: the load paused", gap)
	}
}

// longestGap is the longest time between two requests.
func longestGap(a harness.Artefacts) time.Duration {
	var gap, last int64
	for _, at := range sentInOrder(a) {
		if last > 0 {
			gap = max(gap, at-last)
		}
		last = at
	}
	return time.Duration(gap)
}

func TestControllerKilledAndBackAfterTheLease(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	r := begin(t, c, sim, load(sim, 40, 12*time.Second))
	sim.Await(t, 60)
	c.Controller.Kill()
	pause(2 * lease)
	c.Restart(t)
	a := r.ended(t)
	r.hold(t, a)
	if sum := a.Report.Accounting; sum.Planned != 480 || sum.Failed+sum.Unsent != 0 {
		t.Errorf("accounting %+v, want 480 planned, none failed or unsent", sum)
	}
}

func TestControllerAndAnAgentKilledTogether(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	r := begin(t, c, sim, load(sim, 40, 14*time.Second))
	sim.Await(t, 60)
	c.Controller.Kill()
	c.Agents[0].Kill()
	c.Restart(t)
	a := r.ended(t)
	r.hold(t, a)
	if lost := agentOf(t, a, "agent-a").Lost; lost == nil || lost.Returned {
		t.Errorf("agent-a lost: %+v, want it lost for good", lost)
	}
	// Up to the ceiling, which lies at most five seconds beyond the permits.
	wantLost(t, a, 10, 20*9)
	if took := intendedAfter(a, "agent-b", a.Report.StartedAt.Add(12*time.Second)); took < 60 {
		t.Errorf("agent-b sent %d of the last two seconds, want all 80", took)
	}
}

func TestControllerKilledAtRandomInstants(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	sim := harness.StartSimulator(t, "--ttft", "20ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	spec := "endpoint: {url: " + sim.URL() + ", model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 5}\n" +
		"load: {warmup: {duration: 1s}, stages: [{rate: 40, arrival: poisson, duration: 5s}, {concurrency: 4, requests: 150}, {rate: 40, duration: 4s}]}\nseed: 9\n"
	r := begin(t, c, sim, spec)
	for range 10 {
		pause(time.Duration(rng.IntN(900)) * time.Millisecond)
		c.Controller.Kill()
		pause(time.Duration(rng.IntN(200)) * time.Millisecond)
		c.Restart(t)
	}
	a := r.ended(t)
	r.hold(t, a)
	sum := a.Report.Accounting
	if sum.Lost+sum.Failed+sum.Unsent != 0 || sum.Planned < 450 {
		t.Errorf("seed %d: accounting %+v, want all succeeded\n%s", seed, sum, c.Controller.Stderr())
	}
}

// seedOf is drawn, printed, and taken from STAMPEDE_SEED to do the same again.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64() >> 32
	if said := os.Getenv("STAMPEDE_SEED"); said != "" {
		n, err := strconv.ParseUint(said, 10, 64)
		if err != nil {
			t.Fatalf("STAMPEDE_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d: STAMPEDE_SEED=%d does the same again", seed, seed)
	return seed
}

func TestFinishedRunsOutliveARestart(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "5ms")
	c := harness.StartCluster(t, 1, terms...)
	r := begin(t, c, sim, load(sim, 40, time.Second))
	before := r.ended(t)
	c.Controller.Kill()
	c.Restart(t)
	after := r.read(t)
	r.hold(t, after)
	if len(after.Rows) != len(before.Rows) || after.Hash != before.Hash || after.Report.Accounting != before.Report.Accounting {
		t.Errorf("after the restart: %d rows, hash %s, %+v; before: %d, %s, %+v", len(after.Rows), after.Hash, after.Report.Accounting,
			len(before.Rows), before.Hash, before.Report.Accounting)
	}
	if got := harness.Stampede(t, "delete", strings.Split(r.id, ".")[0], "--controller", c.GRPC); got.Code != 0 {
		t.Fatalf("delete: %s%s", got.Out, got.Err)
	}
	c.Controller.Kill()
	c.Restart(t)
	if got := harness.Stampede(t, "report", r.id, "--controller", c.GRPC); got.Code == 0 || !strings.Contains(got.Err, "not found") {
		t.Errorf("a deleted run is there after a restart: %d %s", got.Code, got.Err)
	}
}

// A crash may leave half a record at the journal's end: it is cut off, that is said,
// and the run goes on.
func TestTornEndOfTheJournalIsCut(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	r := begin(t, c, sim, load(sim, 40, 7*time.Second))
	sim.Await(t, 60)
	c.Controller.Kill()
	segment := filepath.Join(c.DataDir, "runs", strings.Split(r.id, ".")[0], "segment_"+r.id)
	f, err := os.OpenFile(segment, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte{200, 0, 0, 0, 1, 2, 3, 4, 3, 'h', 'a', 'l', 'f'}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c.Restart(t)
	a := r.ended(t)
	r.hold(t, a)
	if sum := a.Report.Accounting; sum.Succeeded != 280 {
		t.Errorf("accounting %+v, want 280 succeeded", sum)
	}
	if log := c.Controller.Stderr(); !strings.Contains(log, "torn") || !strings.Contains(log, "13 bytes") {
		t.Errorf("nothing is said of the 13 bytes that were cut:\n%s", log)
	}
}

func TestDamagedDataFolderIsSaid(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	c.Controller.Kill()
	path := filepath.Join(c.DataDir, "stampede.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] ^= 0x5a
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := harness.Stampede(t, "controller", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir", c.DataDir)
	if got.Code != 1 || !strings.Contains(got.Err, "stampede.db") || !strings.Contains(got.Err, "damaged") {
		t.Errorf("exit %d, want 1 and a sentence that names the file:\n%s", got.Code, got.Err)
	}
}

func TestSecretsOverARestart(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{true, false} {
		t.Run("key file there "+strconv.FormatBool(there), func(t *testing.T) {
			t.Parallel()
			const key = "sk-very-secret-0123456789"
			sim := harness.StartSimulator(t, "--ttft", "10ms", "--api-key", key)
			keyFile := filepath.Join(t.TempDir(), "key")
			c := harness.StartCluster(t, 1, append([]string{"--key-file", keyFile}, terms...)...)
			r := begin(t, c, sim, strings.Replace(load(sim, 30, 6*time.Second), "endpoint: {", "endpoint: {api_key: "+key+", ", 1))
			sim.Await(t, 30)
			c.Controller.Kill()
			if holds(t, c.DataDir, key) {
				t.Error("the data folder shows the key")
			}
			if !there {
				c.Agents[0].Kill() // it would wait for the run that it still has
				if err := os.Remove(keyFile); err != nil {
					t.Fatal(err)
				}
			}
			c.Restart(t)
			if there {
				a := r.ended(t)
				r.hold(t, a)
				if a.Report.Accounting.Succeeded != 180 {
					t.Errorf("accounting %+v, want 180 succeeded", a.Report.Accounting)
				}
				return
			}
			got := harness.Stampede(t, "report", r.id, "--controller", c.GRPC)
			if got.Code == 0 || !strings.Contains(got.Err, keyFile) {
				t.Errorf("exit %d, want an error that names %s:\n%s", got.Code, keyFile, got.Err)
			}
			conn, err := grpc.NewClient(c.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			tests := stampedev1.NewTestServiceClient(conn)
			test, err := tests.GetTest(t.Context(), &stampedev1.GetTestRequest{TestId: r.id})
			if m := test.GetTest(); err != nil || m.GetState() != stampedev1.State_STATE_FAILED || !strings.Contains(m.GetReason(), keyFile) {
				t.Errorf("the run is %v (%s), %v; want it FAILED for %s", m.GetState(), m.GetReason(), err, keyFile)
			}
			_, err = tests.StartTest(t.Context(), &stampedev1.StartTestRequest{TestId: strings.Split(r.id, ".")[0]})
			if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), keyFile) {
				t.Errorf("started again: %v, want FAILED_PRECONDITION that names %s", err, keyFile)
			}
		})
	}
}

// holds reports whether any file below a folder contains a text.
func holds(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || strings.Contains(string(data), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// fullDisk is a cluster of one agent whose data lie on a small file system, and a
// run that fills it. Mounting needs root, which CI is.
func fullDisk(t *testing.T, seconds int) (c *harness.Cluster, r running, dir string) {
	t.Helper()
	if dir = smallDisk(t, "size=300k"); dir == "" {
		t.Skip("mounting a small tmpfs needs root")
	}
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms")
	c = harness.StartController(t, append([]string{"--data-dir", dir}, terms...)...)
	c.StartAgent(t, "agent-a", c.GRPC)
	c.AwaitAgents(t, 1)
	spec := "endpoint: {url: " + sim.URL() + ", model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 150}\n" +
		"load: {stages: [{rate: 200, arrival: constant, duration: " + strconv.Itoa(seconds) + "s}]}\n"
	return c, begin(t, c, sim, spec), dir
}

// smallDisk mounts a file system of its own, or returns nothing where that is not
// allowed.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 || syscall.Mount("tmpfs", dir, "tmpfs", 0, options) != nil {
		return ""
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestJournalsDiskIsFull(t *testing.T) {
	t.Parallel()
	c, r, _ := fullDisk(t, 5)
	w := harness.Stampede(t, "watch", r.id, "--controller", c.GRPC)
	got := harness.Stampede(t, "report", r.id, "--controller", c.GRPC, "--format", "json")
	if !strings.Contains(got.Out, `"degraded"`) || !strings.Contains(got.Out, "no space left on device") || !strings.Contains(got.Out, `"succeeded": 1000`) {
		t.Errorf("watch %d %s%s; want a report of 1000 that says that the journal failed:\n%.3000s\n%s", w.Code, w.Out, w.Err, got.Out, c.Controller.Stderr())
	}
	if n := strings.Count(c.Controller.Stderr(), "journal is not written"); n != 1 {
		t.Errorf("the failure is logged %d times", n)
	}
}

func TestRunWhoseJournalFailedIsNotResumed(t *testing.T) {
	t.Parallel()
	c, r, dir := fullDisk(t, 30)
	for range 400 {
		if strings.Contains(c.Controller.Stderr(), "journal is not written") {
			break
		}
		pause(50 * time.Millisecond)
	}
	c.Controller.Kill()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	c.Restart(t)
	a := r.ended(t)
	if a.Report.State != "FAILED" || !strings.Contains(a.Report.Reason, "journal") {
		t.Errorf("state %s, %q; want FAILED for the journal's sake", a.Report.State, a.Report.Reason)
	}
	if sum := a.Report.Accounting; sum.Succeeded == 0 || int(sum.Succeeded) > len(a.Rows) {
		t.Errorf("accounting %+v with %d rows, want what was journaled", sum, len(a.Rows))
	}
}

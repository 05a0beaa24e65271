//go:build unix

package fleet

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// perConnection is how many sessions share a connection here.
const perConnection = 50

// TestThousandsOfHeartbeats: the sessions of many times as many agents, without
// the agents, report as often as they are told to. Each heartbeat is answered well
// within the lease, and no session ends.
func TestThousandsOfHeartbeats(t *testing.T) {
	n := 8 * size(t)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	dial, _, end := startController(t, ctx, &all)
	defer func() { cancel(); end(); all.Wait() }()
	began := time.Now()
	beats := &beating{}
	var agents sync.WaitGroup
	length := 8 * time.Second
	if os.Getenv("STAMPEDE_FLEET") != "" {
		length = 30 * time.Second
	}
	until := time.Now().Add(length)
	for range (n + perConnection - 1) / perConnection {
		conn, err := grpc.NewClient("passthrough:///fleet", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range perConnection {
			agents.Go(func() {
				if err := beats.agent(ctx, conn, until); err != nil {
					t.Error(err)
				}
			})
		}
	}
	agents.Wait()
	slices.Sort(beats.answered)
	last := len(beats.answered) - 1
	if last < 2*n {
		t.Fatalf("%d heartbeats of %d agents were answered in %v", last+1, n, length)
	}
	if most := beats.answered[last]; most > 5*time.Second {
		t.Errorf("a heartbeat was answered after %v, the lease is 10 s", most)
	}
	report(t, fmt.Sprintf("%d sessions, %d heartbeats answered within %v (p50), %v (p99), %v (all)",
		n, last+1, beats.answered[last/2], beats.answered[last*99/100], beats.answered[last]), began)
}

// beating is how long heartbeats took to be answered.
type beating struct {
	mu       sync.Mutex
	answered []time.Duration
}

// agent holds one session until then.
func (b *beating) agent(ctx context.Context, conn *grpc.ClientConn, until time.Time) error {
	s, err := stampedev1.NewAgentServiceClient(conn).Session(ctx)
	if err != nil {
		return err
	}
	hello := &stampedev1.Hello{AgentId: uuid.NewString(), Version: "dev", Name: "beat"}
	if err := s.Send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Hello{Hello: hello}}); err != nil {
		return err
	}
	if _, err := s.Recv(); err != nil {
		return err
	}
	for sequence := int64(1); time.Now().Before(until); sequence++ {
		sent := time.Now()
		beat := &stampedev1.Heartbeat{Sequence: sequence, SentUnixNanos: sent.UnixNano()}
		if err := s.Send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: beat}}); err != nil {
			return err
		}
		m, err := s.Recv()
		if err != nil {
			return fmt.Errorf("heartbeat %d: %w", sequence, err)
		}
		took := time.Since(sent)
		b.mu.Lock()
		b.answered = append(b.answered, took)
		b.mu.Unlock()
		<-time.After(m.GetLeaseRenewal().GetHeartbeatPeriod().AsDuration() - took)
	}
	return s.CloseSend()
}

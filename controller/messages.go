package controller

import (
	"slices"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Messages to agents.

func probe(m *stampedev1.Probe) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_Probe{Probe: m}}
}

func startPhase(m *stampedev1.StartPhase) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartPhase{StartPhase: m}}
}

func startShard(m *stampedev1.StartShard) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartShard{StartShard: m}}
}

func stopShard(runID string, drain time.Duration, reason string) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StopShard{StopShard: &stampedev1.StopShard{
		RunId: runID, DrainTimeout: duration(drain), Reason: reason,
	}}}
}

func forgetRun(runID string) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_ForgetRun{ForgetRun: &stampedev1.ForgetRun{RunId: runID}}}
}

func sampleAck(ref *stampedev1.ShardRef, sequence int64) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_SampleAck{SampleAck: &stampedev1.SampleAck{Ref: ref, BatchSequence: sequence}}}
}

func duration(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// timestamp is nil for the zero time, which is no moment.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func sortStrings(s []string) { slices.Sort(s) }

// clip shortens text of others to n bytes and makes it printable, for logs and
// reasons.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	clean := []rune(s)
	for i, r := range clean {
		if r == utf8.RuneError || r < ' ' || r == 0x7f {
			clean[i] = ' '
		}
	}
	return string(clean)
}

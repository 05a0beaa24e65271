package wire

import (
	"fmt"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// Ref names one attempt at one shard of a run. It is comparable, so it serves as
// a map key where the message it stands for cannot.
type Ref struct {
	RunID   string
	Shard   schedule.Shard
	Attempt int32
}

// String is the form for logs: run, shard and attempt.
func (r Ref) String() string {
	return fmt.Sprintf("%s shard %d mod %d attempt %d", r.RunID, r.Shard.Offset, r.Shard.Stride, r.Attempt)
}

// Proto returns the message for r.
func (r Ref) Proto() *stampedev1.ShardRef {
	return &stampedev1.ShardRef{RunId: r.RunID, Shard: ShardToProto(r.Shard), ShardAttempt: r.Attempt}
}

// RefFromProto checks and converts m.
func RefFromProto(m *stampedev1.ShardRef) (Ref, error) {
	s, err := ShardFromProto(m.GetShard())
	switch {
	case m.GetRunId() == "":
		return Ref{}, fmt.Errorf("shard reference: run_id is empty, a run's id is required")
	case err != nil:
		return Ref{}, fmt.Errorf("shard reference of run %s: %w", m.GetRunId(), err)
	case m.GetShardAttempt() < 1:
		return Ref{}, fmt.Errorf("shard reference of run %s: shard_attempt is %d, must be at least 1", m.GetRunId(), m.GetShardAttempt())
	}
	return Ref{RunID: m.GetRunId(), Shard: s, Attempt: m.GetShardAttempt()}, nil
}

// ShardToProto returns the message for s.
func ShardToProto(s schedule.Shard) *stampedev1.Shard {
	return &stampedev1.Shard{Offset: s.Offset, Stride: s.Stride}
}

// ShardFromProto checks and converts m.
func ShardFromProto(m *stampedev1.Shard) (schedule.Shard, error) {
	if m.GetStride() < 1 || m.GetOffset() < 0 || m.GetOffset() >= m.GetStride() {
		return schedule.Shard{}, fmt.Errorf("shard %d mod %d: the stride must be at least 1 and the offset in [0, stride)", m.GetOffset(), m.GetStride())
	}
	return schedule.Shard{Offset: m.GetOffset(), Stride: m.GetStride()}, nil
}

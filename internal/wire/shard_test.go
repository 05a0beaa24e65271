package wire_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

func TestRefRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stride := rapid.Int64Range(1, 1<<40).Draw(t, "stride")
		want := wire.Ref{
			RunID:   rapid.StringN(1, 40, -1).Draw(t, "run"),
			Shard:   schedule.Shard{Offset: rapid.Int64Range(0, stride-1).Draw(t, "offset"), Stride: stride},
			Attempt: rapid.Int32Range(1, 1<<20).Draw(t, "attempt"),
		}
		got, err := wire.RefFromProto(want.Proto())
		if err != nil || got != want {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	})
}

func TestRefFromProtoRefuses(t *testing.T) {
	tests := []struct {
		name string
		ref  *stampedev1.ShardRef
		want string
	}{
		{"nothing", nil, "run_id is empty"},
		{"no shard", &stampedev1.ShardRef{RunId: "r", ShardAttempt: 1}, "shard 0 mod 0"},
		{"offset beyond stride", &stampedev1.ShardRef{RunId: "r", ShardAttempt: 1, Shard: &stampedev1.Shard{Offset: 2, Stride: 2}}, "shard 2 mod 2"},
		{"negative offset", &stampedev1.ShardRef{RunId: "r", ShardAttempt: 1, Shard: &stampedev1.Shard{Offset: -1, Stride: 2}}, "shard -1 mod 2"},
		{"no attempt", &stampedev1.ShardRef{RunId: "r", Shard: &stampedev1.Shard{Stride: 1}}, "shard_attempt is 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := wire.RefFromProto(test.ref); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

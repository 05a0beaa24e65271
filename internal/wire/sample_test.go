package wire_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// chunked is a reply of n chunks, 10 ms apart.
func chunked(n int) *measure.Sample {
	s := &measure.Sample{
		Index: 12345, Session: 12345, Phase: 1, Attempt: 1, Status: measure.Succeeded,
		ScheduleOffset: 2_000_000_000, Intended: 2_000_000_000, Sent: 2_000_040_000, Headers: 2_045_000_000,
		FirstToken: 2_050_040_000, FirstOutput: 2_050_040_000, LastToken: 2_050_040_000 + int64(n-1)*10_000_000, End: 2_050_100_000 + int64(n)*10_000_000,
		TokenSource: measure.SourceUsage, InputTokens: 256, OutputTokens: int32(n), ReasoningTokens: -1, CachedTokens: 0, OutputTokensAsked: int32(n),
		FinishReason: "length", KernelStamped: true, ReadDelayMax: 21_000, Reused: true, HTTPStatus: 200,
	}
	for i := range n {
		s.ChunkOffsets = append(s.ChunkOffsets, 50_000_000+int64(i)*10_000_000)
	}
	return s
}

func drawInstant(t *rapid.T, name string) int64 {
	if rapid.Bool().Draw(t, "no "+name) {
		return measure.Absent
	}
	return rapid.Int64Range(-1<<50, 1<<50).Draw(t, name)
}

// drawSample is any sample that an agent may send.
func drawSample(t *rapid.T) measure.Sample {
	instant := func(name string) int64 { return drawInstant(t, name) }
	word := func(name string) string { return rapid.StringN(0, 20, 200).Draw(t, name) }
	count := func(name string, least int32) int32 { return rapid.Int32Min(least).Draw(t, name) }
	nanos := func(name string) int64 { return rapid.Int64Range(0, 1<<60).Draw(t, name) }
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	want := measure.Sample{
		Index: nanos("index"), Session: nanos("session"), Turn: count("turn", 0), Phase: count("phase", 0), Attempt: count("attempt", 0),
		Status:         measure.Status(rapid.IntRange(0, int(measure.Unsent)).Draw(t, "status")),
		ScheduleOffset: instant("offset"), Intended: instant("intended"), Sent: instant("sent"), Headers: instant("headers"),
		FirstToken: instant("first"), FirstOutput: instant("output"), LastToken: instant("last"), End: instant("end"),
		TokenSource: word("source"), InputTokens: count("in", -1), OutputTokens: count("out", -1),
		ReasoningTokens: count("reasoning", -1), CachedTokens: count("cached", -1),
		OutputTokensAsked: count("asked", 0), InputTokensAsked: count("in asked", 0),
		FinishReason: word("finish"), KernelStamped: flag("kernel"), StampUncertainty: nanos("width"), ReadDelayMax: nanos("delay"),
		CoalescedChunks: count("coalesced", 0), Reused: flag("reused"), ConnectNanos: nanos("connect"), ResendNanos: nanos("resend"), HTTPStatus: count("http", 0),
		ErrorKind: word("kind"), ErrorMessage: word("message"), DetailShed: flag("shed"), Stale: flag("stale"),
	}
	if want.Sent != measure.Absent {
		at := int64(0)
		for range rapid.IntRange(0, 6).Draw(t, "chunks") {
			at += rapid.Int64Range(0, 1<<40).Draw(t, "gap")
			want.ChunkOffsets = append(want.ChunkOffsets, at)
			want.ChunkTokens = append(want.ChunkTokens, count("tokens", 0))
		}
		if rapid.Bool().Draw(t, "one each") {
			want.ChunkTokens = nil
		}
	}
	return want
}

func TestSampleRoundTrip(t *testing.T) {
	var got measure.Sample // used again and again
	var d wire.Decoder
	rapid.Check(t, func(t *rapid.T) {
		want := drawSample(t)
		data, err := proto.Marshal(wire.SampleToProto(&want))
		if err != nil {
			t.Fatal(err)
		}
		if encoded := wire.AppendSample(nil, &want); !bytes.Equal(encoded, data) {
			t.Fatalf("encoded\n%x, protobuf\n%x", encoded, data)
		}
		var m stampedev1.Sample
		if err := proto.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		if err := wire.SampleFromProto(&m, &got); err != nil {
			t.Fatal(err)
		}
		if seen := withoutEmpty(got); !reflect.DeepEqual(seen, want) {
			t.Fatalf("got\n%+v, want\n%+v", seen, want)
		}
		if err := d.Sample(data, &got); err != nil {
			t.Fatal(err)
		}
		if seen := withoutEmpty(got); !reflect.DeepEqual(seen, want) {
			t.Fatalf("decoded\n%+v, want\n%+v", seen, want)
		}
	})
}

func withoutEmpty(s measure.Sample) measure.Sample {
	if len(s.ChunkOffsets) == 0 {
		s.ChunkOffsets = nil
	}
	if len(s.ChunkTokens) == 0 {
		s.ChunkTokens = nil
	}
	return s
}

func TestHostileSamplesAreRefused(t *testing.T) {
	far, low, none := int64(1<<62), int64(-1<<62), int32(-1)
	for name, spoil := range map[string]func(*stampedev1.Sample){
		"chunk gaps and":        func(p *stampedev1.Sample) { p.ChunkTokenCounts = []int32{1} },
		"token counts, want":    func(p *stampedev1.Sample) { p.ChunkGapNanos = make([]int64, wire.MaxChunks+1) },
		"never sent":            func(p *stampedev1.Sample) { p.SentNanos = nil },
		"a chunk gap of -1":     func(p *stampedev1.Sample) { p.ChunkGapNanos[1] = -1 },
		"all together":          func(p *stampedev1.Sample) { p.ChunkGapNanos[0], p.ChunkGapNanos[1] = 1<<61, 1<<61 },
		"-5 tokens in a chunk":  func(p *stampedev1.Sample) { p.ChunkTokenCounts = []int32{1, -5, 1} },
		"an instant of 46":      func(p *stampedev1.Sample) { p.EndNanos = &far },
		"an instant of -46":     func(p *stampedev1.Sample) { p.IntendedNanos = &low },
		"a duration of -1 ns":   func(p *stampedev1.Sample) { p.StampUncertaintyNanos = -1 },
		"a duration of -2 ns":   func(p *stampedev1.Sample) { p.ReadDelayMaxNanos = -2 },
		"a duration of -3 ns":   func(p *stampedev1.Sample) { p.ConnectNanos = -3 },
		"phase, attempt":        func(p *stampedev1.Sample) { p.Phase = -1 },
		"session, turn":         func(p *stampedev1.Sample) { p.Index = -1 },
		"chunk_count is -7":     func(p *stampedev1.Sample) { p.CoalescedChunkCount = -7 },
		"a token count of -1":   func(p *stampedev1.Sample) { p.OutputTokenCount = &none },
		"a token count of -2":   func(p *stampedev1.Sample) { p.InputTokensAskedCount = -2 },
		"a word of 300 bytes":   func(p *stampedev1.Sample) { p.ErrorKind = strings.Repeat("x", 300) },
		"an error message of 1": func(p *stampedev1.Sample) { p.ErrorMessage = strings.Repeat("x", 1<<20) },
	} {
		p := wire.SampleToProto(chunked(3))
		spoil(p)
		if err := wire.SampleFromProto(p, &measure.Sample{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		data, err := proto.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := new(wire.Decoder).Sample(data, &measure.Sample{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s, decoded: %v", name, err)
		}
	}
}

// FuzzSample: whatever bytes come, either an error or a sample that measures.
func FuzzSample(f *testing.F) {
	for _, n := range []int{0, 1, 64} {
		data, _ := proto.Marshal(wire.SampleToProto(chunked(n)))
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p stampedev1.Sample
		var s measure.Sample
		if proto.Unmarshal(data, &p) != nil || wire.SampleFromProto(&p, &s) != nil {
			return
		}
		set := measure.NewSet(measure.Config{Phases: []measure.PhaseInfo{{}, {}}, Streaming: true})
		set.Fold("agent", &s)
		_ = set.Throughput(measure.Measured)
		for _, figure := range measure.Figures() {
			_ = set.Distribution(measure.Measured, figure)
		}
	})
}

func BenchmarkSampleToProto(b *testing.B) {
	for _, n := range []int{1, 64} {
		s := chunked(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = wire.SampleToProto(s)
			}
		})
	}
}

func BenchmarkSampleFromProto(b *testing.B) {
	for _, n := range []int{1, 64} {
		p := wire.SampleToProto(chunked(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var s measure.Sample
			b.ReportAllocs()
			for b.Loop() {
				if err := wire.SampleFromProto(p, &s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package wire_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// agree holds the decoder against protobuf on any bytes.
func agree(t interface{ Fatalf(string, ...any) }, d *wire.Decoder, data []byte) {
	var p stampedev1.Sample
	var want, got measure.Sample
	werr := proto.Unmarshal(data, &p)
	if werr == nil {
		werr = wire.SampleFromProto(&p, &want)
	}
	gerr := d.Sample(data, &got)
	if (werr == nil) != (gerr == nil) {
		t.Fatalf("%x\nprotobuf says %v, the decoder %v", data, werr, gerr)
	}
	if werr == nil && !reflect.DeepEqual(withoutEmpty(got), withoutEmpty(want)) {
		t.Fatalf("%x\nprotobuf reads\n%+v, the decoder\n%+v", data, want, got)
	}
}

// seeds are messages in forms that protobuf allows and our agents do not write.
func seeds() [][]byte {
	varint := func(b []byte, field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
	}
	text := func(field protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), s)
	}
	sent := varint(nil, 9, 1)
	group := protowire.AppendTag(varint(protowire.AppendTag(nil, 50, protowire.StartGroupType), 1, 2), 50, protowire.EndGroupType)
	all := [][]byte{
		{}, {0x80}, {0x08}, {0x08, 0x80}, {0x07}, {0x0b}, {0x0c}, {0x00, 0x01}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
		varint(varint(nil, 1, 5), 1, 7), varint(nil, 1, 1<<63), varint(nil, 3, 1<<40|3), varint(nil, 6, 99), varint(nil, 6, 1<<32|1),
		varint(varint(sent, 15, 3), 15, 4), append(sent, varint(varint(sent, 15, 3), 16, 4)...),
		varint(varint(nil, 18, 1<<64-1), 18, 3), varint(nil, 24, 2), varint(nil, 7, 1<<63), varint(nil, 18, 1<<32-1),
		text(17, "usage"), text(17, "\xff"), text(1, "a"), text(15, "\x80"), text(16, "\x80"), text(99, "unknown"), group, group[:len(group)-1],
		protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), 7), protowire.AppendTag(nil, 1, protowire.Fixed32Type),
		protowire.AppendTag(nil, 1, 6), varint(nil, protowire.MaxValidNumber, 1), {0x80, 0x80, 0x80, 0x80, 0x10, 0x01},
	}
	for _, n := range []int{0, 1, 3, 64} {
		all = append(all, wire.AppendSample(nil, chunked(n)))
	}
	return all
}

func TestDecoderAgreesWithProtobuf(t *testing.T) {
	var d wire.Decoder
	all := seeds()
	for _, data := range all {
		agree(t, &d, data)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		data := bytes.Clone(all[rng.IntN(len(all))])
		if rng.IntN(3) == 0 {
			data = append(data, all[rng.IntN(len(all))]...)
		}
		for range rng.IntN(4) {
			if len(data) == 0 {
				break
			}
			switch at := rng.IntN(len(data)); rng.IntN(3) {
			case 0:
				data[at] = byte(rng.Uint32())
			case 1:
				data = data[:at]
			default:
				data = append(data[:at:at], append([]byte{byte(rng.Uint32())}, data[at:]...)...)
			}
		}
		agree(t, &d, data)
	}
}

func FuzzDecoder(f *testing.F) {
	for _, data := range seeds() {
		f.Add(data)
	}
	var d wire.Decoder
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, &d, data) })
}

func TestTextThatIsNotUTF8IsMended(t *testing.T) {
	s := chunked(1)
	s.ErrorMessage = "bad \xff\xfe bytes"
	var got measure.Sample
	if err := new(wire.Decoder).Sample(wire.AppendSample(nil, s), &got); err != nil || got.ErrorMessage != "bad \uFFFD bytes" {
		t.Errorf("got %q, %v", got.ErrorMessage, err)
	}
}

func TestCodecDoesNotAllocate(t *testing.T) {
	s, dst := chunked(64), make([]byte, 0, 4096)
	var d wire.Decoder
	var got measure.Sample
	if n := testing.AllocsPerRun(100, func() {
		dst = wire.AppendSample(dst[:0], s)
		if err := d.Sample(dst, &got); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("encoding and decoding a sample allocates %g times", n)
	}
}

// A batch that is put together piece by piece is the message it stands for, and
// reads the same on the way that keeps it encoded.
func TestBatchIsTheMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := wire.Ref{RunID: rapid.StringN(1, 40, 200).Draw(t, "run"), Attempt: rapid.Int32Min(1).Draw(t, "attempt")}
		ref.Shard.Stride = rapid.Int64Min(1).Draw(t, "stride")
		ref.Shard.Offset = rapid.Int64Range(0, ref.Shard.Stride-1).Draw(t, "offset")
		want := &stampedev1.SampleBatch{Ref: ref.Proto(), BatchSequence: rapid.Int64().Draw(t, "sequence"), DetailShedCount: rapid.Int64().Draw(t, "shed")}
		data := wire.AppendBatch(nil, ref, want.GetBatchSequence())
		var samples []measure.Sample
		for range rapid.IntRange(0, 4).Draw(t, "samples") {
			s := drawSample(t)
			samples = append(samples, s)
			want.Samples = append(want.Samples, wire.SampleToProto(&s))
			data = wire.AppendEncoded(data, wire.AppendSample(nil, &s))
		}
		data = wire.AppendDetailShed(data, want.GetDetailShedCount())
		plain, err := proto.Marshal(want)
		if err != nil || !bytes.Equal(plain, data) {
			t.Fatalf("%v: got\n%x, want\n%x", err, data, plain)
		}
		b, err := wire.ParseBatch(data)
		if err != nil || b.Ref != ref || b.Sequence != want.GetBatchSequence() || b.DetailShed != want.GetDetailShedCount() || b.Count != len(samples) {
			t.Fatalf("parsed %+v, %v", b, err)
		}
		var d wire.Decoder
		i := 0
		for encoded := range b.Samples() {
			var s measure.Sample
			if err := d.Sample(encoded, &s); err != nil || !reflect.DeepEqual(withoutEmpty(s), samples[i]) {
				t.Fatalf("sample %d: %+v, %v", i, s, err)
			}
			i++
		}
	})
}

func TestRequestIsTheMessage(t *testing.T) {
	batch := wire.AppendBatch(nil, wire.Ref{RunID: "r", Shard: schedule.Whole, Attempt: 1}, 7)
	batch = wire.AppendEncoded(batch, wire.AppendSample(nil, chunked(2)))
	var typed stampedev1.SampleBatch
	if err := proto.Unmarshal(batch, &typed); err != nil {
		t.Fatal(err)
	}
	asMessage := &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_SampleBatch{SampleBatch: &typed}}
	beat := &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: &stampedev1.Heartbeat{Sequence: 3}}}
	for name, tt := range map[string]struct {
		r *wire.Request
		m *stampedev1.SessionRequest
	}{
		"batch":     {&wire.Request{Batch: batch}, asMessage},
		"empty":     {&wire.Request{Batch: []byte{}}, &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_SampleBatch{SampleBatch: &stampedev1.SampleBatch{}}}},
		"heartbeat": {&wire.Request{Message: beat}, beat},
		"nothing":   {&wire.Request{}, &stampedev1.SessionRequest{}},
	} {
		want, err := proto.Marshal(tt.m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := proto.MarshalOptions{UseCachedSize: true}.Marshal(tt.r)
		if err != nil || !bytes.Equal(got, want) || proto.Size(tt.r) != len(want) {
			t.Errorf("%s: marshals to %x, %v, want %x", name, got, err, want)
		}
		back := wire.Request{Message: &stampedev1.SessionRequest{}}
		if err := proto.Unmarshal(want, &back); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Batch, tt.r.Batch) || (back.Batch == nil) != (tt.r.Batch == nil) || back.Batch == nil && !proto.Equal(back.Message, tt.m) {
			t.Errorf("%s: reads as %x, %v", name, back.Batch, back.Message)
		}
	}
}

// FuzzRequest: what protobuf refuses is refused, and a batch says what protobuf
// says, however the message was put together.
func FuzzRequest(f *testing.F) {
	batch := wire.AppendBatch(nil, wire.Ref{RunID: "r", Shard: schedule.Whole, Attempt: 1}, 7)
	batch = wire.AppendEncoded(batch, wire.AppendSample(nil, chunked(2)))
	plain, _ := proto.Marshal(&wire.Request{Batch: batch})
	f.Add(plain)
	f.Add(append(plain, plain...))
	f.Add([]byte{0x12, 0x02, 0x08, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r wire.Request
		var m stampedev1.SessionRequest
		rerr, merr := proto.Unmarshal(data, &r), proto.Unmarshal(data, &m)
		if rerr != nil || r.Batch == nil {
			if merr == nil != (rerr == nil) {
				t.Fatalf("protobuf says %v, the request %v", merr, rerr)
			}
			return
		}
		b, err := wire.ParseBatch(r.Batch)
		if err != nil || merr != nil { // a sample may be malformed inside; the decoder finds that
			return
		}
		if want := m.GetSampleBatch(); b.Sequence != want.GetBatchSequence() || b.Count != len(want.GetSamples()) {
			t.Fatalf("batch %d with %d samples, protobuf reads %v", b.Sequence, b.Count, want)
		}
	})
}

func BenchmarkSampleEncode(b *testing.B) {
	for _, n := range []int{1, 64} {
		s, dst := chunked(n), make([]byte, 0, 4096)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = wire.AppendSample(dst[:0], s)
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}

func BenchmarkSampleDecode(b *testing.B) {
	for _, n := range []int{1, 64} {
		data := wire.AppendSample(nil, chunked(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var d wire.Decoder
			var s measure.Sample
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Sample(data, &s); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(data)))
		})
		b.Run(fmt.Sprint(n, " by protobuf"), func(b *testing.B) {
			var s measure.Sample
			b.ReportAllocs()
			for b.Loop() {
				var p stampedev1.Sample
				if err := proto.Unmarshal(data, &p); err != nil {
					b.Fatal(err)
				}
				if err := wire.SampleFromProto(&p, &s); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(data)))
		})
	}
}

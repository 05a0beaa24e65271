package wire

import (
	"fmt"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Fields of stampede.v1.SampleBatch.
const (
	batchRef        = 1
	batchSequence   = 2
	batchSamples    = 3
	batchDetailShed = 4
)

// Batch is a stampede.v1.SampleBatch whose samples are still encoded.
type Batch struct {
	Ref        Ref
	Sequence   int64
	DetailShed int64
	Count      int // of the samples
	data       []byte
}

// ParseBatch reads all of an encoded batch but its samples, which Samples yields
// and a Decoder reads. It keeps data.
func ParseBatch(data []byte) (Batch, error) {
	b := Batch{data: data}
	var ref stampedev1.ShardRef
	err := eachField(data, func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error {
		switch {
		case field == batchRef && kind == protowire.BytesType:
			return proto.UnmarshalOptions{Merge: true}.Unmarshal(value, &ref)
		case field == batchSequence && kind == protowire.VarintType:
			b.Sequence = int64(number)
		case field == batchSamples && kind == protowire.BytesType:
			b.Count++
		case field == batchDetailShed && kind == protowire.VarintType:
			b.DetailShed = int64(number)
		}
		return nil
	})
	if err == nil {
		b.Ref, err = RefFromProto(&ref)
	}
	if err != nil {
		return Batch{}, fmt.Errorf("batch of samples: %w", err)
	}
	return b, nil
}

// Samples yields the encoded samples in order; they lie in the batch's own bytes.
func (b *Batch) Samples() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for data := b.data; len(data) > 0; { // ParseBatch has been through it
			field, kind, n := protowire.ConsumeTag(data)
			data = data[n:]
			if field != batchSamples || kind != protowire.BytesType {
				data = data[protowire.ConsumeFieldValue(field, kind, data):]
				continue
			}
			sample, n := protowire.ConsumeBytes(data)
			data = data[n:]
			if !yield(sample) {
				return
			}
		}
	}
}

// Size is the batch's length in bytes.
func (b *Batch) Size() int { return len(b.data) }

// Proto decodes the batch whole.
func (b *Batch) Proto() (*stampedev1.SampleBatch, error) {
	m := &stampedev1.SampleBatch{}
	return m, proto.Unmarshal(b.data, m)
}

// eachField visits the fields of a message: value of those with a length, number
// of varints.
func eachField(data []byte, visit func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error) error {
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 || field > protowire.MaxValidNumber {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var value []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(data)
		default:
			n = protowire.ConsumeFieldValue(field, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if err := visit(field, kind, value, number); err != nil {
			return err
		}
	}
	return nil
}

// AppendBatch appends the beginning of an encoded batch: all but its samples,
// which follow by AppendTo, in any number.
func AppendBatch(dst []byte, ref Ref, sequence int64) []byte {
	encoded := appendRef(nil, ref)
	dst = protowire.AppendBytes(appendTag(dst, batchRef, protowire.BytesType), encoded)
	return appendInt(dst, batchSequence, sequence)
}

func appendRef(dst []byte, ref Ref) []byte {
	var shard [24]byte
	dst = appendText(dst, 1, ref.RunID)
	s := appendInt(appendInt(shard[:0], 1, ref.Shard.Offset), 2, ref.Shard.Stride)
	dst = protowire.AppendBytes(appendTag(dst, 2, protowire.BytesType), s)
	return appendInt(dst, 3, int64(ref.Attempt))
}

// AppendEncoded appends a sample that is encoded already to a batch.
func AppendEncoded(dst, sample []byte) []byte {
	return protowire.AppendBytes(appendTag(dst, batchSamples, protowire.BytesType), sample)
}

// AppendDetailShed appends how many samples of a batch have lost their detail.
func AppendDetailShed(dst []byte, n int64) []byte { return appendInt(dst, batchDetailShed, n) }

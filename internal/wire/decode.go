package wire

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stampede-bench/stampede/measure"
)

// Decoder reads encoded samples without allocating for each. It agrees with
// proto.Unmarshal and SampleFromProto on all bytes, hostile ones too. The zero
// value is ready; one goroutine uses it.
type Decoder struct {
	words map[string]string
	found found
}

// found is what a sample cannot hold while it is read: whether optional counts
// were there, and whether the chunks were such as an agent sends.
type found struct {
	counts [optionalCounts]int32
	there  [optionalCounts]bool
	sum    int64 // of the gaps
	gap    int64 // one that is not allowed; 0 is allowed
	tokens int32 // the same of a chunk's tokens
}

// The optional counts.
const (
	countInput = iota
	countOutput
	countReasoning
	countCached
	optionalCounts
)

var errMalformed = errors.New("malformed sample")

// Sample fills s from an encoded stampede.v1.Sample, using its slices again. After
// an error s is not to be used.
func (d *Decoder) Sample(data []byte, s *measure.Sample) error {
	*s = measure.Sample{
		ScheduleOffset: measure.Absent, Intended: measure.Absent, Sent: measure.Absent, Headers: measure.Absent,
		FirstToken: measure.Absent, FirstOutput: measure.Absent, LastToken: measure.Absent, End: measure.Absent,
		ChunkOffsets: s.ChunkOffsets[:0], ChunkTokens: s.ChunkTokens[:0],
	}
	d.found = found{}
	for len(data) > 0 {
		tag, n := uvarint(data)
		field, kind := tag>>3, protowire.Type(tag&7)
		if n <= 0 || field < uint64(protowire.MinValidNumber) || field > uint64(protowire.MaxValidNumber) {
			return errMalformed
		}
		data = data[n:]
		switch kind {
		case protowire.VarintType:
			v, n := uvarint(data)
			if n <= 0 {
				return errMalformed
			}
			data = data[n:]
			d.number(field, v, s)
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(data)
			if n < 0 || !d.bytes(field, v, s) {
				return errMalformed
			}
			data = data[n:]
		default: // no field of ours
			n := protowire.ConsumeFieldValue(protowire.Number(field), kind, data)
			if n < 0 {
				return errMalformed
			}
			data = data[n:]
		}
	}
	return d.finish(s)
}

// finish takes over the counts and checks the whole.
func (d *Decoder) finish(s *measure.Sample) error {
	for i, to := range [...]*int32{
		countInput: &s.InputTokens, countOutput: &s.OutputTokens,
		countReasoning: &s.ReasoningTokens, countCached: &s.CachedTokens,
	} {
		if *to = -1; d.found.there[i] {
			*to = d.found.counts[i]
		}
	}
	return d.found.check(s)
}

// uvarint reads a varint; n is not positive when there is none.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	if len(b) > 1 && b[1] < 0x80 {
		return uint64(b[0]&0x7f) | uint64(b[1])<<7, 2
	}
	return protowire.ConsumeVarint(b)
}

// number takes a field that came as a varint.
func (d *Decoder) number(field, v uint64, s *measure.Sample) {
	switch field {
	case 1:
		s.Index = int64(v)
	case 2:
		s.Session = int64(v)
	case 3:
		s.Turn = int32(v)
	case 4:
		s.Phase = int32(v)
	case 5:
		s.Attempt = int32(v)
	case 6:
		s.Status = statusOf(int32(v))
	case 7, 8, 9, 10, 11, 12, 13, 14:
		*instantOf(s, field) = present(int64(v))
	case 15:
		d.found.addGap(int64(v), s)
	case 16:
		d.tokens(int32(v), s)
	case 18:
		d.count(countInput, int32(v))
	case 19:
		d.count(countOutput, int32(v))
	case 20:
		s.OutputTokensAsked = int32(v)
	case 21:
		d.count(countReasoning, int32(v))
	case 22:
		d.count(countCached, int32(v))
	default:
		detail(field, v, s)
	}
}

// detail takes the fields beyond those of tokens.
func detail(field, v uint64, s *measure.Sample) {
	switch field {
	case 24:
		s.KernelStamped = v != 0
	case 25:
		s.StampUncertainty = int64(v)
	case 26:
		s.ReadDelayMax = int64(v)
	case 27:
		s.CoalescedChunks = int32(v)
	case 28:
		s.Reused = v != 0
	case 29:
		s.ConnectNanos = int64(v)
	case 30:
		s.HTTPStatus = int32(v)
	case 33:
		s.DetailShed = v != 0
	case 34:
		s.InputTokensAsked = int32(v)
	case 35:
		s.Stale = v != 0
	case 36:
		s.ResendNanos = int64(v)
	}
}

func instantOf(s *measure.Sample, field uint64) *int64 {
	switch field {
	case 7:
		return &s.ScheduleOffset
	case 8:
		return &s.Intended
	case 9:
		return &s.Sent
	case 10:
		return &s.Headers
	case 11:
		return &s.FirstToken
	case 12:
		return &s.FirstOutput
	case 13:
		return &s.LastToken
	default:
		return &s.End
	}
}

// present keeps an instant that is there apart from one that is not; both are
// refused.
func present(at int64) int64 {
	if at == measure.Absent {
		return at + 1
	}
	return at
}

func (d *Decoder) count(i int, n int32) { d.found.counts[i], d.found.there[i] = n, true }

// addGap appends a chunk.
func (f *found) addGap(g int64, s *measure.Sample) {
	if g < 0 || g > maxInstant-f.sum {
		f.refuse(g)
		return
	}
	f.sum += g
	s.ChunkOffsets = append(s.ChunkOffsets, f.sum)
}

// refuse keeps the first gap that is not allowed.
func (f *found) refuse(g int64) {
	if f.gap == 0 {
		f.gap = g
	}
}

func (d *Decoder) tokens(n int32, s *measure.Sample) {
	if n < 0 {
		d.found.tokens = min(d.found.tokens, n)
	}
	s.ChunkTokens = append(s.ChunkTokens, n)
}

// bytes takes a field that came with a length; false when it is malformed.
func (d *Decoder) bytes(field uint64, v []byte, s *measure.Sample) bool {
	switch field {
	case 15:
		return d.gaps(v, s)
	case 16:
		for len(v) > 0 {
			x, n := uvarint(v)
			if n <= 0 {
				return false
			}
			d.tokens(int32(x), s)
			v = v[n:]
		}
	case 17:
		return d.word(v, &s.TokenSource)
	case 23:
		return d.word(v, &s.FinishReason)
	case 31:
		return d.word(v, &s.ErrorKind)
	case 32:
		return d.word(v, &s.ErrorMessage)
	}
	return true
}

// gaps is the hot loop of long replies.
func (d *Decoder) gaps(v []byte, s *measure.Sample) bool {
	f, sum, offsets := &d.found, d.found.sum, s.ChunkOffsets
	for len(v) > 0 {
		x, n := uvarint(v)
		if n <= 0 {
			return false
		}
		v = v[n:]
		if g := int64(x); g < 0 || g > maxInstant-sum {
			f.refuse(g)
			continue
		}
		sum += int64(x)
		offsets = append(offsets, sum)
	}
	f.sum, s.ChunkOffsets = sum, offsets
	return true
}

// Words are shared between samples, which say the same few again and again.
const (
	maxWords     = 512
	maxWordBytes = 256
)

func (d *Decoder) word(v []byte, to *string) bool {
	if known, ok := d.words[string(v)]; ok {
		*to = known
		return true
	}
	if !utf8.Valid(v) {
		return false
	}
	*to = string(v)
	if len(v) > maxWordBytes {
		return true
	}
	if d.words == nil || len(d.words) >= maxWords {
		d.words = make(map[string]string)
	}
	d.words[*to] = *to
	return true
}

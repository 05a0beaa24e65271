package wire

import (
	"math/bits"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stampede-bench/stampede/measure"
)

// AppendSample appends the encoded stampede.v1.Sample of s, the same bytes that
// proto.Marshal makes of SampleToProto. With room in dst it allocates nothing.
func AppendSample(dst []byte, s *measure.Sample) []byte {
	dst = appendInt(dst, 1, s.Index)
	dst = appendInt(dst, 2, s.Session)
	dst = appendInt(dst, 3, int64(s.Turn))
	dst = appendInt(dst, 4, int64(s.Phase))
	dst = appendInt(dst, 5, int64(s.Attempt))
	dst = appendInt(dst, 6, int64(outcomes[min(int(s.Status), len(outcomes)-1)]))
	dst = appendInstant(dst, 7, s.ScheduleOffset)
	dst = appendInstant(dst, 8, s.Intended)
	dst = appendInstant(dst, 9, s.Sent)
	dst = appendInstant(dst, 10, s.Headers)
	dst = appendInstant(dst, 11, s.FirstToken)
	dst = appendInstant(dst, 12, s.FirstOutput)
	dst = appendInstant(dst, 13, s.LastToken)
	dst = appendInstant(dst, 14, s.End)
	dst = appendGaps(dst, s.ChunkOffsets)
	dst = appendTokens(dst, s.ChunkTokens)
	dst = appendText(dst, 17, s.TokenSource)
	dst = appendCount(dst, 18, s.InputTokens, 0)
	dst = appendCount(dst, 19, s.OutputTokens, 0)
	dst = appendCount(dst, 20, s.OutputTokensAsked, 1)
	dst = appendCount(dst, 21, s.ReasoningTokens, 0)
	dst = appendCount(dst, 22, s.CachedTokens, 0)
	dst = appendText(dst, 23, s.FinishReason)
	dst = appendFlag(dst, 24, s.KernelStamped)
	dst = appendInt(dst, 25, s.StampUncertainty)
	dst = appendInt(dst, 26, s.ReadDelayMax)
	dst = appendInt(dst, 27, int64(s.CoalescedChunks))
	dst = appendFlag(dst, 28, s.Reused)
	dst = appendInt(dst, 29, s.ConnectNanos)
	dst = appendInt(dst, 30, int64(s.HTTPStatus))
	dst = appendText(dst, 31, s.ErrorKind)
	dst = appendText(dst, 32, s.ErrorMessage)
	dst = appendFlag(dst, 33, s.DetailShed)
	dst = appendInt(dst, 34, int64(s.InputTokensAsked))
	dst = appendFlag(dst, 35, s.Stale)
	return appendInt(dst, 36, s.ResendNanos)
}

// appendTag is protowire.AppendTag for numbers below 2048, which it inlines.
func appendTag(dst []byte, field int, kind protowire.Type) []byte {
	tag := field<<3 | int(kind)
	if tag < 0x80 {
		return append(dst, byte(tag))
	}
	return append(dst, byte(tag)|0x80, byte(tag>>7))
}

func appendInt(dst []byte, field int, v int64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(appendTag(dst, field, protowire.VarintType), uint64(v))
}

func appendInstant(dst []byte, field int, at int64) []byte {
	if at == measure.Absent {
		return dst
	}
	return protowire.AppendVarint(appendTag(dst, field, protowire.VarintType), uint64(at))
}

// appendCount leaves out a count below the least that says something.
func appendCount(dst []byte, field int, n, least int32) []byte {
	if n < least {
		return dst
	}
	return protowire.AppendVarint(appendTag(dst, field, protowire.VarintType), uint64(n))
}

func appendFlag(dst []byte, field int, is bool) []byte {
	if !is {
		return dst
	}
	return append(appendTag(dst, field, protowire.VarintType), 1)
}

// appendText mends what is not UTF-8: an endpoint's error may hold any bytes, and
// protobuf would refuse the whole message.
func appendText(dst []byte, field int, text string) []byte {
	if text == "" {
		return dst
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return protowire.AppendString(appendTag(dst, field, protowire.BytesType), text)
}

// appendGaps writes offsets as differences, which are short as varints.
func appendGaps(dst []byte, offsets []int64) []byte {
	if len(offsets) == 0 {
		return dst
	}
	size, last := 0, int64(0)
	for _, at := range offsets {
		size += varintSize(uint64(at - last))
		last = at
	}
	dst = protowire.AppendVarint(appendTag(dst, 15, protowire.BytesType), uint64(size))
	last = 0
	for _, at := range offsets {
		dst = appendVarint(dst, uint64(at-last))
		last = at
	}
	return dst
}

func appendTokens(dst []byte, counts []int32) []byte {
	if len(counts) == 0 {
		return dst
	}
	size := 0
	for _, n := range counts {
		size += varintSize(uint64(n))
	}
	dst = protowire.AppendVarint(appendTag(dst, 16, protowire.BytesType), uint64(size))
	for _, n := range counts {
		dst = appendVarint(dst, uint64(n))
	}
	return dst
}

func varintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func appendVarint(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

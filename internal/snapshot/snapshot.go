// Package snapshot writes values to bytes and reads them back by one description
// for both directions: a type says once which fields it has and in what order, so
// that writing and reading cannot differ. It knows no versions and no sums; who
// keeps the bytes adds those. Bytes from anywhere are read without panic.
package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrMalformed is what bytes are that nothing wrote.
var ErrMalformed = errors.New("malformed snapshot")

// Codec goes over a value's fields, writing or reading them.
type Codec struct {
	buf     []byte
	reading bool
	err     error
}

// Writer appends to dst.
func Writer(dst []byte) *Codec { return &Codec{buf: dst} }

// Reader reads what a Writer wrote.
func Reader(data []byte) *Codec { return &Codec{buf: data, reading: true} }

// Bytes is what was written.
func (c *Codec) Bytes() []byte { return c.buf }

// Reading reports whether fields are read.
func (c *Codec) Reading() bool { return c.reading }

// Err is the first thing that was wrong.
func (c *Codec) Err() error { return c.err }

// End is Err, or that bytes are left over.
func (c *Codec) End() error {
	if c.reading && c.err == nil && len(c.buf) > 0 {
		c.Fail("%d bytes are left over", len(c.buf))
	}
	return c.err
}

// Fail refuses what was read. Everything read after it is zero.
func (c *Codec) Fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
	}
	c.buf = nil
}

// Uint is a field of 64 bits.
func (c *Codec) Uint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	x, n := binary.Uvarint(c.buf)
	if n <= 0 {
		c.Fail("a number is cut off")
		*v = 0
		return
	}
	*v, c.buf = x, c.buf[n:]
}

// Int is a field with a sign.
func (c *Codec) Int(v *int64) {
	x := uint64(*v)<<1 ^ uint64(*v>>63)
	c.Uint(&x)
	*v = int64(x>>1) ^ -int64(x&1)
}

// Int32 is a field of 32 bits with a sign.
func (c *Codec) Int32(v *int32) {
	x := int64(*v)
	c.Int(&x)
	if *v = int32(x); int64(*v) != x {
		c.Fail("%d does not fit into 32 bits", x)
	}
}

// Float is a field kept to the bit.
func (c *Codec) Float(v *float64) {
	if !c.reading {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, math.Float64bits(*v))
		return
	}
	if *v = 0; len(c.buf) < 8 {
		c.Fail("a float is cut off")
		return
	}
	*v, c.buf = math.Float64frombits(binary.LittleEndian.Uint64(c.buf)), c.buf[8:]
}

// Bool is a field.
func (c *Codec) Bool(v *bool) {
	x := uint64(0)
	if *v {
		x = 1
	}
	c.Uint(&x)
	if *v = x == 1; x > 1 {
		c.Fail("%d is neither true nor false", x)
	}
}

// Text is a field.
func (c *Codec) Text(v *string) {
	n := c.Len(len(*v), math.MaxInt32)
	if c.reading {
		*v, c.buf = string(c.buf[:n]), c.buf[n:]
		return
	}
	c.buf = append(c.buf, *v...)
}

// Raw is a field whose length both sides know.
func (c *Codec) Raw(v []byte) {
	if !c.reading {
		c.buf = append(c.buf, v...)
		return
	}
	if len(c.buf) < len(v) {
		c.Fail("%d bytes are cut off", len(v))
		return
	}
	c.buf = c.buf[copy(v, c.buf):]
}

// Len is how many items follow, at most most, each of at least a byte: n when
// writing.
func (c *Codec) Len(n, most int) int {
	x := uint64(n)
	c.Uint(&x)
	if c.reading && (x > uint64(most) || x > uint64(len(c.buf))) {
		c.Fail("%d items, want at most %d in %d bytes", x, most, len(c.buf))
		return 0
	}
	return int(x)
}

// Slice is a field of at most most items.
func Slice[T any](c *Codec, s *[]T, most int, item func(*T)) {
	n := c.Len(len(*s), most)
	if c.Reading() {
		*s = make([]T, n)
	}
	for i := range *s {
		item(&(*s)[i])
	}
}

// Optional is a field that may be absent.
func Optional[T any](c *Codec, p **T, item func(*T)) {
	there := *p != nil
	c.Bool(&there)
	if !there {
		*p = nil
		return
	}
	if c.Reading() {
		*p = new(T)
	}
	item(*p)
}

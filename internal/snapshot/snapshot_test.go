package snapshot_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/snapshot"
)

type inner struct {
	a int32
	b *float64
}

type value struct {
	i    int64
	u    uint64
	f    float64
	yes  bool
	text string
	raw  [3]byte
	list []inner
}

func (v *value) fields(c *snapshot.Codec) {
	c.Int(&v.i)
	c.Uint(&v.u)
	c.Float(&v.f)
	c.Bool(&v.yes)
	c.Text(&v.text)
	c.Raw(v.raw[:])
	snapshot.Slice(c, &v.list, 100, func(x *inner) {
		c.Int32(&x.a)
		snapshot.Optional(c, &x.b, c.Float)
	})
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := value{
			i: rapid.Int64().Draw(t, "i"), u: rapid.Uint64().Draw(t, "u"), f: rapid.Float64().Draw(t, "f"),
			yes: rapid.Bool().Draw(t, "yes"), text: rapid.String().Draw(t, "text"),
			raw: [3]byte(rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "raw")), list: []inner{},
		}
		for range rapid.IntRange(0, 5).Draw(t, "items") {
			x := inner{a: rapid.Int32().Draw(t, "a")}
			if rapid.Bool().Draw(t, "there") {
				f := math.Pi
				x.b = &f
			}
			want.list = append(want.list, x)
		}
		w := snapshot.Writer(nil)
		want.fields(w)
		data := w.Bytes()
		var got value
		r := snapshot.Reader(data)
		if got.fields(r); r.End() != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, r.Err(), want)
		}
		cut := snapshot.Reader(data[:rapid.IntRange(0, len(data)-1).Draw(t, "cut")])
		if got.fields(cut); !errors.Is(cut.End(), snapshot.ErrMalformed) {
			t.Fatalf("a part was read: %+v", got)
		}
		more := snapshot.Reader(append(data, 0))
		if got.fields(more); !errors.Is(more.End(), snapshot.ErrMalformed) {
			t.Fatal("more than all was read")
		}
	})
}

func FuzzReader(f *testing.F) {
	w := snapshot.Writer(nil)
	(&value{text: "x", list: []inner{{a: 1}}}).fields(w)
	f.Add(w.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var v value
		r := snapshot.Reader(data)
		if v.fields(r); r.End() == nil && len(data) < 13 {
			t.Fatalf("%x was read as %+v", data, v)
		}
	})
}

package simulate

import (
	"bytes"
	"math/rand/v2"
	"net/http/httputil"
	"testing"

	"pgregory.net/rapid"
)

// newStream is a stream without a connection, as prepare makes them.
func newStream(total, thinking, perChunk int, itl int64, f Fault) *stream {
	st := &stream{fault: f, ttft: 1000, itl: dist{a: float64(itl)}}
	st.reply = reply{vocab: vocabulary, shape: newShape(ShapeVLLM, "reasoning_content", true), seed: 3, framed: true, usageAtEnd: true,
		total: total, thinking: thinking, perChunk: perChunk, reason: "length"}
	st.rng = rand.New(&st.pcg)
	st.makeCommon("id", "model", 1)
	return st
}

// play runs st to its end, stepping late by what late says, and returns all
// bytes and the number of tokens at each step.
func play(st *stream, late func() int64) (all []byte, at []int64, act action) {
	st.start(0)
	for range 1 << 20 {
		b, act := st.step(nil, st.due+late())
		all = append(all, b...)
		at = append(at, st.due)
		if act != again {
			return all, at, act
		}
	}
	return all, at, act
}

// decode takes a played stream apart as a client would.
func decode(t interface{ Fatalf(string, ...any) }, all []byte) result {
	_, body, ok := bytes.Cut(all, []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("no header in %q", all)
	}
	var r result
	r.readEvents(httputil.NewChunkedReader(bytes.NewReader(body)))
	return r
}

func TestStreamsAreWholeHoweverTheyAreStepped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 60).Draw(t, "total")
		thinking := rapid.IntRange(0, total).Draw(t, "thinking")
		perChunk := rapid.IntRange(1, 70).Draw(t, "perChunk")
		itl := rapid.Int64Range(0, 50).Draw(t, "itl")
		kind := rapid.SampledFrom([]string{"", FaultCoalesce, FaultMalformedEvent}).Draw(t, "fault")
		fault := Fault{Kind: kind, Tokens: rapid.IntRange(1, 70).Draw(t, "k")}
		late := rapid.Int64Range(0, 500)
		st := newStream(total, thinking, perChunk, itl, fault)
		all, at, act := play(st, func() int64 { return late.Draw(t, "late") })
		r := decode(t, all)
		if act != complete || r.err != nil || !r.done || st.sent != total {
			t.Fatalf("act %d, %d of %d tokens, error %v", act, st.sent, total, r.err)
		}
		if r.thought != plainText(3, 0, thinking) || r.text != plainText(3, thinking, total) || r.usage.Completion != total {
			t.Fatalf("thought %q, text %q, usage %+v", r.thought, r.text, r.usage)
		}
		if st.chunks != r.tokens {
			t.Fatalf("%d chunks booked, %d came", st.chunks, r.tokens)
		}
		for i := 1; i < len(at); i++ {
			if at[i] < at[i-1] {
				t.Fatalf("deadlines go back: %v", at)
			}
		}
	})
}

func TestDeadlinesDontDrift(t *testing.T) {
	st := newStream(100, 0, 1, 10, Fault{})
	st.start(500)
	for i := range 100 {
		if want := int64(500 + 1000 + 10*i); st.due != want {
			t.Fatalf("token %d is due at %d, want %d", i, st.due, want)
		}
		b, _ := st.step(nil, st.due+3) // always a little late
		if i > 0 && bytes.Count(b, []byte("data: ")) != 1 && i < 99 {
			t.Fatalf("step %d: %q", i, b)
		}
	}
}

func TestOverdueTokensShareAWrite(t *testing.T) {
	st := newStream(10, 0, 1, 10, Fault{})
	st.start(0)
	st.step(nil, 1000)
	b, act := st.step(nil, 1045)
	if act != again || st.sent != 5 || bytes.Count(b, []byte("data: ")) != 4 || st.due != 1050 {
		t.Errorf("sent %d, due %d: %q", st.sent, st.due, b)
	}
}

func TestEarlyHeaders(t *testing.T) {
	st := newStream(2, 0, 1, 10, Fault{})
	st.early = true
	st.start(0)
	b, act := st.step(nil, st.due)
	if act != again || st.due != 1000 || st.sent != 0 || !bytes.Contains(b, []byte(`"role":"assistant"`)) {
		t.Errorf("due %d: %q", st.due, b)
	}
}

func TestCoalescedTokensComeWithTheirLast(t *testing.T) {
	st := newStream(7, 0, 1, 10, Fault{Kind: FaultCoalesce, Tokens: 3})
	st.start(0)
	for i, want := range []struct {
		due  int64
		sent int
	}{{1020, 3}, {1050, 6}, {1060, 7}} {
		if st.due != want.due {
			t.Errorf("write %d is due at %d, want %d", i, st.due, want.due)
		}
		if st.step(nil, st.due); st.sent != want.sent {
			t.Errorf("write %d: %d tokens, want %d", i, st.sent, want.sent)
		}
	}
}

func TestSplitDribblesEveryByte(t *testing.T) {
	st := newStream(2, 0, 1, 0, Fault{Kind: FaultSplit, Tokens: 10, Delay: 5})
	s := &scheduler{}
	st.start(0)
	var all []byte
	for act, n := again, 0; act == again; n++ {
		var b []byte
		b, act = s.next(st, st.due)
		if len(b) > 10 {
			t.Fatalf("%d bytes at once", len(b))
		}
		all = append(all, b...)
	}
	if r := decode(t, all); r.tokens != 2 || !r.done {
		t.Errorf("%+v", r)
	}
}

func TestFrameSizes(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 255, 256, 4095, 4096, 70_000} {
		b := append([]byte("before"), "000\r\n"...)
		b = frame(append(b, bytes.Repeat([]byte{'x'}, n)...), len("before"))
		got := make([]byte, n)
		if n > 0 {
			if k, err := httputil.NewChunkedReader(bytes.NewReader(b[len("before"):])).Read(got); err != nil || k == 0 {
				t.Errorf("%d: read %d, %v", n, k, err)
			}
		}
		if !bytes.HasPrefix(b, []byte("before")) || bytes.Count(b, []byte{'x'}) != n {
			t.Errorf("%d: %.40q", n, b)
		}
	}
}

func TestHeapPopsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h dueHeap
		dues := map[*stream]int64{}
		last := int64(0)
		for range rapid.IntRange(1, 200).Draw(t, "operations") {
			switch op := rapid.IntRange(0, 3).Draw(t, "op"); {
			case op < 2 || len(h) == 0:
				st := &stream{}
				dues[st] = last + rapid.Int64Range(0, 50).Draw(t, "due")
				h.push(st, dues[st])
			default:
				st, due := h.peek()
				for _, d := range dues {
					if d < due {
						t.Fatalf("%d is on top of %d", due, d)
					}
				}
				last = due
				if op == 2 {
					h.pop()
					delete(dues, st)
				} else {
					dues[st] = due + rapid.Int64Range(0, 50).Draw(t, "later")
					h.replaceTop(dues[st])
				}
			}
		}
		if len(h) != len(dues) {
			t.Fatalf("%d in the heap, want %d", len(h), len(dues))
		}
	})
}

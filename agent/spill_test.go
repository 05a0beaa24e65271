package agent

import (
	"os"
	"testing"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func TestOutboxSpillsAndGivesBack(t *testing.T) {
	o := &outbox{limit: 1 << 20, memory: 100, spill: spill{dir: t.TempDir()}, lost: func(err error) { t.Error(err) }}
	r := ref("a", 0, 1)
	for n := range int64(50) {
		o.put(r, &stampedev1.SampleBatch{Ref: r.Proto(), BatchSequence: n + 1, Samples: []*stampedev1.Sample{{Index: n}}})
	}
	if o.spilled == 0 || o.bytes-o.spilled > 100 {
		t.Fatalf("%d of %d bytes are in the file, want all but 100", o.spilled, o.bytes)
	}
	for n := range int64(50) {
		b := o.next(1 << 20)
		if b.GetBatchSequence() != n+1 || len(b.GetSamples()) != 1 || b.GetSamples()[0].GetIndex() != n {
			t.Fatalf("got %v, want batch %d", b, n+1)
		}
	}
	o.ack(r, 50)
	if n, bytes := o.held(); n != 0 || bytes != 0 || o.spilled != 0 || o.spill.end != 0 {
		t.Errorf("%d batches, %d bytes, %d in the file are left", n, bytes, o.spilled)
	}
	o.close()
	if entries, err := os.ReadDir(o.spill.dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestOutboxWithoutAFileStaysInMemory(t *testing.T) {
	o := &outbox{limit: 1 << 20, memory: 1, spill: spill{dir: "/nowhere/at/all"}}
	r := ref("a", 0, 1)
	o.put(r, &stampedev1.SampleBatch{Ref: r.Proto(), BatchSequence: 1})
	if b := o.next(1 << 20); b.GetBatchSequence() != 1 {
		t.Errorf("got %v, want the batch", b)
	}
}

package agent

import (
	"bytes"
	"os"
	"testing"
)

func TestOutboxSpillsAndGivesBack(t *testing.T) {
	o := &outbox{limit: 1 << 20, memory: 100, spill: spill{dir: t.TempDir()}, lost: func(err error) { t.Error(err) }}
	r := ref("a", 0, 1)
	for n := range int64(50) {
		o.put(r, n+1, batchOf(r, n+1, 1))
	}
	if o.spilled == 0 || o.bytes-o.spilled > 100 {
		t.Fatalf("%d of %d bytes are in the file, want all but 100", o.spilled, o.bytes)
	}
	for n := range int64(50) {
		if b := o.next(1 << 20); !bytes.Equal(b, batchOf(r, n+1, 1)) {
			t.Fatalf("got %x, want batch %d", b, n+1)
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
	o.put(r, 1, batchOf(r, 1, 1))
	if b := o.next(1 << 20); !bytes.Equal(b, batchOf(r, 1, 1)) {
		t.Errorf("got %x, want the batch", b)
	}
}

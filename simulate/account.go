package simulate

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"sync"
	"time"
)

// maxRepeated bounds the examples of repeated ids, maxPaths the other paths that
// are counted by name.
const (
	maxRepeated = 20
	maxPaths    = 100
)

// account remembers requests. It is safe for concurrent use; noting a request
// costs a short critical section and no I/O.
type account struct {
	keep   int
	maxIDs int
	file   bool // lines are wanted

	mu struct {
		sync.Mutex
		ring    []*Record
		next    int // in ring, once it is full
		pending []*Record
		ids     map[uint64]seen
		sum     Summary
	}
	seed maphash.Seed
}

// seen is what is remembered of an id.
type seen struct {
	times    uint32
	attempts uint32 // bit n: attempt n+1 has come; the last for all above
}

func newAccount(keep int, file bool) *account {
	a := &account{keep: keep, maxIDs: max(1_000_000, keep), file: file, seed: maphash.MakeSeed()}
	a.mu.ids = make(map[uint64]seen)
	a.mu.sum.OtherRequests = make(map[string]int64)
	return a
}

// arrived counts a request at its arrival, so that one which never ends is
// counted, too.
func (a *account) arrived(r *Record) {
	key := maphash.String(a.seed, r.ID)
	bit := uint32(1) << min(max(r.Attempt-1, 0), 31)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &a.mu.sum
	s.Requests++
	s.InFlight++
	if r.Stamp == stampKernel {
		s.KernelStamped++
	}
	if r.ID == "" {
		s.WithoutID++
		return
	}
	was, known := a.mu.ids[key]
	if !known && len(a.mu.ids) >= a.maxIDs {
		s.UntrackedIDs++
		return
	}
	switch {
	case !known:
		s.IDs++
	case was.times == 1:
		s.RepeatedIDs++
		if len(s.Repeated) < maxRepeated {
			s.Repeated = append(s.Repeated, r.ID)
		}
	}
	if was.attempts&bit != 0 {
		s.DuplicateAttempts++
	}
	a.mu.ids[key] = seen{was.times + 1, was.attempts | bit}
}

// ended keeps the record of a request that arrived and is over.
func (a *account) ended(r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &a.mu.sum
	s.InFlight--
	s.InputTokens += int64(r.InputTokens)
	s.OutputTokens += int64(r.OutputTokens)
	s.CachedTokens += int64(r.CachedTokens)
	switch r.Status {
	case StatusServed:
		s.Served++
	case StatusRefused:
		s.Refused++
	case StatusFaulted:
		s.Faulted++
	case StatusDisconnected:
		s.Disconnected++
	case StatusAborted:
		s.Aborted++
	}
	if len(a.mu.ring) < a.keep {
		a.mu.ring = append(a.mu.ring, r)
	} else {
		a.mu.ring[a.mu.next] = r
		a.mu.next = (a.mu.next + 1) % a.keep
		s.DroppedRecords++
	}
	switch {
	case !a.file:
	case len(a.mu.pending) < max(a.keep, 10_000):
		a.mu.pending = append(a.mu.pending, r)
	default: // the disk doesn't keep up
		s.UnwrittenLines++
	}
}

// other counts a request to any other path.
func (a *account) other(path string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	paths := a.mu.sum.OtherRequests
	if _, known := paths[path]; !known && len(paths) >= maxPaths {
		path = "…"
	}
	paths[path]++
}

// note changes the summary.
func (a *account) note(f func(*Summary)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.mu.sum)
}

// records returns what is in memory, in the order in which requests ended.
func (a *account) records() []*Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*Record, 0, len(a.mu.ring))
	out = append(out, a.mu.ring[a.mu.next:]...)
	return append(out, a.mu.ring[:a.mu.next]...)
}

func (a *account) summary() Summary {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.mu.sum
	s.Repeated = append([]string(nil), s.Repeated...)
	s.OtherRequests = make(map[string]int64, len(a.mu.sum.OtherRequests))
	for k, v := range a.mu.sum.OtherRequests {
		s.OtherRequests[k] = v
	}
	return s
}

// take returns the records that are not yet in the file.
func (a *account) take() []*Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.mu.pending
	a.mu.pending = nil
	return p
}

// write appends records to f once a second until ctx ends, and then what is left.
// Lines that could not be written are counted, and the first error is returned.
func (a *account) write(ctx context.Context, f *os.File) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var first error
	flush := func() {
		lines := a.take()
		if err := writeLines(f, lines); err != nil {
			a.note(func(s *Summary) { s.UnwrittenLines += int64(len(lines)) })
			if first == nil {
				first = fmt.Errorf("write account %s: %w", f.Name(), err)
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			flush()
			return first
		case <-tick.C:
			flush()
		}
	}
}

func writeLines(w io.Writer, records []*Record) error {
	if len(records) == 0 {
		return nil
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(buffered)
	for _, r := range records {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

package simulate

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Fault is one way to misbehave. Its zero value is none.
type Fault struct {
	Kind string
	// Status of kind status.
	Status int
	// Tokens that go well before, of those kinds that happen within a reply; for
	// coalesce the tokens a write carries, for split the bytes.
	Tokens int
	// Delay of kinds stall (0: for ever), slow_headers and split.
	Delay time.Duration
}

// The kinds of faults. The argument, when there is one, follows after "=".
const (
	FaultStatus          = "status"            // =CODE: refused with that status and a JSON error
	FaultReset           = "reset"             // =K: RST after K tokens; 0 (default): before any byte
	FaultTruncate        = "truncate"          // =K: FIN after K tokens (default 1), the stream incomplete; "close" is the same
	FaultStall           = "stall"             // =K[,D]: silent after K tokens (default 1) for D (default: for ever)
	FaultSlowHeaders     = "slow_headers"      // =D: everything, headers included, comes D (default 1s) later
	FaultMalformedEvent  = "malformed_event"   // =K: an event of broken JSON after K tokens (default 1), then it goes on
	FaultHTML            = "html"              // 200 with a page of HTML
	FaultErrorEvent      = "error_event"       // =K: an error inside the stream after K tokens (default 1), then [DONE]
	FaultEmpty           = "empty"             // 200 without a token
	FaultCloseAfterReply = "close_after_reply" // a whole reply, then FIN without having said so
	FaultSplit           = "split"             // =N[,D]: bytes dribbled, N (default 7) every D (default 200µs)
	FaultCoalesce        = "coalesce"          // =K: K tokens' events (default 4) in each write
	FaultNoDone          = "no_done"           // the stream ends in order, but without [DONE]
	FaultGarbage         = "garbage"           // an answer that is not HTTP
)

// faultForms says of each kind which arguments it takes: one for a count, two
// for a count and a duration, -1 for a duration alone.
var faultForms = map[string]struct {
	args  int
	count int
	delay time.Duration
}{
	FaultStatus: {args: 1, count: 500}, FaultReset: {args: 1}, FaultTruncate: {args: 1, count: 1},
	FaultStall: {args: 2, count: 1}, FaultSlowHeaders: {args: -1, delay: time.Second},
	FaultMalformedEvent: {args: 1, count: 1}, FaultHTML: {}, FaultErrorEvent: {args: 1, count: 1}, FaultEmpty: {},
	FaultCloseAfterReply: {}, FaultSplit: {args: 2, count: 7, delay: 200 * time.Microsecond},
	FaultCoalesce: {args: 1, count: 4}, FaultNoDone: {}, FaultGarbage: {},
}

// FaultKinds returns the names of all kinds in alphabetical order.
func FaultKinds() []string {
	names := make([]string, 0, len(faultForms))
	for name := range faultForms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ParseFault parses "KIND[=ARG]", the value of the header X-Sim-Fault. ARG is
// the kind's own: see the constants. "none" is no fault.
func ParseFault(s string) (Fault, error) {
	kind, arg, has := strings.Cut(strings.TrimSpace(s), "=")
	if kind == "none" && !has {
		return Fault{}, nil
	}
	if kind == "close" {
		kind = FaultTruncate
	}
	form, ok := faultForms[kind]
	if !ok {
		return Fault{}, fmt.Errorf("unknown fault %q: must be one of %s", kind, strings.Join(FaultKinds(), ", "))
	}
	f := Fault{Kind: kind, Tokens: form.count, Delay: form.delay}
	if has {
		if err := f.parseArg(arg, form.args); err != nil {
			return Fault{}, fmt.Errorf("fault %s: %w", kind, err)
		}
	}
	return f.finish()
}

func (f *Fault) parseArg(arg string, form int) error {
	count, delay, hasDelay := arg, "", false
	switch form {
	case 0:
		return fmt.Errorf("takes no argument, got %q", arg)
	case -1:
		count, delay, hasDelay = "", arg, true
	case 2:
		count, delay, hasDelay = strings.Cut(arg, ",")
	}
	if count != "" {
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("%q is not a count", count)
		}
		f.Tokens = n
	}
	if hasDelay {
		d, err := time.ParseDuration(delay)
		if err != nil || d < 0 || d > 24*time.Hour {
			return fmt.Errorf("%q is not a duration of at most 24h", delay)
		}
		f.Delay = d
	}
	return nil
}

func (f Fault) finish() (Fault, error) {
	switch {
	case f.Kind == FaultStatus && (f.Tokens < 300 || f.Tokens > 599):
		return Fault{}, fmt.Errorf("fault status: must be between 300 and 599, got %d", f.Tokens)
	case f.Kind == FaultStatus:
		f.Status, f.Tokens = f.Tokens, 0
	case (f.Kind == FaultSplit || f.Kind == FaultCoalesce) && f.Tokens == 0:
		return Fault{}, fmt.Errorf("fault %s: must be at least 1, got 0", f.Kind)
	}
	return f, nil
}

// String returns the form that ParseFault reads, or nothing.
func (f Fault) String() string {
	form := faultForms[f.Kind]
	switch {
	case f.Kind == FaultStatus:
		return fmt.Sprintf("%s=%d", f.Kind, f.Status)
	case form.args == -1:
		return fmt.Sprintf("%s=%s", f.Kind, f.Delay)
	case form.args == 2 && f.Delay != form.delay:
		return fmt.Sprintf("%s=%d,%s", f.Kind, f.Tokens, f.Delay)
	case form.args > 0:
		return fmt.Sprintf("%s=%d", f.Kind, f.Tokens)
	}
	return f.Kind
}

// rule says which requests a fault strikes.
type rule struct {
	fault Fault
	share float64 // probability; used when every is 0
	every uint64  // each n-th request
	seen  atomic.Uint64
}

// parseRule parses "KIND[=ARG][@SHARE]"; SHARE is a probability such as 0.01 or
// 1/N for each N-th request. Without it the fault strikes always.
func parseRule(s string) (*rule, error) {
	text, share, has := strings.Cut(s, "@")
	f, err := ParseFault(text)
	if err != nil {
		return nil, err
	}
	r := &rule{fault: f, every: 1}
	if !has {
		return r, nil
	}
	if n, ok := strings.CutPrefix(share, "1/"); ok {
		r.every, err = strconv.ParseUint(n, 10, 32)
		if err != nil || r.every == 0 {
			return nil, fmt.Errorf("fault %q: %q is not one in N requests", s, share)
		}
		return r, nil
	}
	r.every = 0
	r.share, err = strconv.ParseFloat(share, 64)
	if err != nil || !(r.share >= 0 && r.share <= 1) {
		return nil, fmt.Errorf("fault %q: %q is neither a probability from 0 to 1 nor 1/N", s, share)
	}
	return r, nil
}

// strikes reports whether the next request is struck.
func (r *rule) strikes(rng *rand.Rand) bool {
	if r.every > 0 {
		return r.seen.Add(1)%r.every == 0
	}
	return rng.Float64() < r.share
}

// draws names what a request's draws depend on: its id, and on which attempt it is.
func (r *Record) draws() string {
	if r.ID == "" || r.Attempt <= 1 {
		return r.ID
	}
	return r.ID + " attempt " + strconv.Itoa(r.Attempt)
}

// seedFor returns the seed of a request's draws: of its id when it has one, else
// of its number.
func seedFor(seed uint64, id string, number uint64) uint64 {
	if id == "" {
		return mix(seed ^ mix(number))
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return mix(seed ^ h.Sum64())
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

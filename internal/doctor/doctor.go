// Package doctor looks at a host, and at the way to an endpoint and a controller,
// for what would disturb a load generator: clocks, limits, ports, stamps, CPU,
// memory, timers. Each finding says what to do. It changes nothing, and it judges
// no run: that is what a report's verdict is for.
package doctor

import (
	"context"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/stampede-bench/stampede/internal/secret"
)

// Level says how bad a finding is.
type Level string

// Levels of a finding.
const (
	OK   Level = "ok"
	Warn Level = "warn" // runs work, but not at every load
	Fail Level = "fail" // runs will not work, or be judged invalid
)

// Finding is the answer of one check.
type Finding struct {
	Check   string `json:"check"`
	Level   Level  `json:"level"`
	Message string `json:"message"`       // one line
	Fix     string `json:"fix,omitempty"` // what to do, ready to be pasted where it can be
	// Agent is the name of the agent whose host it is about; empty: this host.
	Agent string `json:"agent,omitempty"`
}

// Options says what to look at beside the host.
type Options struct {
	// URL is the base URL of an endpoint; empty: none.
	URL string
	// Key is sent as a bearer token, KeyEnv names where it came from.
	Key    secret.String
	KeyEnv string
	// Allow is asked for every address of the endpoint before it is dialled. Nil
	// allows all but metadata addresses, which are never dialled.
	Allow func(host string, addr netip.AddrPort) error
	// Controller is the address of a controller, and AskController counts the
	// agents that it lists; nil: none.
	Controller    string
	AskController func(context.Context) (agents int, err error)
	// Root holds proc and sys. Default the host's root.
	Root fs.FS
	// Probe is how long timers are watched. Default 500 ms.
	Probe time.Duration
	// Timeout bounds each step on the way to an endpoint. Default 5 s.
	Timeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Root == nil {
		o.Root = os.DirFS("/")
	}
	if o.Probe <= 0 {
		o.Probe = 500 * time.Millisecond
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	return o
}

// Examine makes all checks, one after another so that none disturbs another. It
// takes about a second, longer when something does not answer.
func Examine(ctx context.Context, o Options) []Finding {
	o = o.withDefaults()
	findings := Judge(gather(o.Root, o.Probe))
	if o.URL != "" {
		findings = append(findings, reachURL(ctx, o)...)
	}
	if o.AskController != nil {
		findings = append(findings, reachController(ctx, o))
	}
	return findings
}

// gather measures and reads the facts of this host.
func gather(root fs.FS, probe time.Duration) Facts {
	f := Facts{
		OS: runtime.GOOS, CPUs: runtime.NumCPU(), Procs: runtime.GOMAXPROCS(0),
		Files: openFiles(), Stamps: probeStamps(), Clock: readClock(),
	}
	f.Clock.Resolution = resolution()
	f.Wakes, f.Clock.Step = lateness(probe)
	if f.OS == "linux" {
		f.readFiles(root)
	}
	return f
}

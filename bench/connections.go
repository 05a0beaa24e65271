package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// manyConnections are to be held at once, from one address to one port.
	manyConnections = 50_000
	// otherFiles is what agent and simulator have open beside the connections.
	otherFiles = 300
)

// connections is a row of its own: it needs a limit of files that many machines
// don't give.
func connections() workload {
	return workload{
		name:  "connections",
		title: "50,000 connections held at once by one agent, a token each 5 s; fewer where the hard limit of open files is lower",
		tools: []tool{{"agent", holdConnections}},
		columns: []column{
			plain("connections", "connections"), plain("served", "served"), plain("most_at_once", "most at once"), plain("file_limit", "file limit"),
			megabytes("agent_rss_bytes", "agent RSS"), kilobytes("rss_per_stream_bytes", "per stream"), micros("ttft_error_p99_s", "ttft error p99"), hundredths("agent_cpu_s", "agent CPU s"),
		},
		goals: []goal{{figure: "connections", least: manyConnections}, {figure: "rss_per_stream_bytes", most: 40e3}},
		once:  true,
		long:  true,
	}
}

func holdConnections(ctx context.Context, b *bench, dir string) (figures, error) {
	limit := fileLimit()
	n := roomFor(limit)
	if n < 1 {
		return nil, fmt.Errorf("the hard limit of open files is %d; more than %d are needed", limit, otherFiles)
	}
	if n < manyConnections {
		fmt.Fprintf(b.stderr, "the hard limit of open files (ulimit -Hn) is %d: %d connections are held instead of %d\n", limit, n, manyConnections)
	}
	// All have begun before the first has ended, however long the machine takes to
	// open them.
	l := load{Concurrency: n, Requests: n, Prompt: 32, Tokens: 12, TTFT: 5 * time.Second, ITL: 5 * time.Second}
	f, err := l.hold(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	f["connections"], f["file_limit"] = float64(n), float64(limit)
	if f["served"] != float64(n) || f["most_at_once"] != float64(n) || f["wrong"]+f["unmatched"] != 0 {
		return nil, fmt.Errorf("%d connections were to be held at once: %g were served, at most %g at once, %g rows are wrong",
			n, f["served"], f["most_at_once"], f["wrong"]+f["unmatched"])
	}
	return f, nil
}

// roomFor is how many connections are held under a hard limit of open files; 0 is
// none that is known.
func roomFor(limit uint64) int {
	if limit == 0 || limit >= manyConnections+otherFiles {
		return manyConnections
	}
	return int(limit) - otherFiles
}

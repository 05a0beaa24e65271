package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

const (
	// manyConnections are to be held at once, to one address and port.
	manyConnections = 50_000
	// otherFiles is what an agent or a simulator has open beside the connections.
	otherFiles = 300
	// mostProcesses is how many agents, and how many simulators, they are shared
	// among where the hard limit of open files is too low for one of each.
	mostProcesses = 16
)

// crowd is how many connections are held at once, and by how many processes.
type crowd struct{ connections, agents, simulators int }

// connections is a row of its own: it needs more files than a process has on many
// machines.
func connections() workload {
	return workload{
		name:  "connections",
		title: "50,000 connections to one address and port held at once, a token each 5 s, by one agent or as few as the hard limit of open files allows",
		tools: []tool{{"agent", holdConnections}},
		columns: []column{
			plain("connections", "connections"), plain("agents", "agents"), plain("simulators", "simulators"), plain("file_limit", "file limit"),
			plain("served", "served"), plain("most_at_once", "most at once"), plain("all_at_once_s", "all for s"),
			megabytes("agent_rss_bytes", "agents' RSS"), kilobytes("rss_per_stream_bytes", "per stream"), megabytes("simulator_rss_bytes", "simulators'"),
			micros("ttft_error_p50_s", "ttft error p50"), micros("ttft_error_p99_s", "p99"), hundredths("agent_cpu_s", "agents' CPU s"), hundredths("simulator_cpu_s", "simulators'"),
		},
		goals: []goal{{figure: "connections", least: manyConnections}, {figure: "rss_per_stream_bytes", most: 40e3}},
		once:  true,
		long:  true,
	}
}

func holdConnections(ctx context.Context, b *bench, dir string) (figures, error) {
	limit := fileLimit()
	c := crowdWithin(limit)
	if c.connections < 1 {
		return nil, fmt.Errorf("the hard limit of open files is %d; more than %d are needed", limit, otherFiles)
	}
	if c.agents > 1 {
		fmt.Fprintf(b.stderr, "the hard limit of open files (ulimit -Hn) is %d: %d connections are held by %d agents and answered by %d simulators that share a port\n",
			limit, c.connections, c.agents, c.simulators)
	}
	// All have begun before the first has ended, however long the machine takes to
	// open them.
	l := load{Concurrency: c.connections, Requests: c.connections, Prompt: 32, Tokens: 13, TTFT: 5 * time.Second, ITL: 5 * time.Second,
		Agents: c.agents, Simulators: c.simulators}
	f, err := l.hold(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	f["connections"], f["file_limit"] = float64(c.connections), float64(limit)
	f["agents"], f["simulators"] = float64(c.agents), float64(c.simulators)
	if n := float64(c.connections); f["served"] != n || f["most_at_once"] != n || f["wrong"]+f["unmatched"] != 0 {
		return nil, fmt.Errorf("%d connections were to be held at once: %g were served, at most %g at once, %g rows are wrong",
			c.connections, f["served"], f["most_at_once"], f["wrong"]+f["unmatched"])
	}
	return f, nil
}

// crowdWithin is what is held under a hard limit of open files; 0 is none that is
// known. The controller deals an agent its exact share. The kernel draws a
// simulator's, which therefore has room for five standard deviations more.
func crowdWithin(limit uint64) crowd {
	room := int(min(limit, manyConnections+otherFiles)) - otherFiles
	if limit == 0 || room == manyConnections {
		return crowd{manyConnections, 1, 1}
	}
	c := crowd{connections: manyConnections, simulators: mostProcesses}
	for k := 2; k < mostProcesses; k++ {
		if share := float64(c.connections) / float64(k); share+5*math.Sqrt(share) <= float64(room) {
			c.simulators = k
			break
		}
	}
	// The largest share of which that is true.
	root := (math.Sqrt(25+4*float64(max(0, room))) - 5) / 2
	c.connections = min(c.connections, mostProcesses*int(root*root))
	if c.connections > 0 {
		c.agents = (c.connections + room - 1) / room
	}
	return c
}

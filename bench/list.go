package main

import "time"

// workloads is all that can be measured.
func workloads() []workload {
	return append([]workload{
		steady(), overTLS(), overHTTP2(), starved(), burst(), closed(), highest(), held(), sustained(),
	}, append(floods(), shipment(), connections())...)
}

// acceptance is the load that all are compared by.
func acceptance() load {
	return load{Rate: 200, Duration: 15 * time.Second, Prompt: 256, Tokens: 64, TTFT: 50 * time.Millisecond, ITL: 10 * time.Millisecond, TokenTimes: true}
}

func errorColumns(more ...column) []column {
	return append([]column{
		plain("served", "served"),
		millis("schedule_error_p50_s", "schedule error p50"), millis("schedule_error_p99_s", "p99"),
		millis("lateness_p99_s", "lateness p99"),
		micros("ttft_error_p50_s", "ttft error p50"), micros("ttft_error_p99_s", "p99"), micros("ttft_error_max_s", "max"),
	}, more...)
}

func steady() workload {
	l := acceptance()
	return workload{
		name:    "rate",
		title:   "200 requests/s of 256 words and 64 tokens, TTFT 50 ms, ITL 10 ms",
		tools:   []tool{stampede(l), vegeta(l), k6(l)},
		columns: rateColumns(),
		goals:   append(exact(), goal{figure: "cpu_s", over: "vegeta", most: 0.8}, goal{figure: "cpu_per_million_tokens_s", most: 12}),
	}
}

func rateColumns() []column {
	return errorColumns(micros("itl_p1_error_s", "itl p1 off"), micros("itl_p99_error_s", "p99 off"),
		hundredths("cpu_s", "CPU s"), hundredths("cpu_per_million_tokens_s", "per 1M tokens"), hundredths("simulator_cpu_s", "simulator CPU s"), millis("gc_pause_max_s", "GC pause max"))
}

// exact is what is to be reached where the kernel's stamps are at hand.
func exact() []goal {
	return []goal{
		{figure: "schedule_error_p99_s", most: 0.5e-3},
		{figure: "ttft_error_p50_s", most: 0.05e-3}, {figure: "ttft_error_p99_s", most: 0.25e-3},
		{figure: "itl_p1_error_s", most: 1e-3}, {figure: "itl_p99_error_s", most: 1e-3},
	}
}

func overTLS() workload {
	l := acceptance()
	l.TLS = true
	return workload{
		name:    "tls",
		title:   "the load of rate over TLS, HTTP/1.1",
		tools:   []tool{stampede(l), vegeta(l)},
		columns: rateColumns(),
		goals:   append(exact(), goal{figure: "cpu_s", over: "vegeta", most: 0.8}),
	}
}

// overHTTP2 has bounds of a client without kernel stamps: its framing is net/http's.
func overHTTP2() workload {
	l := acceptance()
	l.TLS, l.HTTP2 = true, true
	return workload{
		name:    "h2",
		title:   "likewise, over HTTP/2 on an endpoint that speaks nothing else",
		tools:   []tool{stampede(l), vegeta(l)},
		columns: append(rateColumns(), micros("first_write_p50_s", "of it the simulator's p50"), micros("first_write_p99_s", "p99")),
		goals:   []goal{{figure: "ttft_error_p50_s", most: 1e-3}, {figure: "itl_p1_error_s", most: 1e-3}, {figure: "itl_p99_error_s", most: 1e-3}},
	}
}

func starved() workload {
	l := acceptance()
	l.Busy = true
	return workload{
		name:    "starved",
		title:   "the same beside as many busy processes as there are cores",
		tools:   []tool{stampede(l)},
		columns: errorColumns(millis("read_delay_p99_s", "read delay p99"), hundredths("cpu_s", "CPU s"), plain("said_starved", "says so")),
		goals:   []goal{{figure: "ttft_error_p99_s", most: 0.5e-3}, {figure: "said_starved", least: 1}},
	}
}

func burst() workload {
	l := load{Concurrency: 2000, Requests: 2000, Prompt: 32, Tokens: 40, TTFT: 100 * time.Millisecond, ITL: 100 * time.Millisecond}
	return workload{
		name:    "burst",
		title:   "2,000 streams started at once, ITL 100 ms",
		tools:   []tool{stampede(l)},
		columns: errorColumns(plain("cold", "cold connections"), hundredths("cpu_s", "CPU s"), hundredths("simulator_cpu_s", "simulator CPU s")),
		goals:   []goal{{figure: "ttft_error_p99_s", most: 5e-3}},
	}
}

func closed() workload {
	l := load{Concurrency: 32, Duration: 6 * time.Second, Prompt: 8, Tokens: 64, Blast: true}
	return workload{
		name:  "closed",
		title: "closed loop of 32, replies of 64 tokens written at once",
		tools: []tool{stampede(l), vegeta(l), k6(l), wrk(l)},
		columns: []column{
			plain("requests_per_s", "requests/s"), plain("tokens_per_s", "tokens/s"),
			micros("ttft_error_p50_s", "ttft error p50"), micros("ttft_error_p99_s", "p99"),
			hundredths("cpu_s", "CPU s"), micros("cpu_per_request_s", "CPU per request"), micros("simulator_cpu_per_request_s", "simulator's"),
		},
		goals: []goal{{figure: "requests_per_s", over: "vegeta", least: 0.65}},
	}
}

func highest() workload {
	l := load{Duration: 4 * time.Second, Prompt: 8, Tokens: 1}
	return workload{
		name:    "highest",
		title:   "highest constant rate of 1-token replies of which 99 % are sent, p99 no later than 10 ms",
		tools:   []tool{{"stampede", search(l, stampede)}, {"vegeta", search(l, vegeta)}, {"k6", search(l, k6)}},
		columns: []column{plain("highest_rate_per_s", "requests/s"), millis("late_p99_s", "late p99"), micros("cpu_per_request_s", "CPU per request"), micros("simulator_cpu_per_request_s", "simulator's")},
		goals:   []goal{{figure: "highest_rate_per_s", least: 12000}},
		once:    true,
	}
}

func held() workload {
	return workload{
		name:    "held",
		title:   "10,000 streams held at 2 tokens/s, by an agent of its own",
		tools:   []tool{{"agent", holdStreams}},
		columns: []column{plain("served", "served"), megabytes("agent_rss_bytes", "agent RSS"), kilobytes("rss_per_stream_bytes", "per stream"), micros("ttft_error_p99_s", "ttft error p99"), hundredths("agent_cpu_s", "agent CPU s")},
		goals:   []goal{{figure: "rss_per_stream_bytes", most: 40e3}},
		once:    true,
	}
}

func sustained() workload {
	l := load{Rate: 500, Duration: 10 * time.Minute, Prompt: 64, Tokens: 16, TTFT: 50 * time.Millisecond, ITL: 10 * time.Millisecond}
	return workload{
		name:    "sustained",
		title:   "500 requests/s of 16 tokens for ten minutes: no tail of the garbage collector's in any figure",
		tools:   []tool{stampede(l)},
		columns: errorColumns(millis("lateness_max_s", "lateness max"), millis("gc_pause_max_s", "longest GC pause"), plain("gc_count", "collections"), megabytes("memory_max_bytes", "memory")),
		goals:   []goal{{figure: "gc_pause_max_s", most: 1e-3}, {figure: "lateness_p99_s", most: 0.5e-3}, {figure: "ttft_error_p99_s", most: 0.25e-3}},
		once:    true,
		long:    true,
	}
}

// Package controller takes tests, deals shards of their load to agents, and turns
// what the agents report into one judged report a run.
//
// It serves two gRPC services, TestService for people and programs and
// AgentService for agents, and the health of its process. It sends no load
// itself, knows no endpoint, and never imports package agent: the two speak only
// over the wire.
//
// # Goroutines
//
// Each run has one goroutine, which owns its ledger, its measure.Set and its
// plan; others post events to it and never wait for it. Each session of an agent
// has one that receives and one that sends. Heartbeats are answered where they
// are received: neither the journal nor a fold can cost an agent its lease. All
// end with Run.
package controller

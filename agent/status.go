package agent

// Status is what an agent is doing, for probes and metrics.
type Status struct {
	// Connected says whether a session with the controller is open.
	Connected bool
	// Leaving says whether the agent was told to end.
	Leaving bool
	// Runs it works on.
	Runs int
	// Sent requests of those runs, and how many of them are in flight.
	Sent, InFlight int64
	// Batches of outcomes that the controller has not acknowledged, and their bytes.
	OutboxBatches int
	OutboxBytes   int64
}

// Status may be called at any time, from any goroutine.
func (a *Agent) Status() Status {
	s := Status{Connected: a.connected.Load()}
	a.mu.Lock()
	s.Leaving, s.Runs = a.leaving, len(a.runs)
	a.mu.Unlock()
	for _, shard := range a.shards() {
		s.Sent += shard.sent.Load()
		s.InFlight += shard.inFlight.Load()
	}
	s.OutboxBatches, s.OutboxBytes = a.outbox.held()
	return s
}

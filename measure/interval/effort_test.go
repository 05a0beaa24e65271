//go:build !race

package interval

// The whole of the simulation: a run's share of its time, and how far coverage may
// be off its limits.
const (
	effort = 1.0
	slack  = 0.0
)

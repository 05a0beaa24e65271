//go:build race

package interval

// Under the race detector arithmetic is several times slower; a part of the simulation
// shows as much of races, and coverage only roughly.
const (
	effort = 0.2
	slack  = 0.06
)

// Package harness starts the real binary's controllers, agents and simulators as
// processes for tests, and holds what they report against the simulator's own
// account. It tests nothing itself.
package harness

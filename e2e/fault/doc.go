// Package fault holds the tests that kill, stop and cut off real controllers,
// agents and endpoints during a run, each held against the simulator's own
// account: nothing is served twice, every row was served, and every planned
// entry has one outcome. It has no code of its own.
package fault

// Package e2e holds the tests that run the real binary: controller, agents,
// client and simulator as processes on loopback, held against the simulator's
// own account of what it served. It has no code of its own.
package e2e

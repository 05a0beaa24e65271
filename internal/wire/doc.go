// Package wire turns the domain's values into the messages of stampede.v1 and
// back. What comes from outside is checked here. It sends and stores nothing.
package wire

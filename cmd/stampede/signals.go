package main

import (
	"os"
	"os/signal"
	"syscall"
)

// interruptions delivers each interrupt and SIGTERM.
type interruptions struct{ c chan os.Signal }

func interrupts() interruptions {
	c := make(chan os.Signal, 4)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return interruptions{c: c}
}

func (i interruptions) stop() { signal.Stop(i.c) }

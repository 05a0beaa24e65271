package controller

import "sync"

// mailbox takes events for a run's goroutine. Posting never waits; whoever posts
// on behalf of an agent bounds what that agent may have waiting here.
type mailbox struct {
	mu     sync.Mutex
	events []func()
	closed bool
	wake   chan struct{}
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post adds an event; it reports false when the run takes no more.
func (m *mailbox) post(event func()) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.events = append(m.events, event)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns what has come, in order. buf is used again.
func (m *mailbox) take(buf []func()) []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.events
	clear(buf)
	m.events = buf[:0]
	return taken
}

// close refuses further events and returns those that nobody took.
func (m *mailbox) close() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	left := m.events
	m.events = nil
	return left
}

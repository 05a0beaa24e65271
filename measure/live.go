package measure

// Live is how far a run has come, for its progress. Warmup is in the tokens only.
type Live struct {
	Sent, Done int64
	// OutputTokens is of the requests that succeeded in the last full second: what
	// is in flight has not been told yet, so arrivals would fall short.
	OutputTokens     int64
	TTFTP50, TTFTP99 int64 // nanoseconds, 0 when there is none
}

// live counts output tokens by the end of their request over the last seconds.
type live struct {
	seconds [64]liveSecond // second k stands at k mod 64
}

type liveSecond struct{ number, tokens int64 }

// settling is how long outcomes may take to get here: agents send them in batches.
const settling = 400_000_000

func (l *live) fold(x *Sample) {
	if x.Status == Succeeded && x.End != Absent && x.OutputTokens > 0 {
		l.add(liveSecond{max(x.End, 0) / pointNanos, int64(x.OutputTokens)})
	}
}

func (l *live) add(s liveSecond) {
	at := &l.seconds[s.number%int64(len(l.seconds))]
	switch {
	case at.number == s.number:
		at.tokens += s.tokens
	case at.number < s.number:
		*at = s
	}
}

func (l *live) merge(o *live) {
	for _, s := range o.seconds {
		if s.tokens > 0 {
			l.add(s)
		}
	}
}

// tokens is what the last second gave whose outcomes should all be here.
func (l *live) tokens(now int64) int64 {
	number := (now-settling)/pointNanos - 1
	if number < 0 {
		return 0
	}
	if at := l.seconds[number%int64(len(l.seconds))]; at.number == number {
		return at.tokens
	}
	return 0
}

// maxRecent is how many seconds RecentTokens can look back.
const maxRecent = 60

// RecentTokens returns the output tokens of requests that ended in the last so
// many full seconds, at most 60, whose outcomes should all be here at an instant
// since the anchor.
func (s *Set) RecentTokens(now int64, seconds int) (tokens int64) {
	for i := range min(seconds, maxRecent) {
		tokens += s.live.tokens(now - int64(i)*pointNanos)
	}
	return tokens
}

// Live returns the progress at an instant since the anchor.
func (s *Set) Live(now int64) Live {
	var l Live
	for _, p := range s.scope(Measured) {
		l.Sent += p.sent
		l.Done += p.succeeded
	}
	l.OutputTokens = s.live.tokens(now)
	h := s.Histogram(Measured, TTFT)
	l.TTFTP50, _ = h.Quantile(0.5)
	l.TTFTP99, _ = h.Quantile(0.99)
	return l
}

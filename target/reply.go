package target

import (
	"errors"
	"strings"

	"github.com/stampede-bench/stampede/measure"
)

const (
	maxWhole   = 16 << 20 // bytes of a reply that is no stream
	maxChunks  = 4 << 20  // of a stream; it would fill the memory of one that never ends
	keepError  = 4 << 10  // bytes kept of an error's body
	maxDiscard = 1 << 20  // bytes of an error's body worth reading to keep its connection
	endGrace   = 2e9      // ns to wait for the end of a stream after its end mark
)

// bodyKind is how the body of a reply is read.
type bodyKind uint8

const (
	bodyEvents bodyKind = iota
	bodyWhole
	bodyError // status from 400 on: an excerpt for the message
	bodyPage  // HTML with a 200
)

// reply reads one reply into an Exchange: bytes → HTTP → events → what the API
// says. It belongs to a connection and is guarded by the connection's lock.
type reply struct {
	http  response
	sse   sse
	drv   driver
	mode  mode
	keep  bool
	kind  bodyKind
	x     *measure.Exchange
	body  []byte
	size  int
	ev    event
	fault fault

	endMark   bool // the API's own end mark was seen
	markedAt  int64
	finished  bool // a finish reason was seen
	shared    int32
	complete  bool
	unwelcome bool // the rest is not worth reading: finish now and hang up
}

func (r *reply) begin(c *Call, drv driver) {
	r.http.reset(c.bare)
	r.sse.reset()
	*r = reply{http: r.http, sse: r.sse, body: r.body[:0], drv: drv, mode: c.mode, keep: c.keep, x: c.x}
	r.x.KernelStamped = true
}

// feed reads what arrived. fresh tells that a is another read of the socket than
// in the call before. It returns how much it consumed: less than all when the
// reply is complete or broken before.
func (r *reply) feed(p []byte, a arrival, fresh bool) (n int) {
	r.note(a, fresh)
	for n < len(p) && !r.complete && !r.unwelcome {
		had := r.http.headersDone
		m, body, err := r.http.feed(p[n:])
		n += m
		if err != nil {
			r.breakOff(a, httpFault(err))
			return n
		}
		if !had && r.http.headersDone {
			r.x.Headers = a.at
			r.x.HTTPStatus = int32(r.http.status)
			r.classify(a)
		}
		if len(body) > 0 {
			r.bodyBytes(body, a)
		}
		if r.http.done() && !r.unwelcome {
			r.finish(a.at)
		}
	}
	return n
}

// note enters the quality of a read's stamp into the exchange.
func (r *reply) note(a arrival, fresh bool) {
	if !fresh {
		return
	}
	r.shared = 0
	r.x.ReadDelayMaxNano = max(r.x.ReadDelayMaxNano, a.lag)
	if !a.kernel {
		r.x.KernelStamped = false
	}
	if a.stepped {
		r.x.ClockSteps++
	}
}

// eof tells that the peer closed the connection.
func (r *reply) eof(at int64) {
	if r.complete || r.unwelcome {
		return
	}
	if err := r.http.eof(); err != nil {
		r.broken(at, fault{KindTruncated, "the connection was closed inside the reply"})
		return
	}
	r.finish(at)
}

// broken ends the reply where the connection broke. A stream whose end mark was
// there is complete all the same: some servers close without ceremony.
func (r *reply) broken(at int64, f fault) {
	switch {
	case r.endMark:
		r.finish(at)
	case !r.http.begun:
		if f.kind == KindTruncated {
			f = fault{KindClosed, "the connection was closed before any answer"}
		}
		r.breakOff(arrival{at: at}, f)
	case r.http.headersDone && (r.kind == bodyError || r.kind == bodyPage):
		r.finish(at) // what was there says more
	default:
		r.breakOff(arrival{at: at}, f)
	}
}

// breakOff ends the reply before its end; the connection is of no use then.
func (r *reply) breakOff(a arrival, f fault) {
	if !r.fault.is() {
		r.fault = f
	}
	r.x.End = a.at
	r.unwelcome = true
}

func httpFault(err error) fault {
	if errors.Is(err, errHeaderLimit) {
		return fault{KindHeaders, err.Error()}
	}
	return fault{KindMalformed, "malformed reply: " + err.Error()}
}

// classify decides by status and headers how to read the body.
func (r *reply) classify(a arrival) {
	h := &r.http
	if r.mode == modeFetch {
		r.kind = bodyWhole
		return
	}
	switch {
	case h.status >= 400:
		r.kind = bodyError
		return
	case h.status >= 300:
		r.fault = faultf(KindRedirect, "HTTP %d to %q; redirects are not followed, give the final URL", h.status, h.location)
		r.kind = bodyError
		return
	case h.encoding != "" && !strings.EqualFold(h.encoding, "identity"):
		r.breakOff(a, faultf(KindMalformed, "the reply is encoded (%s) though nothing but identity is accepted", h.encoding))
		return
	}
	media, _, _ := strings.Cut(h.contentType, ";")
	switch media = strings.ToLower(strings.TrimSpace(media)); {
	case media == "text/html" || media == "application/xhtml+xml":
		r.kind = bodyPage
	case media == "text/event-stream":
		r.kind = bodyEvents
	case media == "application/json" || r.mode == modeWhole:
		r.kind = bodyWhole
	default: // some servers stream under another name
		r.kind = bodyEvents
	}
}

func (r *reply) bodyBytes(p []byte, a arrival) {
	r.size += len(p)
	switch r.kind {
	case bodyEvents:
		r.events(p, a)
	case bodyWhole:
		if r.size > maxWhole {
			r.breakOff(a, fault{KindTooLarge, "the reply is larger than 16 MiB"})
			return
		}
		r.body = append(r.body, p...)
	default:
		if room := keepError - len(r.body); room > 0 {
			r.body = append(r.body, p[:min(room, len(p))]...)
		}
		if r.size > maxDiscard {
			r.finish(a.at)
			r.unwelcome = true
		}
	}
}

// finish ends the reply at an instant and judges it.
func (r *reply) finish(at int64) {
	r.x.End = at
	r.complete = true
	if r.mode == modeFetch {
		return
	}
	switch r.kind {
	case bodyEvents:
		if ev, ok := r.sse.eof(); ok && !r.fault.is() {
			r.event(ev, arrival{at: at, read: at, emptyAt: at})
		}
	case bodyWhole:
		r.whole(at)
	case bodyPage:
		r.fail(fault{KindHTML, "HTTP 200 with an HTML page: " + excerpt(r.body)})
	case bodyError:
		r.fail(r.statusFault())
	}
	r.judge()
}

// fail keeps the first thing that went wrong.
func (r *reply) fail(f fault) {
	if !r.fault.is() {
		r.fault = f
	}
}

// judge finds what is wrong with a reply that ended well.
func (r *reply) judge() {
	switch {
	case r.fault.is():
	case r.kind == bodyEvents && !r.endMark && !r.finished && r.size > 0:
		r.fail(fault{KindTruncated, "the stream ended without a finish reason or an end mark"})
	case len(r.x.Chunks) == 0:
		r.fail(fault{KindEmpty, "HTTP 200 without a single token"})
	}
}

// statusFault makes the error of a status from 400 on.
func (r *reply) statusFault() fault {
	text := excerpt(r.body)
	if r.drv.scan(r.body, true, &r.ev) == nil && len(r.ev.message.raw) > 0 {
		text = excerpt(unescape(nil, r.ev.message.raw))
	}
	f := faultf(HTTPKind(r.http.status), "HTTP %d", r.http.status)
	if text != "" {
		f.message += ": " + text
	}
	return f
}

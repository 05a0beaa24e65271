package target

import (
	"bytes"

	"github.com/stampede-bench/stampede/measure"
)

// events reads the events in a piece of the body.
func (r *reply) events(p []byte, a arrival) {
	if r.size == len(p) && looksHTML(p) {
		r.kind = bodyPage
		r.body = append(r.body, p[:min(keepError, len(p))]...)
		return
	}
	for len(p) > 0 && !r.unwelcome {
		n, ev, ok, err := r.sse.next(p)
		p = p[n:]
		if err != nil {
			r.breakOff(a, fault{KindTooLarge, err.Error()})
			return
		}
		if ok {
			r.event(ev, a)
		}
	}
}

// event enters one event into the exchange.
func (r *reply) event(ev sseEvent, a arrival) {
	if r.endMark {
		return
	}
	if err := r.drv.scan(ev.data, false, &r.ev); err != nil {
		switch {
		case string(ev.name) == "error":
			r.fail(fault{KindErrorEvent, "the stream told an error: " + excerpt(ev.data)})
			return
		case len(bytes.TrimSpace(ev.data)) == 0: // a ping
			return
		case r.complete: // the stream's end cut it short
			r.fail(fault{KindTruncated, "the stream ended inside an event: " + excerpt(ev.data)})
			return
		}
		r.breakOff(a, fault{KindEvent, "an event that is " + err.Error() + ": " + excerpt(ev.data)})
		return
	}
	if r.ev.failed || string(ev.name) == "error" {
		r.errorEvent(ev.data)
		return
	}
	if r.ev.done {
		r.endMark, r.markedAt = true, a.at
		return
	}
	r.take(a)
}

func (r *reply) errorEvent(data []byte) {
	text := excerpt(data)
	if len(r.ev.message.raw) > 0 {
		text = excerpt(unescape(nil, r.ev.message.raw))
	}
	r.fail(fault{KindErrorEvent, "the stream told an error: " + text})
}

// take enters what r.ev says into the exchange.
func (r *reply) take(a arrival) {
	x, ev := r.x, &r.ev
	if ev.counted {
		x.Usage = ev.usage
	}
	if len(ev.finish.raw) > 0 {
		r.finished = true
		x.FinishReason = finishReason(ev.finish.raw)
	}
	kind, size, ok := ev.kind()
	if !ok {
		return
	}
	if len(x.Chunks) == maxChunks {
		r.breakOff(a, fault{KindTooLarge, "the stream has more than 4,194,304 chunks of text"})
		return
	}
	total := int32(-1)
	if ev.counted {
		total = ev.usage.Output
	}
	x.Chunks = append(x.Chunks, measure.Chunk{
		At: a.at, Kind: kind, TextBytes: size, Tokens: ev.tokens, UsageTotal: total,
	})
	if r.keep && len(ev.answer.raw) > 0 {
		if x.Answer = unescape(x.Answer, ev.answer.raw); len(x.Answer) > maxWhole {
			r.breakOff(a, fault{KindTooLarge, "the answer is larger than 16 MiB"})
			return
		}
	}
	r.share(a)
}

// share counts the token chunks of one read. From the second on their true times
// are lost: all have the stamp of the read's last byte. A single token chunk
// followed in its read by events without tokens is not counted; its error is at
// most the time the server took between the two.
func (r *reply) share(a arrival) {
	switch r.shared++; r.shared {
	case 1:
		return
	case 2:
		r.x.CoalescedChunks++ // the first of them, too
	}
	r.x.CoalescedChunks++
	r.x.StampUncertaintyNano = max(r.x.StampUncertaintyNano, a.width())
}

// whole reads a reply that came in one piece. All its text is one chunk that
// arrived with the last byte.
func (r *reply) whole(at int64) {
	if r.fault.is() {
		return
	}
	if looksHTML(r.body) {
		r.fail(fault{KindHTML, "HTTP 200 with an HTML page: " + excerpt(r.body)})
		return
	}
	if err := r.drv.scan(r.body, true, &r.ev); err != nil {
		r.fail(fault{KindMalformed, "a reply that is " + err.Error() + ": " + excerpt(r.body)})
		return
	}
	if r.ev.failed {
		r.errorEvent(r.body)
		return
	}
	if r.mode == modeStream {
		r.fail(fault{KindNoStream, "a stream was asked for, but the endpoint answered with one " + r.http.contentType + " reply"})
		return
	}
	r.take(arrival{at: at, read: at, emptyAt: at, kernel: true})
}

// looksHTML tells a page by its first byte: no event and no JSON begins so.
func looksHTML(p []byte) bool {
	p = bytes.TrimLeft(p, " \t\r\n")
	return len(p) > 0 && p[0] == '<'
}

// finishReason avoids allocating for the reasons that are.
func finishReason(raw []byte) string {
	switch string(raw) {
	case "stop":
		return "stop"
	case "length":
		return "length"
	case "tool_calls":
		return "tool_calls"
	}
	return clip(string(unescape(nil, raw)), 64)
}

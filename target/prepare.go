package target

import (
	"fmt"

	"github.com/stampede-bench/stampede/measure"
)

const maxPresized = 4096 // chunks for which an Exchange gets room ahead

// Prepare implements Doer.
func (cl *Client) Prepare(in Input) (*Call, error) {
	if !printable(in.ID) {
		return nil, fmt.Errorf("request id %q holds a control character", in.ID)
	}
	body, err := cl.drv.body(nil, in)
	if err != nil {
		return nil, fmt.Errorf("build request %s: %w", in.ID, err)
	}
	c := cl.newCall(modeWhole)
	if streaming(cl.cfg.Endpoint) {
		c.mode = modeStream
	}
	c.keep = in.KeepAnswer
	req := make([]byte, 0, len(cl.heads.post)+len(in.ID)+64+len(body))
	req = append(req, cl.heads.post...)
	req, c.head = appendHead(req, in.ID, len(body))
	if c.attempt = int32(in.Attempt); in.Attempt > 1 {
		req = append(append(req[:c.head], attemptHeader(in.Attempt)...), "\r\n\r\n"...)
		c.head = len(req) - len("\r\n\r\n")
	}
	c.req = append(req, body...)
	if want := min(in.OutputTokens+2, maxPresized); cap(c.x.Chunks) < want {
		c.x.Chunks = make([]measure.Chunk, 0, want)
	}
	return c, nil
}

func (cl *Client) newCall(m mode) *Call {
	x := cl.exchanges.Get().(*measure.Exchange)
	x.Reset()
	return &Call{call{cl: cl, mode: m, x: x}}
}

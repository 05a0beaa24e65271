package target

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stampede-bench/stampede/internal/retry"
	"github.com/stampede-bench/stampede/measure"
)

// Do sends one request and waits for its outcome. When it did not succeed, the
// error is an *Error, and the Exchange says how far it came. The Exchange is the
// caller's for good. When ctx ends, the request is given up.
func (cl *Client) Do(ctx context.Context, in Input) (*measure.Exchange, error) {
	c, err := cl.Prepare(in)
	if err != nil {
		return nil, err
	}
	cl.wait(ctx, c)
	return c.x, outcomeError(c)
}

// wait starts c and returns when it is finished.
func (cl *Client) wait(ctx context.Context, c *Call) {
	done := make(chan struct{})
	cl.Start(c, func(*Call, *measure.Exchange) { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
		cl.Cancel(c)
		<-done
	}
}

func outcomeError(c *Call) error {
	x := c.x
	if x.Status == measure.Succeeded {
		return nil
	}
	return &Error{Kind: x.ErrorKind, Status: x.Status, HTTP: int(x.HTTPStatus), Message: x.ErrorMessage, RetryAfter: c.asked()}
}

// asked is how long the endpoint wants callers to wait.
func (c *Call) asked() time.Duration {
	if c.retryAfter == nil {
		return 0
	}
	d, _ := retry.After(*c.retryAfter, time.Now())
	return d
}

// Reply is what Fetch got.
type Reply struct {
	Status int
	Body   []byte // at most 16 MiB
}

// Get fetches a path: relative to the base URL, or with a leading slash from the
// root of its host. A status other than 2xx is an *Error beside the Reply.
func (cl *Client) Get(ctx context.Context, path string) (*Reply, error) {
	return cl.Fetch(ctx, "GET", path, nil)
}

// Fetch sends any request with the endpoint's headers; it is for routes beside
// the one that is measured. See Get for path and error.
func (cl *Client) Fetch(ctx context.Context, method, path string, body []byte) (*Reply, error) {
	c := cl.newCall(modeFetch)
	c.bare = method == "HEAD"
	req := append([]byte(method+" "+cl.target(path)+" HTTP/1.1\r\n"), cl.heads.rest...)
	req, c.head = appendHead(req, "", len(body))
	c.req = append(req, body...)
	cl.wait(ctx, c)
	if err := outcomeError(c); err != nil {
		return nil, err
	}
	reply := &Reply{Status: int(c.x.HTTPStatus), Body: c.body}
	if reply.Status/100 == 2 {
		return reply, nil
	}
	message := fmt.Sprintf("%s %s: HTTP %d: %s", method, cl.target(path), reply.Status, excerpt(reply.Body))
	return reply, &Error{
		Kind: HTTPKind(reply.Status), Status: measure.Failed, HTTP: reply.Status,
		Message: cl.redact.clean(message), RetryAfter: c.asked(),
	}
}

// Models returns the names that the endpoint lists, in its order.
func (cl *Client) Models(ctx context.Context) ([]string, error) {
	reply, err := cl.Get(ctx, "models")
	if err != nil {
		return nil, err
	}
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(reply.Body, &list); err != nil {
		return nil, &Error{
			Kind: KindMalformed, Status: measure.Failed, HTTP: reply.Status,
			Message: cl.redact.clean("the list of models is no JSON object with data: " + excerpt(reply.Body)),
		}
	}
	var names []string
	for _, m := range list.Data {
		if m.ID != "" {
			names = append(names, m.ID)
		}
	}
	return names, nil
}

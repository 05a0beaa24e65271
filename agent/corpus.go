package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// keepCorpora is how many bytes of corpora stay in memory for later runs.
const keepCorpora = 1 << 30

// corpora fetches corpora by hash and keeps them for the runs to come. Runs that
// want the same one at the same time share one fetch.
type corpora struct {
	client stampedev1.AgentServiceClient

	mu   sync.Mutex
	held []*corpus // least recently used first
	keep int64
}

// corpus is one file, there or on its way.
type corpus struct {
	hash  string
	ready chan struct{}
	data  []byte
	err   error
}

// get returns a corpus. A fetch that failed for another run, which may have been
// cancelled, is tried again for this one.
func (c *corpora) get(ctx context.Context, hash string) ([]byte, error) {
	for {
		one, mine := c.claim(hash)
		if mine {
			one.data, one.err = c.fetch(ctx, hash)
			c.settle(one)
		}
		select {
		case <-one.ready:
		case <-ctx.Done():
			return nil, fmt.Errorf("corpus %s: %w", hash, ctx.Err())
		}
		if one.err == nil || mine {
			return one.data, one.err
		}
	}
}

// claim finds a corpus, or makes its fetch the caller's business.
func (c *corpora) claim(hash string) (one *corpus, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, one := range c.held {
		if one.hash == hash {
			c.held = append(append(c.held[:i:i], c.held[i+1:]...), one)
			return one, false
		}
	}
	one = &corpus{hash: hash, ready: make(chan struct{})}
	c.held = append(c.held, one)
	return one, true
}

// settle publishes a fetch. One that failed is forgotten, so that the next run
// tries again; the longest unused make room.
func (c *corpora) settle(one *corpus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(one.ready)
	var kept []*corpus
	total := int64(0)
	for i := len(c.held) - 1; i >= 0; i-- {
		x := c.held[i]
		total += int64(len(x.data))
		if x == one && one.err == nil || x != one && (total <= c.keep || !settled(x)) {
			kept = append([]*corpus{x}, kept...)
		}
	}
	c.held = kept
}

func settled(x *corpus) bool {
	select {
	case <-x.ready:
		return true
	default:
		return false
	}
}

// fetch reads a corpus from the controller and checks that it is the right one.
func (c *corpora) fetch(ctx context.Context, hash string) ([]byte, error) {
	stream, err := c.client.FetchCorpus(ctx, &stampedev1.FetchCorpusRequest{CorpusHash: hash})
	if err != nil {
		return nil, fmt.Errorf("corpus %s: fetch: %w", hash, err)
	}
	var data []byte
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("corpus %s: fetch: %w", hash, err)
		}
		data = append(data, piece.GetData()...)
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != hash {
		return nil, fmt.Errorf("corpus %s: the data that came has the hash %s", hash, got)
	}
	return data, nil
}

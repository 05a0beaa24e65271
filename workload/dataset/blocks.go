package dataset

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// cacheBytes is how many bytes of decompressed blocks a file keeps.
	cacheBytes = 32 << 20
	// maxBlock is the most that a block may decompress to.
	maxBlock = MaxRecordBytes + blockBytes + 16
)

// storedBlocks reads blocks and keeps those used last.
type storedBlocks struct {
	in      io.ReaderAt
	decoder *zstd.Decoder
	most    int64

	mu   sync.Mutex
	held []heldBlock // least recently used first
	size int64
}

type heldBlock struct {
	n   int
	raw []byte
}

func openBlocks(in io.ReaderAt) (storedBlocks, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderLowmem(true))
	if err != nil {
		return storedBlocks{}, fmt.Errorf("corpus file: %w", err)
	}
	return storedBlocks{in: in, decoder: d, most: cacheBytes}, nil
}

// get returns block n decompressed; it is not to be changed.
func (c *storedBlocks) get(n int, b *block) ([]byte, error) {
	if raw := c.find(n); raw != nil {
		return raw, nil
	}
	stored := make([]byte, b.stored)
	if _, err := c.in.ReadAt(stored, b.at); err != nil {
		return nil, fmt.Errorf("corpus file: %w", err)
	}
	raw, err := c.decoder.DecodeAll(stored, make([]byte, 0, min(b.raw, 1<<20)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if int64(len(raw)) != b.raw {
		return nil, fmt.Errorf("%w: a block has %d bytes, its index says %d", ErrFile, len(raw), b.raw)
	}
	c.keep(n, raw)
	return raw, nil
}

func (c *storedBlocks) find(n int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.held) - 1; i >= 0; i-- {
		if h := c.held[i]; h.n == n {
			copy(c.held[i:], c.held[i+1:])
			c.held[len(c.held)-1] = h
			return h.raw
		}
	}
	return nil
}

func (c *storedBlocks) keep(n int, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.held {
		if h.n == n {
			return // another caller was faster
		}
	}
	c.held = append(c.held, heldBlock{n, raw})
	c.size += int64(cap(raw))
	drop := 0
	for c.size > c.most && drop < len(c.held)-1 {
		c.size -= int64(cap(c.held[drop].raw))
		drop++
	}
	if drop > 0 {
		c.held = append([]heldBlock(nil), c.held[drop:]...)
	}
}

package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // git names blobs by it
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// stallTimeout is how long a body may say nothing.
const stallTimeout = 60 * time.Second

// download fetches a blob into a file that a later try goes on with.
type download struct {
	file *file
	meta meta
	part string
	etag string // of the host that sends, which need not be the hub
}

// run fetches until the content is there and right.
func (d *download) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(d.part), 0o755); err != nil {
		return err
	}
	begun := isFile(d.part)
	err := d.whole(ctx)
	if begun && errors.Is(err, errContent) {
		err = d.whole(ctx) // what an earlier process left there may have been wrong
	}
	return err
}

var errContent = errors.New("what came is not what the hub announced")

// whole fetches and checks the content; content that is wrong is deleted.
func (d *download) whole(ctx context.Context) error {
	out, err := os.OpenFile(d.part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := d.file.c.persist(ctx, attempts, func() error { return d.piece(ctx, out) }); err != nil {
		return err
	}
	if err := d.verify(out); err != nil {
		return errors.Join(err, os.Remove(d.part))
	}
	return out.Sync()
}

// piece fetches what is missing, in one answer.
func (d *download) piece(ctx context.Context, out *os.File) error {
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if d.meta.size >= 0 && have == d.meta.size {
		return nil
	}
	if d.meta.size >= 0 && have > d.meta.size {
		have = 0
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := d.file.c.do(ctx, d.request(have))
	if err != nil {
		var status *statusError
		if errors.As(err, &status) && status.status == http.StatusRequestedRangeNotSatisfiable && have > 0 {
			return errors.Join(&networkError{err: errors.New("the host has no more than that")}, out.Truncate(0))
		}
		return err
	}
	defer resp.Body.Close()
	if have, err = d.continues(resp, have); err != nil {
		return err
	}
	if err := out.Truncate(have); err != nil {
		return err
	}
	if _, err := out.Seek(have, io.SeekStart); err != nil {
		return err
	}
	d.etag = resp.Header.Get("ETag")
	return d.copy(ctx, cancel, out, resp.Body, have)
}

// request asks for the commit that was announced, from an offset on.
func (d *download) request(from int64) request {
	f := d.file
	r := request{
		method: http.MethodGet, url: f.c.resolveURL(f.store, d.meta.commit, f.path),
		header: http.Header{"Accept-Encoding": {"identity"}},
	}
	if from > 0 {
		r.header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		if d.etag != "" && !strings.HasPrefix(d.etag, "W/") {
			r.header.Set("If-Range", d.etag)
		}
	}
	return r
}

// continues says where what comes begins: there, or at 0 when all comes again.
func (d *download) continues(resp *http.Response, have int64) (int64, error) {
	switch resp.StatusCode {
	case http.StatusOK:
		return 0, nil
	case http.StatusPartialContent:
		text, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "-")
		if from, err := strconv.ParseInt(text, 10, 64); err != nil || from != have {
			return 0, fmt.Errorf("the host sends another range than was asked for: %.80q", resp.Header.Get("Content-Range"))
		}
		return have, nil
	}
	return 0, fmt.Errorf("the host answers %s", resp.Status)
}

// copy writes what comes and tells how far it is.
func (d *download) copy(ctx context.Context, cancel func(), out io.Writer, in io.Reader, have int64) error {
	stall := time.AfterFunc(stallTimeout, cancel)
	defer stall.Stop()
	buf := make([]byte, 256<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			stall.Reset(stallTimeout)
			if have += int64(n); d.meta.size >= 0 && have > d.meta.size {
				return fmt.Errorf("%w: more than %d bytes", errContent, d.meta.size)
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
			d.tell(have)
		}
		switch {
		case errors.Is(err, io.EOF):
			if d.meta.size >= 0 && have < d.meta.size {
				return &networkError{err: fmt.Errorf("the host ended after %d of %d bytes", have, d.meta.size)}
			}
			return nil
		case err != nil:
			return &networkError{err: fmt.Errorf("after %d bytes: %w", have, err)}
		}
	}
}

func (d *download) tell(done int64) {
	if d.file.c.cfg.Progress != nil {
		d.file.c.cfg.Progress(d.file.name(), done, max(d.meta.size, 0))
	}
}

// verify holds the content against its name: an LFS file is called by its SHA-256,
// any other by git's SHA-1.
func (d *download) verify(out io.ReadSeeker) error {
	size, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if d.meta.size >= 0 && size != d.meta.size {
		return fmt.Errorf("%w: %d bytes instead of %d", errContent, size, d.meta.size)
	}
	var sum hash.Hash
	switch {
	case hexOf(d.meta.etag, 64):
		sum = sha256.New()
	case hexOf(d.meta.etag, 40):
		sum = sha1.New() //nolint:gosec // as above
		fmt.Fprintf(sum, "blob %d\x00", size)
	default:
		return nil // a mirror's own name, which says nothing of the content
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(sum, out); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != d.meta.etag {
		return fmt.Errorf("%w: its checksum is %s instead of %s", errContent, got, d.meta.etag)
	}
	return nil
}

func hexOf(s string, n int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == n
}

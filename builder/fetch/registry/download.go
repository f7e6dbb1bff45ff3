package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// refill is how much has to come before a download that was cut off may fail as often again.
const refill = 256 << 10

// download reads a blob of a registry. Where the connection is lost it asks for the rest (Range, RFC 9110 section 14),
// and skips what it has where the server cannot send just the rest. Where an endpoint gives up, the next one goes on.
type download struct {
	ctx    context.Context
	r      *Repository
	digest blob.Digest
	size   int64
	left   []*endpoint // to ask; the first one now
	failed failures    // of those before
	sent   []*endpoint // who sent something, in order
	body   io.ReadCloser
	off    int64 // bytes read
	fails  int   // in a row
	since  int64 // off at the last failure
}

func (d *download) Read(p []byte) (int, error) {
	for {
		n, err := d.read(p)
		d.count(n)
		if n > 0 || err == nil || err == io.EOF && d.off >= d.size {
			return n, only(err, n)
		}
		if err == io.EOF {
			err = fmt.Errorf("the connection ended after %d of %d bytes: %w", d.off, d.size, io.ErrUnexpectedEOF)
		}
		d.Close()
		if err := d.again(err); err != nil {
			return 0, err
		}
	}
}

// count notes that n bytes came from the endpoint that is asked now.
func (d *download) count(n int) {
	if n == 0 {
		return
	}
	if at := d.left[0]; !slices.Contains(d.sent, at) {
		d.sent = append(d.sent, at)
	}
	d.off += int64(n)
	d.r.c.opts.Progress(int64(n))
}

// again prepares for asking once more after err: the same endpoint or the next one. Its error is that there is no use.
func (d *download) again(err error) error {
	if d.off-d.since >= refill {
		d.fails = 0
	}
	d.since = d.off
	at := d.left[0]
	if d.fails++; d.fails < at.attempts(len(d.left) == 1) && passing(err) && at.pause(d.ctx, d.fails, err) {
		return nil
	}
	at.note(d.ctx, err)
	err = at.explain(d.ctx, err)
	if d.ctx.Err() != nil {
		return err
	}
	d.failed = append(d.failed, failure{at, err})
	if len(d.left) == 1 {
		return d.r.failed(d.failed)
	}
	d.left, d.fails = d.left[1:], 0
	return nil
}

// only is err where nothing was read: what was read comes first, and the same error again.
func only(err error, n int) error {
	if n > 0 {
		return nil
	}
	return err
}

func (d *download) read(p []byte) (int, error) {
	if d.body == nil {
		if len(d.left) == 0 {
			return 0, d.r.failed(d.failed)
		}
		if err := d.open(); err != nil {
			return 0, err
		}
	}
	return d.body.Read(p)
}

// open asks for the blob from off on.
func (d *download) open() error {
	header := http.Header{}
	if d.off > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.off, d.size-1))
	}
	res, err := d.left[0].get(d.ctx, "blobs/"+string(d.digest), header)
	if err != nil {
		return err
	}
	d.body = res.Body
	if res.StatusCode == http.StatusPartialContent {
		if got := res.Header.Get("Content-Range"); !strings.HasPrefix(got, fmt.Sprintf("bytes %d-", d.off)) {
			return report.Errorf(report.Unavailable, "the registry sends %.100q where the bytes from %d on were asked for", got, d.off)
		}
		return nil
	}
	if res.ContentLength >= 0 && res.ContentLength != d.size {
		return report.Errorf(report.Unavailable, "the registry has %d bytes of it, and its descriptor says %d", res.ContentLength, d.size)
	}
	_, err = io.CopyN(io.Discard, res.Body, d.off)
	return err
}

// Close gives up the connection.
func (d *download) Close() error {
	if d.body == nil {
		return nil
	}
	err := d.body.Close()
	d.body = nil
	return err
}

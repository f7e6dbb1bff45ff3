package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// refill is how much has to come before a download that was cut off may fail as often again.
const refill = 256 << 10

// download reads a blob of a registry. Where the connection is lost it asks for the rest (Range, RFC 9110 section 14),
// and skips what it has where the server cannot send just the rest.
type download struct {
	ctx   context.Context
	r     registry
	d     descriptor
	body  io.ReadCloser
	off   int64 // bytes read
	fails int   // in a row
	since int64 // off at the last failure
}

func (d *download) Read(p []byte) (int, error) {
	for {
		n, err := d.read(p)
		d.off += int64(n)
		d.r.c.opts.Progress(int64(n))
		if n > 0 || err == nil || err == io.EOF && d.off >= d.d.Size {
			return n, only(err, n)
		}
		if err == io.EOF {
			err = fmt.Errorf("the connection ended after %d of %d bytes: %w", d.off, d.d.Size, io.ErrUnexpectedEOF)
		}
		d.Close()
		if d.off-d.since >= refill {
			d.fails = 0
		}
		d.since = d.off
		if d.fails++; d.fails >= d.r.c.opts.Attempts || !passing(err) || !d.r.pause(d.ctx, d.fails, err) {
			return 0, d.r.explain(d.ctx, err)
		}
	}
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
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.off, d.d.Size-1))
	}
	res, err := d.r.get(d.ctx, "blobs/"+string(d.d.Digest), header)
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
	if res.ContentLength >= 0 && res.ContentLength != d.d.Size {
		return report.Errorf(report.Unavailable, "the registry has %d bytes of it, and its descriptor says %d", res.ContentLength, d.d.Size)
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

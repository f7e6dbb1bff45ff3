package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// registry is a repository of a registry (distribution-spec, "Pull"), and everywhere it may be had from.
type registry struct {
	c         *Client
	ref       reference.Reference
	host      string // of the registry, as rules name it
	endpoints []*endpoint
}

func (c *Client) registry(r reference.Reference) (source, error) {
	repo, err := r.Repository(c.opts.Insecure || r.Scheme == reference.PlainHTTP)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	host, _, _ := strings.Cut(r.Name, "/")
	out := registry{c: c, ref: r, host: host}
	for _, place := range c.opts.Registries.Endpoints(host) {
		e, err := c.endpoint(r, repo, place)
		if err != nil {
			return nil, report.Errorf(report.Invalid, "%s: %w", place.URL, err)
		}
		out.endpoints = append(out.endpoints, e)
	}
	return out, nil
}

// order is the endpoints as configured, those last that were found to be down.
func (r registry) order() []*endpoint {
	out := slices.Clone(r.endpoints)
	slices.SortStableFunc(out, func(a, b *endpoint) int {
		switch down := r.c.isDown; {
		case down(a) == down(b):
			return 0
		case down(a):
			return 1
		}
		return -1
	})
	return out
}

// each asks one endpoint after another until one gives what do wants of it.
func (r registry) each(ctx context.Context, do func(*endpoint) error) error {
	var all failures
	endpoints := r.order()
	for i, e := range endpoints {
		err := e.retry(ctx, i == len(endpoints)-1, func() error { return do(e) })
		if err == nil || ctx.Err() != nil {
			return err
		}
		all = append(all, failure{e, err})
	}
	return r.failed(all)
}

// failure is why an endpoint did not give something.
type failure struct {
	*endpoint
	err error
}

type failures []failure

// failed is one error of all: that there is none where every endpoint said so.
func (r registry) failed(all failures) error {
	switch len(all) {
	case 0:
		return report.WithHint(report.Errorf(report.Unavailable, "the registry configuration lets nobody serve images of %s", r.host),
			"give its mirror endpoints, or leave out skipFallback")
	case 1:
		return all[0].err
	}
	kind, hint := report.NotFound, ""
	parts := make([]string, len(all))
	for i, f := range all {
		if report.KindOf(f.err) != report.NotFound {
			kind = report.Unavailable
		}
		if h := report.HintOf(f.err); h != "" {
			hint = h
		}
		parts[i] = fmt.Sprintf("%s: %v", f.URL, f.err)
	}
	err := report.Errorf(kind, "none of %d endpoints gives it: %s", len(all), strings.Join(parts, "; "))
	if hint != "" {
		err = report.WithHint(err, "%s", hint)
	}
	return err
}

func (r registry) roots(ctx context.Context) ([]descriptor, error) {
	if r.ref.Digest != "" {
		return []descriptor{{Digest: r.ref.Digest, Size: unknown}}, nil
	}
	tag := r.ref.Tag
	if tag == "" {
		tag = "latest"
	}
	d, err := r.tagged(ctx, tag)
	return []descriptor{d}, err
}

// tagged is the manifest or index that a tag names now. What is neither counts as no answer: a mirror that is a web server
// says much.
func (r registry) tagged(ctx context.Context, tag string) (descriptor, error) {
	var d descriptor
	err := r.each(ctx, func(at *endpoint) error {
		body, err := at.getManifest(ctx, tag)
		if err != nil {
			return err
		}
		defer body.Close()
		e, err := r.c.store.Put(ctx, "", unknown, body)
		if err != nil {
			return err
		}
		d = descriptor{Digest: e.Digest, Size: e.Blob.Size()}
		p, err := readSmall(e.Blob)
		if err == nil {
			_, err = parseManifest(p, "")
		}
		return err
	})
	return d, err
}

func (r registry) manifest(ctx context.Context, d descriptor) (blob.Blob, error) {
	if b, err := r.c.store.Blob(ctx, d.Digest); report.KindOf(err) != report.NotFound {
		return b, err
	}
	var e store.Entry
	err := r.each(ctx, func(at *endpoint) (err error) {
		e, err = r.c.store.Obtain(ctx, d.Digest, d.Size, func(ctx context.Context) (io.ReadCloser, error) {
			return at.getManifest(ctx, string(d.Digest))
		})
		return err
	})
	return e.Blob, err
}

// blob downloads from the first endpoint that works. Where the content turns out to be wrong, it is downloaded again without
// the endpoint that it began with, as long as there are others.
func (r registry) blob(ctx context.Context, d descriptor) (blob.Blob, error) {
	endpoints, all := r.order(), failures(nil)
	for {
		var from *download
		e, err := r.c.store.Obtain(ctx, d.Digest, d.Size, func(ctx context.Context) (io.ReadCloser, error) {
			from = &download{ctx: ctx, r: r, d: d, left: endpoints, failed: all}
			return from, nil
		})
		if !errors.Is(err, store.ErrContent) || from == nil || len(from.sent) == 0 {
			return e.Blob, err
		}
		wrong := from.sent[0]
		all = append(all, failure{wrong, served(err)})
		endpoints = slices.DeleteFunc(slices.Clone(endpoints), func(e *endpoint) bool { return e == wrong })
		if len(endpoints) == 0 {
			return nil, r.failed(all)
		}
	}
}

// served blames wrong content on the registry, where the store blames whoever hands it in.
func served(err error) error {
	if !errors.Is(err, store.ErrContent) {
		return err
	}
	return report.Errorf(report.Unavailable, "the registry serves %w", err)
}

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Repository is a repository, and everywhere it may be had from.
type Repository struct {
	c         *Client
	host      string // of the registry, as rules name it
	endpoints []*endpoint
}

// Repository is what r names, of which tag and digest are ignored.
func (c *Client) Repository(r reference.Reference) (*Repository, error) {
	repo, err := r.Repository(c.insecure(r))
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	host, _, _ := strings.Cut(r.Name, "/")
	out := &Repository{c: c, host: host}
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
func (r *Repository) order() []*endpoint {
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
func (r *Repository) each(ctx context.Context, do func(*endpoint) error) error {
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
func (r *Repository) failed(all failures) error {
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

// Tagged is the manifest that a tag names now. What check refuses counts as no answer: a mirror that is a web server says much.
func (r *Repository) Tagged(ctx context.Context, tag string, check func([]byte) error) (store.Entry, error) {
	var out store.Entry
	err := r.each(ctx, func(at *endpoint) error {
		p, err := at.readManifest(ctx, tag)
		if err == nil {
			err = check(p)
		}
		if err == nil {
			out, err = r.c.store.Put(ctx, "", -1, bytes.NewReader(p))
		}
		return err
	})
	return out, err
}

// Manifest is a manifest by digest; a negative size is not known.
func (r *Repository) Manifest(ctx context.Context, d blob.Digest, size int64) (blob.Blob, error) {
	if b, err := r.c.store.Blob(ctx, d); report.KindOf(err) != report.NotFound {
		return b, err
	}
	var e store.Entry
	err := r.each(ctx, func(at *endpoint) (err error) {
		e, err = r.c.store.Obtain(ctx, d, size, func(ctx context.Context) (io.ReadCloser, error) {
			return at.getManifest(ctx, string(d))
		})
		return err
	})
	return e.Blob, err
}

// Referrers is the index of what refers to a digest (distribution-spec 1.1, "Listing Referrers"), or an error of kind NotFound
// from a registry that has no such API. What check refuses counts as no answer.
func (r *Repository) Referrers(ctx context.Context, d blob.Digest, check func([]byte) error) error {
	return r.each(ctx, func(at *endpoint) error {
		body, err := at.getSmall(ctx, "referrers/"+string(d), string(types.OCIImageIndex))
		if err != nil {
			return lacksAPI(err)
		}
		defer body.Close()
		p, err := io.ReadAll(body)
		if err == nil {
			err = check(p)
		}
		return err
	})
}

// Blob downloads from the first endpoint that works. Where the content turns out to be wrong, it is downloaded again without
// the endpoint that it began with, as long as there are others.
func (r *Repository) Blob(ctx context.Context, d blob.Digest, size int64) (blob.Blob, error) {
	endpoints, all := r.order(), failures(nil)
	for {
		var from *download
		e, err := r.c.store.Obtain(ctx, d, size, func(ctx context.Context) (io.ReadCloser, error) {
			from = &download{ctx: ctx, r: r, digest: d, size: size, left: endpoints, failed: all}
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

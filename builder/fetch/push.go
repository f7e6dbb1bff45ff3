package fetch

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Push puts an image into the registry that r names, under its tag or "latest", and returns the digest of its manifest. What
// the tag named before is replaced. Mirrors have no part in it, their registry's TLS and credentials have. Of config and layers,
// Digest, Size, MediaType and Blob are needed. Errors name r and have the kinds of Open.
func (c *Client) Push(ctx context.Context, r reference.Reference, config Layer, layers []Layer) (blob.Digest, error) {
	d, err := c.push(ctx, r, config, layers)
	return d, within(ctx, r, err)
}

func (c *Client) push(ctx context.Context, r reference.Reference, config Layer, layers []Layer) (blob.Digest, error) {
	if !r.Remote() || r.Digest != "" {
		return "", report.Errorf(report.Invalid, "images are pushed to a repository of a registry and a tag")
	}
	text, err := marshal(config, layers)
	if err != nil {
		return "", err
	}
	at, err := c.origin(r)
	if err != nil {
		return "", err
	}
	auth, err := at.auth(ctx)
	if err != nil {
		return "", report.Errorf(report.Invalid, "credentials for %s: %w", at.URL.Host, err)
	}
	p, err := remote.NewPusher(remote.WithTransport(at.base()), remote.WithAuth(auth), remote.WithContext(ctx))
	if err != nil {
		return "", err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.opts.Parallel)
	for _, l := range append([]Layer{config}, layers...) {
		g.Go(func() error { return p.Upload(gctx, at.repo, upload{l, c.opts.Progress}) })
	}
	if err := g.Wait(); err != nil {
		return "", at.explain(ctx, err)
	}
	// The manifest comes last: a tag never names what is not there.
	err = p.Put(ctx, tag(at.repo, r.Tag), raw(text))
	return blob.SumBytes(text), at.explain(ctx, err)
}

// origin is the registry itself.
func (c *Client) origin(r reference.Reference) (*endpoint, error) {
	repo, err := r.Repository(c.opts.Insecure || r.Scheme == reference.PlainHTTP)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	host, _, _ := strings.Cut(r.Name, "/")
	return c.endpoint(r, repo, c.opts.Registries.Origin(host))
}

func tag(repo name.Repository, tag string) name.Tag {
	if tag == "" {
		tag = "latest"
	}
	return repo.Tag(tag)
}

// marshal is the manifest, the same as builder/base/oci writes for the same image.
func marshal(config Layer, layers []Layer) ([]byte, error) {
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	var err error
	if m.Config, err = config.descriptor(); err != nil {
		return nil, err
	}
	for _, l := range layers {
		d, err := l.descriptor()
		if err != nil {
			return nil, err
		}
		m.Layers = append(m.Layers, d)
	}
	return json.Marshal(m)
}

func (l Layer) descriptor() (v1.Descriptor, error) {
	h, err := v1.NewHash(string(l.Digest))
	return v1.Descriptor{MediaType: types.MediaType(l.MediaType), Size: l.Size, Digest: h, Annotations: l.Annotations}, err
}

// upload is a Layer as the registry client wants it.
type upload struct {
	Layer
	progress func(int64)
}

func (u upload) Digest() (v1.Hash, error)             { return v1.NewHash(string(u.Layer.Digest)) }
func (u upload) DiffID() (v1.Hash, error)             { return u.Digest() }
func (u upload) Size() (int64, error)                 { return u.Layer.Size, nil }
func (u upload) MediaType() (types.MediaType, error)  { return types.MediaType(u.Layer.MediaType), nil }
func (u upload) Uncompressed() (io.ReadCloser, error) { return u.Compressed() }
func (u upload) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(told{blob.Reader(u.Blob), u.progress}), nil
}

// told tells what is read.
type told struct {
	r    io.Reader
	tell func(int64)
}

func (t told) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.tell(int64(n))
	return n, err
}

// raw is a manifest as the registry client wants it.
type raw []byte

func (r raw) RawManifest() ([]byte, error)        { return r, nil }
func (r raw) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

package registry

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Piece is a blob to push.
type Piece struct {
	Digest    blob.Digest
	MediaType string
	Content   blob.Blob
}

// Push puts an image into the registry that r names, under its tag, or "latest" if that is empty. What the tag named before is
// replaced. Mirrors have no part in it, their registry's TLS and credentials have.
func (c *Client) Push(ctx context.Context, r reference.Reference, manifest []byte, pieces []Piece) error {
	repo, err := r.Repository(c.insecure(r))
	if err != nil {
		return report.Errorf(report.Invalid, "%w", err)
	}
	host, _, _ := strings.Cut(r.Name, "/")
	at, err := c.endpoint(r, repo, c.opts.Registries.Origin(host))
	if err != nil {
		return err
	}
	auth, err := at.auth(ctx)
	if err != nil {
		return report.Errorf(report.Invalid, "credentials for %s: %w", at.URL.Host, err)
	}
	p, err := remote.NewPusher(remote.WithTransport(at.base()), remote.WithAuth(auth), remote.WithContext(ctx))
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.opts.Parallel)
	for _, piece := range pieces {
		g.Go(func() error { return p.Upload(gctx, at.repo, upload{piece, c.opts.Progress}) })
	}
	if err := g.Wait(); err != nil {
		return at.explain(ctx, err)
	}
	// The manifest comes last: a tag never names what is not there.
	return at.explain(ctx, p.Put(ctx, at.repo.Tag(r.TagOrLatest()), raw(manifest)))
}

// upload is a Piece as the registry client wants it.
type upload struct {
	Piece
	progress func(int64)
}

func (u upload) Digest() (v1.Hash, error)             { return v1.NewHash(string(u.Piece.Digest)) }
func (u upload) DiffID() (v1.Hash, error)             { return u.Digest() }
func (u upload) Size() (int64, error)                 { return u.Content.Size(), nil }
func (u upload) MediaType() (types.MediaType, error)  { return types.MediaType(u.Piece.MediaType), nil }
func (u upload) Uncompressed() (io.ReadCloser, error) { return u.Compressed() }
func (u upload) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(told{blob.Reader(u.Content), u.progress}), nil
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

// raw is a manifest, or an index of some, as the registry client wants it.
type raw []byte

func (r raw) RawManifest() ([]byte, error) { return r, nil }

func (r raw) MediaType() (types.MediaType, error) {
	var m struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	err := json.Unmarshal(r, &m)
	return m.MediaType, err
}

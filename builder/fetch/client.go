package fetch

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/builder/fetch/registry"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/signature"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/registries"
)

// Options are for New; the zero value uses the user's docker credentials and TLS.
type Options struct {
	Registries *registries.Rules // mirrors, TLS and credentials; nil means none
	Keychain   authn.Keychain    // credentials of hosts that Registries knows none for; nil means docker's and podman's configuration
	Keys       []signature.Key   // where there are any, an image that none of them signed is refused
	Insecure   bool              // let every registry be plain http, not just those written http://
	Transport  http.RoundTripper // nil means http.DefaultTransport
	Attempts   int               // for each request that fails in passing; zero means 5
	Pause      time.Duration     // before the second attempt, doubled before each further one; zero means 500 ms
	Stall      time.Duration     // without a byte, after which a connection is given up; zero means 60 s
	Parallel   int               // blobs at a time; zero means 4
	Progress   func(bytes int64) // told of each piece downloaded, from several goroutines; may be nil
}

// Client finds and opens images. It is safe for concurrent use.
type Client struct {
	store  *store.Store
	opts   Options
	remote *registry.Client

	mu      sync.Mutex
	signers map[blob.Digest]blob.Digest // IDs of keys, by image that was verified
}

// New returns a Client that keeps what it downloads in s and reads files through it.
func New(s *store.Store, opts Options) *Client {
	if opts.Parallel <= 0 {
		opts.Parallel = 4
	}
	remote := registry.New(s, registry.Options{
		Registries: opts.Registries, Keychain: opts.Keychain, Insecure: opts.Insecure, Transport: opts.Transport,
		Attempts: opts.Attempts, Pause: opts.Pause, Stall: opts.Stall, Parallel: opts.Parallel, Progress: opts.Progress,
	})
	return &Client{store: s, opts: opts, remote: remote, signers: map[blob.Digest]blob.Digest{}}
}

// Image is an image whose every byte that can be read here was verified. Its Blobs belong to the Client's store.
type Image struct {
	Locked      reference.Locked
	Manifest    []byte
	Annotations map[string]string
	Config      Layer
	Layers      []Layer
}

// Layer is one part of an image.
type Layer struct {
	Digest      blob.Digest
	Size        int64 // bytes
	MediaType   string
	Title       string // file name of a raw part, a clean relative path; may be empty, else no other layer has it
	Annotations map[string]string
	Blob        blob.Blob // nil where OpenSome was not asked for it
}

// source is where manifests and blobs come from.
type source interface {
	// roots are the manifests and indexes that the reference means.
	roots(ctx context.Context) ([]descriptor, error)
	// manifest and blob are content by descriptor, of the digest it names.
	manifest(ctx context.Context, d descriptor) (blob.Blob, error)
	blob(ctx context.Context, d descriptor) (blob.Blob, error)
	// attached are images that may hold signatures of what has the digest.
	attached(ctx context.Context, d blob.Digest) ([]descriptor, error)
}

func (c *Client) source(r reference.Reference) (source, error) {
	switch r.Scheme {
	case reference.Layout:
		return layout{c.store, r}, nil
	case reference.Archive:
		return archive{c.store, r}, nil
	case reference.Folder:
		return folder{c.store, r}, nil
	}
	repo, err := c.remote.Repository(r)
	return remote{repo, r}, err
}

// Open opens a locked image, downloading what is neither on disk nor in the store. Errors are of kind NotFound (the
// image, or a blob of it, is not there), Unavailable (the registry or the disk failed), Invalid or Unsupported (what is
// there is wrong), and name the reference and the digest.
func (c *Client) Open(ctx context.Context, l reference.Locked) (*Image, error) {
	return c.OpenSome(ctx, l, func(Layer) bool { return true })
}

// OpenSome is Open that neither looks for nor downloads the layers that want refuses. It sees them without their Blobs.
func (c *Client) OpenSome(ctx context.Context, l reference.Locked, want func(Layer) bool) (*Image, error) {
	im, err := c.open(ctx, l, want)
	return im, within(ctx, l.Reference, err)
}

func (c *Client) open(ctx context.Context, l reference.Locked, want func(Layer) bool) (*Image, error) {
	if l.Digest == "" {
		return nil, report.Errorf(report.Invalid, "is not locked")
	}
	src, err := c.source(l.Reference)
	if err != nil {
		return nil, err
	}
	if err := c.verifyLocked(ctx, src, l); err != nil {
		return nil, err
	}
	m, p, err := readManifest(ctx, src, descriptor{Digest: l.Digest, Size: unknown})
	if err != nil {
		return nil, err
	}
	if m.isIndex() {
		return nil, report.Errorf(report.Invalid, "%s is an index, not an image", l.Digest)
	}
	im := &Image{Locked: l, Manifest: p, Annotations: m.Annotations, Config: m.Config.layer(), Layers: make([]Layer, len(m.Layers))}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.opts.Parallel)
	fill := func(to *Layer, d descriptor) {
		g.Go(func() (err error) {
			to.Blob, err = content(gctx, src.blob, d)
			return err
		})
	}
	fill(&im.Config, *m.Config)
	for i, d := range m.Layers {
		im.Layers[i] = d.layer()
		if want(im.Layers[i]) {
			fill(&im.Layers[i], d)
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return im, nil
}

// content is what get gives for d, of the length that d says.
func content(ctx context.Context, get func(context.Context, descriptor) (blob.Blob, error), d descriptor) (blob.Blob, error) {
	b, err := get(ctx, d)
	if err == nil && d.Size != unknown && b.Size() != d.Size {
		err = report.Errorf(report.Invalid, "it has %d bytes, and its descriptor says %d", b.Size(), d.Size)
	}
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%s: %w", d.Digest, err)
	}
	return b, nil
}

// readManifest is the manifest or index that d refers to, and its bytes.
func readManifest(ctx context.Context, src source, d descriptor) (*manifest, []byte, error) {
	b, err := content(ctx, src.manifest, d)
	if err != nil {
		return nil, nil, err
	}
	p, err := readSmall(b)
	if err != nil {
		return nil, nil, report.Errorf(report.KindOf(err), "manifest %s: %w", d.Digest, err)
	}
	m, err := parseManifest(p, d.MediaType)
	if err != nil {
		return nil, nil, report.Errorf(report.KindOf(err), "%s: %w", d.Digest, err)
	}
	return m, p, nil
}

// readSmall reads what may be maxManifest bytes.
func readSmall(b blob.Blob) ([]byte, error) {
	if b.Size() > maxManifest {
		return nil, report.Errorf(report.Invalid, "%d bytes, more than the %d allowed", b.Size(), maxManifest)
	}
	p, err := blob.ReadAll(b, maxManifest)
	if err != nil {
		return nil, report.Errorf(report.Unavailable, "%w", err)
	}
	return p, nil
}

// within names the reference that err is about, and gives what ctx ended its kind.
func within(ctx context.Context, r reference.Reference, err error) error {
	if err == nil {
		return nil
	}
	kind := report.KindOf(err)
	if ctx.Err() != nil {
		kind = report.Canceled
	}
	return report.Errorf(kind, "%s: %w", r, err)
}

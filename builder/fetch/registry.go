package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/fetch/stall"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// registry is a repository of a registry (distribution-spec, "Pull").
type registry struct {
	c    *Client
	ref  reference.Reference
	repo name.Repository
	http bool // plain http was asked for
}

func (c *Client) registry(r reference.Reference) (source, error) {
	insecure := c.opts.Insecure || r.Scheme == reference.PlainHTTP
	repo, err := r.Repository(insecure)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	return registry{c, r, repo, insecure}, nil
}

func (r registry) roots(ctx context.Context) ([]descriptor, error) {
	if r.ref.Digest != "" {
		return []descriptor{{Digest: r.ref.Digest, Size: unknown}}, nil
	}
	tag := r.ref.Tag
	if tag == "" {
		tag = "latest"
	}
	var d descriptor
	err := r.retry(ctx, func() error {
		body, err := r.getManifest(ctx, tag)
		if err != nil {
			return err
		}
		defer body.Close()
		e, err := r.c.store.Put(ctx, "", unknown, body)
		if err == nil {
			d = descriptor{Digest: e.Digest, Size: e.Blob.Size()}
		}
		return err
	})
	return []descriptor{d}, err
}

func (r registry) manifest(ctx context.Context, d descriptor) (blob.Blob, error) {
	var e store.Entry
	err := r.retry(ctx, func() (err error) {
		e, err = r.c.store.Obtain(ctx, d.Digest, d.Size, func(ctx context.Context) (io.ReadCloser, error) {
			return r.getManifest(ctx, string(d.Digest))
		})
		return err
	})
	return e.Blob, err
}

func (r registry) blob(ctx context.Context, d descriptor) (blob.Blob, error) {
	e, err := r.c.store.Obtain(ctx, d.Digest, d.Size, func(ctx context.Context) (io.ReadCloser, error) {
		return &download{ctx: ctx, r: r, d: d}, nil
	})
	return e.Blob, served(err)
}

// served blames wrong content on the registry, where the store blames whoever hands it in.
func served(err error) error {
	if !errors.Is(err, store.ErrContent) {
		return err
	}
	return report.Errorf(report.Unavailable, "the registry serves %w", err)
}

// getManifest is a manifest by tag or digest, cut off with an error behind maxManifest bytes.
func (r registry) getManifest(ctx context.Context, which string) (io.ReadCloser, error) {
	accept := []string{string(types.OCIImageIndex), string(types.OCIManifestSchema1), string(types.DockerManifestList), string(types.DockerManifestSchema2)}
	res, err := r.get(ctx, "manifests/"+which, http.Header{"Accept": {strings.Join(accept, ", ")}})
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{&capped{res.Body, maxManifest}, res.Body}, nil
}

// capped is a reader that fails, rather than ends, behind n bytes.
type capped struct {
	r io.Reader
	n int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n -= int64(n); c.n < 0 {
		return 0, report.Errorf(report.Unsupported, "a manifest of more than %d bytes", maxManifest)
	}
	return n, err
}

// get asks for something of the repository. The body of the response fails where nothing comes for Options.Stall.
func (r registry) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	watch := stall.New(ctx, r.c.opts.Stall)
	res, err := r.send(watch.Context, path, header)
	if err != nil {
		err = watch.Blame(err)
		watch.Stop()
		return nil, err
	}
	watch.ReadCloser = res.Body
	res.Body = watch
	return res, nil
}

func (r registry) send(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	session, err := r.session(ctx)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: r.repo.Scheme(), Host: r.repo.RegistryStr(), Path: "/v2/" + r.repo.RepositoryStr() + "/" + path}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	// Content is asked for by the digest of its bytes; an encoding on the way would only have to be undone.
	req.Header.Set("Accept-Encoding", "identity")
	res, err := (&http.Client{Transport: session}).Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			e.URL, _, _ = strings.Cut(e.URL, "?") // a redirect's query may be a credential
		}
		return nil, err
	}
	if err := transport.CheckError(res, http.StatusOK, http.StatusPartialContent); err != nil {
		res.Body.Close()
		return nil, retryAfter{err, res.Header.Get("Retry-After")}
	}
	return res, nil
}

// session is the transport that is logged in to the repository.
func (r registry) session(ctx context.Context) (http.RoundTripper, error) {
	key := r.ref.Name + " " + strconv.FormatBool(r.http)
	r.c.mu.Lock()
	t := r.c.sessions[key]
	r.c.mu.Unlock()
	if t != nil {
		return t, nil
	}
	auth, err := authn.Resolve(ctx, r.c.opts.Keychain, r.repo)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "credentials for %s: %w", r.repo.RegistryStr(), err)
	}
	base := transport.NewUserAgent(guard{r.c.opts.Transport, r.http}, "bootwright")
	t, err = transport.NewWithContext(ctx, r.repo.Registry, auth, base, []string{r.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	r.c.mu.Lock()
	r.c.sessions[key] = t
	r.c.mu.Unlock()
	return t, nil
}

// guard refuses plain http that nobody asked for: the registry client would try it for local addresses, and a redirect
// may lead there.
type guard struct {
	http.RoundTripper
	allowed bool
}

var errPlain = errors.New("plain http was not asked for")

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !g.allowed {
		return nil, errPlain
	}
	return g.RoundTripper.RoundTrip(req)
}

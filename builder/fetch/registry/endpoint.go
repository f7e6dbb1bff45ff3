package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/fetch/stall"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/registries"
)

// endpoint is one place that a repository may be had from.
type endpoint struct {
	registries.Endpoint
	c      *Client
	ref    reference.Reference
	repo   name.Repository // as the reference names it
	target name.Registry   // the host that is asked
	http   bool            // plain http was asked for
}

func (c *Client) endpoint(r reference.Reference, repo name.Repository, place registries.Endpoint) (*endpoint, error) {
	e := &endpoint{Endpoint: place, c: c, ref: r, repo: repo, http: place.URL.Scheme == "http"}
	if place.Origin && c.insecure(r) {
		e.http = true
	}
	var opts []name.Option
	if e.http {
		opts = append(opts, name.Insecure)
	}
	var err error
	e.target, err = name.NewRegistry(place.URL.Host, opts...)
	return e, err
}

// getManifest is a manifest by tag or digest, cut off with an error behind MaxManifest bytes.
func (e *endpoint) getManifest(ctx context.Context, which string) (io.ReadCloser, error) {
	accept := []string{string(types.OCIImageIndex), string(types.OCIManifestSchema1), string(types.DockerManifestList), string(types.DockerManifestSchema2)}
	return e.getSmall(ctx, "manifests/"+which, strings.Join(accept, ", "))
}

func (e *endpoint) readManifest(ctx context.Context, which string) ([]byte, error) {
	body, err := e.getManifest(ctx, which)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

func (e *endpoint) getSmall(ctx context.Context, path, accept string) (io.ReadCloser, error) {
	res, err := e.get(ctx, path, http.Header{"Accept": {accept}})
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{&capped{res.Body, MaxManifest}, res.Body}, nil
}

// capped is a reader that fails, rather than ends, behind n bytes.
type capped struct {
	r io.Reader
	n int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n -= int64(n); c.n < 0 {
		return 0, report.Errorf(report.Unsupported, "a manifest of more than %d bytes", MaxManifest)
	}
	return n, err
}

// get asks for something of the repository. The body of the response fails where nothing comes for Options.Stall.
func (e *endpoint) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	watch := stall.New(ctx, e.c.opts.Stall)
	res, err := e.send(watch.Context, path, header)
	if err != nil {
		err = watch.Blame(err)
		watch.Stop()
		return nil, err
	}
	watch.ReadCloser = res.Body
	res.Body = watch
	return res, nil
}

func (e *endpoint) send(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	session, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	u := e.url(path)
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

// url is where something of the repository is. Mirrors of several registries are told which one is meant, as containerd does.
func (e *endpoint) url(path string) *url.URL {
	u := *e.URL
	u.Path += "/" + e.repo.RepositoryStr() + "/" + path
	if !e.Origin {
		host, _, _ := strings.Cut(e.ref.Name, "/")
		u.RawQuery = url.Values{"ns": {host}}.Encode()
	}
	return &u
}

// session is the transport that is logged in to the repository.
func (e *endpoint) session(ctx context.Context) (http.RoundTripper, error) {
	key := e.URL.String() + " " + e.ref.Name
	e.c.mu.Lock()
	t := e.c.sessions[key]
	e.c.mu.Unlock()
	if t != nil {
		return t, nil
	}
	auth, err := e.auth(ctx)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "credentials for %s: %w", e.URL.Host, err)
	}
	t, err = transport.NewWithContext(ctx, e.target, auth, e.base(), []string{e.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	e.c.mu.Lock()
	e.c.sessions[key] = t
	e.c.mu.Unlock()
	return t, nil
}

// base is the transport below the login.
func (e *endpoint) base() http.RoundTripper {
	var t http.RoundTripper = guard{e.c.transport, e.http}
	if e.URL.Path != "/v2" {
		t = greeting{t, e}
	}
	return transport.NewUserAgent(t, "bootwright")
}

// auth is who to be there: what the configuration says of the host, else the user's own credentials.
func (e *endpoint) auth(ctx context.Context) (authn.Authenticator, error) {
	if a := e.Host.Auth; a != nil {
		return authn.FromConfig(authn.AuthConfig{Username: a.Username, Password: a.Password, Auth: a.Auth, IdentityToken: a.IdentityToken}), nil
	}
	if e.Origin {
		return authn.Resolve(ctx, e.c.opts.Keychain, e.repo)
	}
	return authn.Resolve(ctx, e.c.opts.Keychain, e.target)
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

// greeting is for endpoints below a path of their own, where /v2/ of the host says nothing: what asks for credentials is the
// repository itself, whether or not the image is there.
type greeting struct {
	http.RoundTripper
	at *endpoint
}

func (g greeting) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path != "/v2/" || req.URL.Host != g.at.URL.Host {
		return g.RoundTripper.RoundTrip(req)
	}
	u := g.at.url("manifests/latest")
	u.Scheme = req.URL.Scheme
	req = req.Clone(req.Context())
	req.Method, req.URL = http.MethodHead, u
	res, err := g.RoundTripper.RoundTrip(req)
	if err == nil && res.StatusCode < 500 && res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusTooManyRequests {
		res.StatusCode = http.StatusOK
	}
	return res, err
}

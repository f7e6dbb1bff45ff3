// Package registry talks to registries (OCI distribution-spec 1.1): it pulls manifests and blobs into a store, each verified by
// digest and length, and pushes images.
//
// Where a repository is asked for is for Options.Registries to say: mirrors in their order, then the registry itself (containerd's
// docs/hosts.md for the parameter ns). What an endpoint does not give, or gives wrong, is asked of the next; a download goes on
// there where it was cut off. One that was down is asked last from then on. Requests that fail in passing are repeated with
// growing pauses. TLS settings and credentials stay with their host.
//
// Manifests are not interpreted. Left out are mounting blobs from other repositories, uploads in chunks, and deleting.
package registry

import (
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/machine/registries"
)

// MaxManifest is how long a manifest may be, in bytes.
const MaxManifest = 4 << 20

// Options are for New; the zero value uses the user's docker credentials and TLS.
type Options struct {
	Registries *registries.Rules // mirrors, TLS and credentials; nil means none
	Keychain   authn.Keychain    // credentials of hosts that Registries knows none for; nil means docker's and podman's configuration
	Insecure   bool              // let every registry be plain http, not just those written http://
	Transport  http.RoundTripper // nil means http.DefaultTransport
	Attempts   int               // for each request that fails in passing; zero means 5
	Pause      time.Duration     // before the second attempt, doubled before each further one; zero means 500 ms
	Stall      time.Duration     // without a byte, after which a connection is given up; zero means 60 s
	Parallel   int               // uploads at a time; zero means 4
	Progress   func(bytes int64) // told of each piece that is sent or received, from several goroutines; may be nil
}

// Client talks to registries. It is safe for concurrent use.
type Client struct {
	store     *store.Store
	opts      Options
	transport http.RoundTripper

	mu       sync.Mutex
	sessions map[string]http.RoundTripper // by endpoint and repository, logged in
	down     map[string]bool              // endpoints that did not work
}

// New returns a Client that keeps what it downloads in s.
func New(s *store.Store, opts Options) *Client {
	if opts.Keychain == nil {
		opts.Keychain = authn.DefaultKeychain
	}
	if opts.Attempts <= 0 {
		opts.Attempts = 5
	}
	if opts.Pause <= 0 {
		opts.Pause = 500 * time.Millisecond
	}
	if opts.Stall <= 0 {
		opts.Stall = time.Minute
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 4
	}
	if opts.Progress == nil {
		opts.Progress = func(int64) {}
	}
	return &Client{
		store: s, opts: opts, transport: newTransport(opts.Transport, opts.Registries),
		sessions: map[string]http.RoundTripper{}, down: map[string]bool{},
	}
}

// insecure reports whether plain http was asked for.
func (c *Client) insecure(r reference.Reference) bool {
	return c.opts.Insecure || r.Scheme == reference.PlainHTTP
}

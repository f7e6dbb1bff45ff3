package fetch_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

// server is a registry with TLS and trouble of the test's choice.
type server struct {
	*httptest.Server
	host     string
	requests atomic.Int64

	mu      sync.Mutex
	trouble func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// serve starts a registry that holds the layouts' images in the repository base under the tags of their index.
func serve(t testing.TB, plain bool, l *layoutDir) *server {
	t.Helper()
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	s := &server{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		s.mu.Lock()
		trouble := s.trouble
		s.mu.Unlock()
		if trouble != nil {
			trouble(w, r, inner)
			return
		}
		inner.ServeHTTP(w, r)
	})
	if s.Server = httptest.NewUnstartedServer(handler); plain {
		s.Start()
	} else {
		s.StartTLS()
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	s.host = s.Listener.Addr().String()
	index, err := layout.ImageIndexFromPath(l.dir)
	must(t, err)
	ref, err := name.ParseReference(s.host + "/base:v1")
	must(t, err)
	must(t, remote.WriteIndex(ref, index, remote.WithTransport(s.Client().Transport)))
	s.requests.Store(0)
	return s
}

// fail makes requests whose path holds part go through trouble.
func (s *server) fail(part string, trouble func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, part) {
			trouble(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}

func (s *server) options() fetch.Options {
	return fetch.Options{Transport: s.Client().Transport, Keychain: anonymous{}, Pause: time.Millisecond}
}

type anonymous struct{}

func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// twoArchitectures is a layout with a base for each; big is a part of some megabytes.
func twoArchitectures(t testing.TB) (l *layoutDir, big string) {
	p := make([]byte, 3<<20)
	rand.Read(p)
	l, big = newLayout(t), string(p)
	for _, arch := range []string{"amd64", "arm64"} {
		l.add(forPlatform(l.image(arch, "vmlinuz="+arch, "rootfs.sqsh="+big), arch, "linux"), "")
	}
	return l, big
}

func wantBase(t testing.TB, im *fetch.Image, arch, big string) {
	t.Helper()
	if len(im.Layers) != 2 || im.Layers[1].Digest != blob.SumBytes([]byte(big)) {
		t.Fatalf("layers %+v", im.Layers)
	}
	if d, err := blob.Sum(t.Context(), im.Layers[1].Blob); err != nil || d != im.Layers[1].Digest {
		t.Errorf("the big part has %s, %v", d, err)
	}
	im.Layers = im.Layers[:1]
	wantParts(t, im, arch, "vmlinuz="+arch)
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	s := serve(t, false, l)
	var got atomic.Int64
	opts := s.options()
	opts.Progress = func(n int64) { got.Add(n) }
	cache := t.TempDir()
	im, err := open(t, fetch.New(openStore(t, cache), opts), s.host+"/base:v1", "arm64")
	must(t, err)
	locked := im.Locked
	wantBase(t, im, "arm64", big)
	if n := got.Load(); n < int64(len(big)) || n > int64(len(big))+1000 {
		t.Errorf("progress of %d bytes for an image of %d", n, len(big))
	}

	// Locked and downloaded it needs no network, nor a client that could use one.
	s.requests.Store(0)
	im, err = fetch.New(openStore(t, cache), fetch.Options{Transport: noNetwork{}}).Open(t.Context(), locked)
	must(t, err)
	wantBase(t, im, "arm64", big)
	if n := s.requests.Load(); n > 0 {
		t.Errorf("%d requests for what the store has", n)
	}

	// What was pruned, or damaged, is downloaded again.
	path := filepath.Join(cache, "blobs", "sha256", blob.SumBytes([]byte("arm64")).Hex())
	must(t, os.Chmod(path, 0o600))
	settle()
	must(t, os.WriteFile(path, []byte("evil!"), 0o600))
	im, err = fetch.New(openStore(t, cache), s.options()).Open(t.Context(), locked)
	must(t, err)
	wantBase(t, im, "arm64", big)

	for _, c := range []struct {
		ref, arch string
		part      string
	}{
		{s.host + "/base:v1", "riscv64", "no image for riscv64; it has amd64, arm64"},
		{s.host + "/base:v2", "amd64", "MANIFEST_UNKNOWN"},
		{s.host + "/other", "amd64", "NAME_UNKNOWN"},
		{s.host + "/base@" + string(blob.SumBytes(nil)), "amd64", string(blob.SumBytes(nil))},
	} {
		_, err := open(t, client(t, s.options()), c.ref, c.arch)
		reporttest.Want(t, err, report.NotFound, c.ref, c.part)
	}
}

type noNetwork struct{}

func (noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%s was asked for", r.URL)
}

func TestPlainHTTPOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	s := serve(t, true, l)
	_, err := open(t, client(t, s.options()), s.host+"/base:v1", "amd64")
	reporttest.Want(t, err, report.Unavailable, s.host)
	if hint := report.HintOf(err); !strings.Contains(hint, "http://"+s.host+"/base") {
		t.Errorf("hint %q", hint)
	}
	if n := s.requests.Load(); n > 0 {
		t.Errorf("%d requests in the clear", n)
	}
	im, err := open(t, client(t, s.options()), "http://"+s.host+"/base:v1", "amd64")
	must(t, err)
	wantBase(t, im, "amd64", big)
	opts := s.options()
	opts.Insecure = true
	im, err = open(t, client(t, opts), s.host+"/base:v1", "amd64")
	must(t, err)
	wantBase(t, im, "amd64", big)
}

func TestRedirectToPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	l, _ := twoArchitectures(t)
	s := serve(t, false, l)
	plain := serve(t, true, l)
	s.fail("/blobs/", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, plain.URL+r.URL.Path+"?signature=secret", http.StatusTemporaryRedirect)
	})
	_, err := open(t, client(t, s.options()), s.host+"/base:v1", "amd64")
	reporttest.Want(t, err, report.Unavailable, "plain http")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error tells a credential: %v", err)
	}
	if n := plain.requests.Load(); n > 0 {
		t.Errorf("%d requests in the clear", n)
	}
}

func TestTroubleThatPasses(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	bigPath := "/blobs/" + string(blob.SumBytes([]byte(big)))
	const first = 1 << 20 // bytes that come before a connection breaks
	for _, c := range []struct {
		name  string
		part  string
		times int64
		// trouble is met this often, then the registry is well.
		trouble func(w http.ResponseWriter, r *http.Request, next http.Handler)
	}{
		{"500 on a manifest", "/manifests/", 3, status(500)},
		{"503 on a blob", bigPath, 3, status(503)},
		{"429 with Retry-After", "/manifests/", 2, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}},
		{"500 on the greeting", "/v2/", 3, status(502)},
		{"reset before the answer", bigPath, 3, func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }},
		{"reset in a manifest", "/manifests/", 2, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "{")
			panic(http.ErrAbortHandler)
		}},
		{"stall", bigPath, 2, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			io.WriteString(w, big[:first])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		{"stall before the answer", bigPath, 2, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, false, l)
			var met atomic.Int64
			s.fail(c.part, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if met.Add(1) <= c.times {
					c.trouble(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
			opts := s.options()
			if strings.HasPrefix(c.name, "stall") {
				opts.Stall = 300 * time.Millisecond
			}
			im, err := open(t, client(t, opts), s.host+"/base:v1", "amd64")
			must(t, err)
			wantBase(t, im, "amd64", big)
			if met.Load() < c.times {
				t.Errorf("the trouble was met %d times, not %d: this tests nothing", met.Load(), c.times)
			}
		})
	}
}

func status(code int) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(code)
		io.WriteString(w, "<html>\x1b[31mtrouble</html>"+strings.Repeat("x", 10_000))
	}
}

// A connection that breaks again and again costs only what it did not deliver.
func TestResume(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	for _, ranges := range []bool{true, false} {
		t.Run(fmt.Sprint("ranges ", ranges), func(t *testing.T) {
			t.Parallel()
			s := serve(t, false, l)
			var sent, times atomic.Int64
			s.fail("/blobs/"+string(blob.SumBytes([]byte(big))), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				n := times.Add(1)
				var from, to int
				if fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); ranges && to > 0 {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(big)))
					w.Header().Set("Content-Length", fmt.Sprint(to+1-from))
					w.WriteHeader(http.StatusPartialContent)
				} else {
					from = 0
					w.Header().Set("Content-Length", fmt.Sprint(len(big)))
				}
				end := min(len(big), int(n)*300_000)
				k, _ := io.WriteString(w, big[min(from, end):end])
				sent.Add(int64(k))
				if end < len(big) {
					w.(http.Flusher).Flush()
					time.Sleep(5 * time.Millisecond) // or the break overtakes the bytes
					panic(http.ErrAbortHandler)
				}
			})
			im, err := open(t, client(t, s.options()), s.host+"/base:v1", "amd64")
			must(t, err)
			wantBase(t, im, "amd64", big)
			if n := times.Load(); n < 10 {
				t.Errorf("%d connections, want at least 10", n)
			}
			if ranges && sent.Load() > int64(len(big))*3/2 {
				t.Errorf("sent %d bytes for %d", sent.Load(), len(big))
			}
		})
	}
}

func TestTroubleThatStays(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	digest := string(blob.SumBytes([]byte(big)))
	flipped := []byte(big)
	flipped[1000] ^= 1
	other := string(flipped)
	whole := func(content string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { io.WriteString(w, content) }
	}
	for _, c := range []struct {
		name    string
		part    string
		trouble func(w http.ResponseWriter, r *http.Request, next http.Handler)
		kind    report.Kind
		most    int64 // requests of this kind
		parts   []string
		hint    string
	}{
		{"401", "/v2/", status(401), report.Unavailable, 3, []string{"gives no access"}, "docker login"},
		{"403", "/manifests/", status(403), report.Unavailable, 1, []string{"gives no access"}, "docker login"},
		{"404 on a blob", "/blobs/" + digest, status(404), report.NotFound, 1, []string{digest}, ""},
		{"429", "/manifests/", status(429), report.Unavailable, 5, []string{"429"}, ""},
		{"500", "/blobs/" + digest, status(500), report.Unavailable, 5, []string{"500", digest}, ""},
		{"400", "/manifests/", status(400), report.Unavailable, 1, []string{"400"}, ""},
		{"corrupted blob", "/blobs/" + digest, whole(other), report.Unavailable, 1, []string{digest, string(blob.SumBytes([]byte(other)))}, ""},
		{"short blob", "/blobs/" + digest, whole(big[:1000]), report.Unavailable, 5, []string{digest, "1000 bytes"}, ""},
		{"endless blob", "/blobs/" + digest, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			for _, err := io.WriteString(w, big); err == nil; _, err = io.WriteString(w, big) {
			}
		}, report.Unavailable, 1, []string{digest, "longer than"}, ""},
		{"endless manifest", "/manifests/v1", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			for _, err := io.WriteString(w, big); err == nil; _, err = io.WriteString(w, big) {
			}
		}, report.Unsupported, 1, []string{"more than 4194304 bytes"}, ""},
		{"other manifest", "/manifests/sha256", whole("{}"), report.Unavailable, 1, []string{"serves wrong content", "2 bytes"}, ""},
		{"wrong range", "/blobs/" + digest, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(big)-1, len(big)))
				w.WriteHeader(http.StatusPartialContent)
			}
			io.WriteString(w, big[:1<<20])
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
			panic(http.ErrAbortHandler)
		}, report.Unavailable, 2, []string{digest, "bytes 0-"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, false, l)
			var met atomic.Int64
			s.fail(c.part, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				met.Add(1)
				c.trouble(w, r, next)
			})
			cache := openStore(t, t.TempDir())
			_, err := open(t, fetch.New(cache, s.options()), s.host+"/base:v1", "amd64")
			reporttest.Want(t, err, c.kind, append(c.parts, s.host+"/base:v1")...)
			if n := met.Load(); n > c.most {
				t.Errorf("%d requests, want %d at most", n, c.most)
			}
			if err != nil && (len(err.Error()) > 1000 || strings.ContainsRune(err.Error(), '\x1b')) {
				t.Errorf("the server's page is in the error: %q", err)
			}
			if hint := report.HintOf(err); !strings.Contains(hint, c.hint) {
				t.Errorf("hint %q, want %q", hint, c.hint)
			}
			for _, e := range must1(cache.List())(t) {
				if e.Digest == blob.Digest(digest) {
					t.Error("the store took it")
				}
			}
		})
	}
}

func must1[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T { must(t, err); return v }
}

func TestDeadlineEndsAStall(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	s := serve(t, false, l)
	s.fail("/blobs/"+string(blob.SumBytes([]byte(big))), func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.WriteString(w, big[:1000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c := client(t, s.options())
	locked, err := c.Resolve(t.Context(), parse(t, s.host+"/base:v1"), "amd64")
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = c.Open(ctx, locked)
	reporttest.Want(t, err, report.Canceled, locked.String(), "deadline")
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	host := l.Addr().String()
	must(t, l.Close())
	c := client(t, fetch.Options{Keychain: anonymous{}})
	_, err = open(t, c, "http://"+host+"/base", "amd64")
	reporttest.Want(t, err, report.Unavailable, host+"/base", "refused")
}

func TestPathTakenForARegistry(t *testing.T) {
	l := newLayout(t)
	l.add(l.image("amd64"), "")
	t.Chdir(filepath.Dir(l.dir))
	must(t, os.Rename(l.dir, "127.0.0.1:1"))
	must(t, os.Mkdir("host.example", 0o755))
	must(t, os.Rename("127.0.0.1:1", "host.example/base"))
	_, err := open(t, client(t, fetch.Options{Transport: noNetwork{}, Keychain: anonymous{}, Attempts: 1}), "host.example/base", "amd64")
	reporttest.Want(t, err, report.Unavailable, "host.example/base")
	if hint := report.HintOf(err); !strings.Contains(hint, "did you mean oci:host.example/base?") {
		t.Errorf("hint %q", hint)
	}
}

// needs makes a registry ask for the user builder with password hunter2.
func (s *server) needs(scheme string) {
	s.fail("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		user, password, _ := r.BasicAuth()
		known := user == "builder" && password == "hunter2"
		switch {
		case scheme == "Basic" && known, scheme == "Bearer" && r.Header.Get("Authorization") == "Bearer ticket":
			next.ServeHTTP(w, r)
		case scheme == "Bearer" && r.URL.Path == "/token" && known && r.URL.Query().Get("scope") == "repository:base:pull":
			json.NewEncoder(w).Encode(object{"token": "ticket"})
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`%s realm="%s/token",service="registry"`, scheme, s.URL))
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

type password string

func (p password) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "builder", Password: string(p)}, nil
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	for _, scheme := range []string{"Basic", "Bearer"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s := serve(t, false, l)
			s.needs(scheme)
			opts := s.options()
			for _, k := range []authn.Keychain{anonymous{}, password("wrong")} {
				opts.Keychain = k
				_, err := open(t, client(t, opts), s.host+"/base:v1", "amd64")
				reporttest.Want(t, err, report.Unavailable, s.host+"/base:v1", "gives no access")
				if err != nil && strings.Contains(err.Error(), "wrong") {
					t.Errorf("the error tells the password: %v", err)
				}
			}
			opts.Keychain = password("hunter2")
			im, err := open(t, client(t, opts), s.host+"/base:v1", "amd64")
			must(t, err)
			wantBase(t, im, "amd64", big)
		})
	}
}

func TestDockerCredentials(t *testing.T) {
	l, big := twoArchitectures(t)
	s := serve(t, false, l)
	s.needs("Basic")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", filepath.Join(home, ".docker"))
	must(t, os.Mkdir(filepath.Join(home, ".docker"), 0o700))
	// "auth" is base64 of builder:hunter2
	config := fmt.Sprintf(`{"auths":{%q:{"auth":"YnVpbGRlcjpodW50ZXIy"}}}`, s.host)
	must(t, os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte(config), 0o600))
	opts := s.options()
	opts.Keychain = nil
	im, err := open(t, client(t, opts), s.host+"/base:v1", "amd64")
	must(t, err)
	wantBase(t, im, "amd64", big)
}

func TestBrokenCredentials(t *testing.T) {
	t.Parallel()
	l, _ := twoArchitectures(t)
	s := serve(t, false, l)
	opts := s.options()
	opts.Keychain = brokenKeychain{}
	_, err := open(t, client(t, opts), s.host+"/base:v1", "amd64")
	reporttest.Want(t, err, report.Invalid, s.host+"/base:v1", "credentials for "+s.host, "config.json is torn")
}

type brokenKeychain struct{}

func (brokenKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.New("config.json is torn")
}

// Two builds that need the same base at the same time download it once.
func TestConcurrentOpenDownloadsOnce(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	s := serve(t, false, l)
	var asked atomic.Int64
	s.fail("/blobs/"+string(blob.SumBytes([]byte(big))), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		asked.Add(1)
		next.ServeHTTP(w, r)
	})
	cache := t.TempDir()
	var wg sync.WaitGroup
	for _, st := range []*store.Store{openStore(t, cache), openStore(t, cache)} {
		for range 3 {
			wg.Go(func() {
				c := fetch.New(st, s.options())
				locked, err := c.Resolve(t.Context(), parse(t, s.host+"/base:v1"), "amd64")
				if err == nil {
					_, err = c.Open(t.Context(), locked)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

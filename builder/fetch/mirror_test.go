package fetch_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/authoritytest"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/registries"
)

// mirrored are options with which images of origin.example come from mirrors only.
func mirrored(t testing.TB, more string, endpoints ...string) fetch.Options {
	t.Helper()
	text := fmt.Sprintf("machine:\n  registries:\n    mirrors:\n      origin.example: {endpoints: [%s], skipFallback: true}\n%s", strings.Join(endpoints, ", "), more)
	rules, err := registries.Load("registries.yaml", []byte(text))
	must(t, err)
	return fetch.Options{Registries: rules, Keychain: anonymous{}, Pause: time.Millisecond, Stall: 2 * time.Second}
}

const mirroredRef = "origin.example/base:v1"

func TestMirrorsInOrder(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	one, two := serve(t, true, l), serve(t, true, l)
	im, err := open(t, client(t, mirrored(t, "", one.URL, two.URL)), mirroredRef, "amd64")
	must(t, err)
	wantBase(t, im, "amd64", big)
	if one.requests.Load() == 0 || two.requests.Load() > 0 {
		t.Errorf("%d requests to the first mirror, %d to the second", one.requests.Load(), two.requests.Load())
	}
	if got := im.Locked.String(); !strings.HasPrefix(got, mirroredRef+"@sha256:") {
		t.Errorf("locked as %s: a mirror is no part of a name", got)
	}
}

func TestFailover(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	digest := string(blob.SumBytes([]byte(big)))
	flipped := []byte(big)
	flipped[2000] ^= 1
	for _, c := range []struct {
		name, part string
		trouble    func(w http.ResponseWriter, r *http.Request, next http.Handler)
		most       int64 // requests to the first mirror
	}{
		{"down", "", nil, 0},
		{"500", "", status(500), 2},
		{"404", "", status(404), 8},
		{"401", "", status(401), 10},
		{"a web site", "", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { io.WriteString(w, "<html>hello") }, 10},
		{"a web site for a blob", digest, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { io.WriteString(w, "<html>hello") }, 10},
		{"a blob that is wrong", digest, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.Write(flipped) }, 10},
		{"a manifest that is wrong", "/manifests/sha256", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { io.WriteString(w, "{}") }, 10},
		{"stall", digest, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			io.WriteString(w, big[:1000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 10},
		{"truncated", digest, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			io.WriteString(w, big[:1000])
		}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			one, two := serve(t, true, l), serve(t, true, l)
			if c.trouble == nil {
				one.Close()
			} else {
				one.fail(c.part, c.trouble)
			}
			opts := mirrored(t, "", one.URL, two.URL)
			opts.Stall = 300 * time.Millisecond
			im, err := open(t, client(t, opts), mirroredRef, "amd64")
			must(t, err)
			wantBase(t, im, "amd64", big)
			if n := one.requests.Load(); n > c.most {
				t.Errorf("%d requests to the first mirror, want %d at most", n, c.most)
			}
		})
	}
}

// A mirror that dies in the middle of a download costs nothing of what it sent.
func TestKilledMirror(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	path := "/blobs/" + string(blob.SumBytes([]byte(big)))
	const first = 2 << 20
	one, two := serve(t, true, l), serve(t, true, l)
	one.fail(path, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		if r.Header.Get("Range") != "" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(big)))
		io.WriteString(w, big[:first])
		w.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
		panic(http.ErrAbortHandler)
	})
	var ranges atomic.Value
	two.fail("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, path) {
			ranges.Store(r.Header.Get("Range"))
		}
		if r.URL.Query().Get("ns") != "origin.example" && r.URL.Path != "/v2/" {
			t.Errorf("%s does not say which registry is meant", r.URL)
		}
		next.ServeHTTP(w, r)
	})
	var got atomic.Int64
	opts := mirrored(t, "", one.URL, two.URL)
	opts.Progress = func(n int64) { got.Add(n) }
	im, err := open(t, client(t, opts), mirroredRef, "amd64")
	must(t, err)
	wantBase(t, im, "amd64", big)
	if want := fmt.Sprintf("bytes=%d-%d", first, len(big)-1); ranges.Load() != want {
		t.Errorf("the second mirror was asked for %v, want %s", ranges.Load(), want)
	}
	if n := got.Load(); n > int64(len(big))+1000 {
		t.Errorf("read %d bytes for %d", n, len(big))
	}
}

func TestEveryEndpointIsNamed(t *testing.T) {
	t.Parallel()
	l, _ := twoArchitectures(t)
	one, two := serve(t, true, l), serve(t, true, l)
	one.fail("", status(503))
	two.fail("", status(401))
	_, err := open(t, client(t, mirrored(t, "", one.URL, two.URL)), mirroredRef, "amd64")
	reporttest.Want(t, err, report.Unavailable, mirroredRef, "none of 2 endpoints", one.URL+"/v2: ", "503", two.URL+"/v2: ", "gives no access")
	if hint := report.HintOf(err); !strings.Contains(hint, "docker login "+two.host) {
		t.Errorf("hint %q", hint)
	}
	one.fail("", status(404))
	two.fail("", status(404))
	_, err = open(t, client(t, mirrored(t, "", one.URL, two.URL)), mirroredRef, "amd64")
	reporttest.Want(t, err, report.NotFound, mirroredRef, "none of 2 endpoints")
	skip := true
	rules, err := registries.New(v1alpha1.Registries{Mirrors: map[string]v1alpha1.Mirror{"origin.example": {SkipFallback: &skip}}})
	must(t, err)
	_, err = open(t, client(t, fetch.Options{Registries: rules}), mirroredRef, "amd64")
	reporttest.Want(t, err, report.Unavailable, mirroredRef, "lets nobody serve images of origin.example")
}

// Harbor has other registries as projects below /v2, and greets only with a challenge there.
func TestHarbor(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	s := serve(t, true, l)
	s.fail("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		rest, ok := strings.CutPrefix(r.URL.Path, "/v2/proxy-origin.example")
		user, password, _ := r.BasicAuth()
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case user != "admin" || password != "password":
			w.Header().Set("WWW-Authenticate", `Basic realm="harbor"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			r.URL.Path = "/v2" + rest
			next.ServeHTTP(w, r)
		}
	})
	text := fmt.Sprintf(`
machine:
  registries:
    mirrors:
      origin.example:
        endpoints: [%s/v2/proxy-origin.example]
        overridePath: true
        skipFallback: true
    config:
      %q: {auth: {username: admin, password: %%s}}
`, s.URL, s.host)
	for _, password := range []string{"password", "wrong"} {
		rules, err := registries.Load("x", fmt.Appendf(nil, text, password))
		must(t, err)
		im, err := open(t, client(t, fetch.Options{Registries: rules, Keychain: anonymous{}, Pause: time.Millisecond}), mirroredRef, "amd64")
		if password == "wrong" {
			reporttest.Want(t, err, report.Unavailable, mirroredRef, "gives no access")
			continue
		}
		must(t, err)
		wantBase(t, im, "amd64", big)
	}
}

// front puts TLS with a certificate of a in front of a registry.
func front(t testing.TB, a *authoritytest.Authority, behind http.Handler, end time.Time, clients tls.ClientAuthType) (url, host string) {
	cert, key := a.Issue(t, end)
	pair, err := tls.X509KeyPair(cert, key)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.Cert)
	s := httptest.NewUnstartedServer(behind)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: clients}
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, s.Listener.Addr().String()
}

func b64(p []byte) string { return base64.StdEncoding.EncodeToString(p) }

func TestTLS(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	behind := serve(t, true, l).Config.Handler
	a, other := authoritytest.New(t), authoritytest.New(t)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	cert, key := a.Issue(t, soon)
	oldCert, oldKey := a.Issue(t, past)
	identity := func(cert, key []byte) string {
		return fmt.Sprintf("ca: %s, clientIdentity: {crt: %s, key: %s}", b64(a.PEM), b64(cert), b64(key))
	}
	for _, c := range []struct {
		name    string
		end     time.Time
		clients tls.ClientAuthType
		tls     string
		want    string // of the error; empty for none
	}{
		{"unknown authority", soon, 0, "insecureSkipVerify: false", "unknown authority"},
		{"ca", soon, 0, "ca: " + b64(a.PEM), ""},
		{"another ca", soon, 0, "ca: " + b64(other.PEM), "unknown authority"},
		{"expired", past, 0, "ca: " + b64(a.PEM), "expired"},
		{"skip verify", past, 0, "insecureSkipVerify: true", ""},
		{"client certificate", soon, tls.RequireAndVerifyClientCert, identity(cert, key), ""},
		{"no client certificate", soon, tls.RequireAndVerifyClientCert, "ca: " + b64(a.PEM), "certificate required"},
		{"expired client certificate", soon, tls.RequireAndVerifyClientCert, identity(oldCert, oldKey), "expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, host := front(t, a, behind, c.end, c.clients)
			opts := mirrored(t, fmt.Sprintf("    config:\n      %q: {tls: {%s}}\n", host, c.tls), url)
			im, err := open(t, client(t, opts), mirroredRef, "amd64")
			if c.want != "" {
				reporttest.Want(t, err, report.Unavailable, mirroredRef, host, c.want)
				return
			}
			must(t, err)
			wantBase(t, im, "amd64", big)
		})
	}
	_, err := registries.Load("x.yaml", fmt.Appendf(nil, "machine: {registries: {config: {h: {tls: {%s}}}}}", identity(cert, oldKey)))
	reporttest.Want(t, err, report.Invalid, "x.yaml", "crt and key do not go together", "does not match")
}

// A redirect leaves credentials, the client certificate and the trust in a host's own certificate behind.
func TestRedirectTakesNothingAlong(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	inner := serve(t, true, l)
	a := authoritytest.New(t)
	cert, key := a.Issue(t, time.Now().Add(time.Hour))
	var met atomic.Int64
	cdn, cdnHost := front(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		met.Add(1)
		if len(r.TLS.PeerCertificates) > 0 || r.Header.Get("Authorization") != "" {
			t.Errorf("the other host was told who asks: %v, %q", r.TLS.PeerCertificates, r.Header.Get("Authorization"))
		}
		inner.Config.Handler.ServeHTTP(w, r)
	}), time.Now().Add(time.Hour), tls.RequestClientCert)
	url, host := front(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		switch {
		case user != "u":
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "/blobs/"):
			http.Redirect(w, r, cdn+r.URL.Path, http.StatusTemporaryRedirect)
		default:
			inner.Config.Handler.ServeHTTP(w, r)
		}
	}), time.Now().Add(time.Hour), tls.RequireAndVerifyClientCert)
	config := fmt.Sprintf("    config:\n      %q: {auth: {username: u, password: p}, tls: {ca: %s, clientIdentity: {crt: %s, key: %s}}}\n", host, b64(a.PEM), b64(cert), b64(key))
	_, err := open(t, client(t, mirrored(t, config, url)), mirroredRef, "amd64")
	reporttest.Want(t, err, report.Unavailable, mirroredRef, "unknown authority")
	if met.Load() > 0 {
		t.Error("another host was trusted for the certificate of the mirror")
	}
	config += fmt.Sprintf("      %q: {tls: {ca: %s}}\n", cdnHost, b64(a.PEM))
	im, err := open(t, client(t, mirrored(t, config, url)), mirroredRef, "amd64")
	must(t, err)
	wantBase(t, im, "amd64", big)
	if met.Load() == 0 {
		t.Error("nobody was redirected: this tests nothing")
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// What was verified before everything failed is not downloaded again.
func TestVerifiedIsKept(t *testing.T) {
	t.Parallel()
	l, big := twoArchitectures(t)
	path := "/blobs/" + string(blob.SumBytes([]byte(big)))
	s := serve(t, true, l)
	st := openStore(t, t.TempDir())
	s.fail(path, status(404))
	opts := mirrored(t, "", s.URL)
	opts.Parallel = 1 // config, kernel, and then the root image
	_, err := open(t, fetch.New(st, opts), mirroredRef, "amd64")
	reporttest.Want(t, err, report.NotFound, mirroredRef, path)
	var blobs atomic.Int64
	s.fail("/blobs/", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		blobs.Add(1)
		next.ServeHTTP(w, r)
	})
	im, err := open(t, fetch.New(st, opts), mirroredRef, "amd64")
	must(t, err)
	wantBase(t, im, "amd64", big)
	if n := blobs.Load(); n != 1 {
		t.Errorf("%d blobs were asked for, and one was missing", n)
	}
}

package fetch_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/authoritytest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
	"github.com/bootwright/bootwright/machine/registries"
)

// TestDockerRegistry is a site: Docker's registry with TLS and users, another that is a pull-through cache, and a third that is
// killed while it serves.
func TestDockerRegistry(t *testing.T) {
	t.Parallel()
	a := authoritytest.New(t)
	cert, key := a.Issue(t, time.Now().Add(time.Hour))
	l, big := newLayout(t), strings.Repeat("0123456789abcdef", 3<<16)
	l.add(l.image("amd64", "vmlinuz=amd64", "rootfs.sqsh="+big), "v1")
	// skopeo is another tool than ours: what it pushes is what people have.
	push := func(to *registrytest.Registry, args ...string) {
		copy := append([]string{"--insecure-policy", "copy", "--dest-tls-verify=false"}, args...)
		oracle.Run(t, "skopeo", append(copy, "oci:"+l.dir+":v1", "docker://"+to.Host+"/base:v1")...)
	}
	pull := func(t *testing.T, ref, mirrors, config string, progress func(int64)) (*fetch.Image, error) {
		rules, err := registries.Load("site.yaml", fmt.Appendf(nil, "machine:\n  registries:\n    mirrors: {%s}\n    config: {%s}\n", mirrors, config))
		must(t, err)
		return open(t, client(t, fetch.Options{Registries: rules, Keychain: anonymous{}, Pause: time.Millisecond, Progress: progress}), ref, "amd64")
	}
	known := func(r *registrytest.Registry, password string) string {
		return fmt.Sprintf("%q: {tls: {ca: %s}, auth: {username: %s, password: %s}}", r.Host, b64(a.PEM), registrytest.User, password)
	}

	t.Run("TLS and users", func(t *testing.T) {
		t.Parallel()
		r := registrytest.Start(t, registrytest.Options{Cert: cert, Key: key, Auth: true})
		push(r, "--dest-creds", registrytest.User+":"+registrytest.Password)
		im, err := pull(t, r.Host+"/base:v1", "", known(r, registrytest.Password), nil)
		must(t, err)
		wantBase(t, im, "amd64", big)
		im, err = pull(t, r.Host+"/base@"+string(im.Locked.Digest), "", known(r, registrytest.Password), nil)
		must(t, err)
		wantBase(t, im, "amd64", big)
		_, err = pull(t, r.Host+"/base:v1", "", known(r, "wrong"), nil)
		reporttest.Want(t, err, report.Unavailable, r.Host+"/base:v1", "gives no access")
		_, err = pull(t, r.Host+"/base:v1", "", "x: {auth: {username: x}}", nil)
		reporttest.Want(t, err, report.Unavailable, r.Host+"/base:v1", "unknown authority")
	})
	t.Run("mirrors", func(t *testing.T) {
		t.Parallel()
		origin := registrytest.Start(t, registrytest.Options{Cert: cert, Key: key})
		push(origin)
		doomed := registrytest.Start(t, registrytest.Options{})
		push(doomed)
		cache := registrytest.Start(t, registrytest.Options{Cert: cert, Key: key, Auth: true, Upstream: origin.URL, Roots: a.PEM})
		ref := origin.Host + "/base:v1"
		mirrors := fmt.Sprintf("%q: {endpoints: [http://%s, %s], skipFallback: true}", origin.Host, doomed.Fragile(t, 1<<20), cache.URL)

		// The first is killed when it sent 1 MiB of 3; the cache, which has to fetch the image first, sends the rest.
		var got atomic.Int64
		im, err := pull(t, ref, mirrors, known(cache, registrytest.Password), func(n int64) { got.Add(n) })
		must(t, err)
		wantBase(t, im, "amd64", big)
		if n := got.Load(); n > int64(len(big))+10_000 {
			t.Errorf("downloaded %d bytes for %d", n, len(big))
		}
		t.Logf("an image of %d bytes: the first mirror was killed after %d, %d bytes were downloaded in all", len(big), 1<<20, got.Load())

		// What the cache has it gives when neither the mirror before it nor the registry behind it is there any more.
		im, err = pull(t, ref, mirrors, known(cache, registrytest.Password), nil)
		must(t, err)
		cache.WaitFor(t, "base", im.Config.Digest, im.Layers[0].Digest, im.Layers[1].Digest)
		origin.Kill()
		im, err = pull(t, ref, mirrors, known(cache, registrytest.Password), nil)
		must(t, err)
		wantBase(t, im, "amd64", big)
		_, err = pull(t, ref, mirrors, known(cache, "wrong"), nil)
		reporttest.Want(t, err, report.Unavailable, ref, "none of 2 endpoints", "refused", cache.URL, "gives no access")
	})
}

// TestPush puts an image into Docker's registry and judges it with skopeo.
func TestPush(t *testing.T) {
	t.Parallel()
	a := authoritytest.New(t)
	cert, key := a.Issue(t, time.Now().Add(time.Hour))
	r := registrytest.Start(t, registrytest.Options{Cert: cert, Key: key, Auth: true})
	rules := func(password string) *registries.Rules {
		out, err := registries.Load("x", fmt.Appendf(nil, "machine: {registries: {config: {%q: {tls: {ca: %s}, auth: {username: %s, password: %s}}}}}",
			r.Host, b64(a.PEM), registrytest.User, password))
		must(t, err)
		return out
	}
	part := func(content, kind string) fetch.Layer {
		return fetch.Layer{Digest: blob.SumBytes([]byte(content)), Size: int64(len(content)), MediaType: kind, Blob: blob.String(content)}
	}
	config := part(`{"architecture":"amd64","os":"linux"}`, "application/vnd.oci.image.config.v1+json")
	layer := part(strings.Repeat("x", 3<<20), "application/vnd.oci.image.layer.v1.tar")
	ref := parse(t, r.Host+"/ext/hello:v1")
	c := client(t, fetch.Options{Registries: rules(registrytest.Password), Keychain: anonymous{}})
	for range 2 { // the second time everything is there
		d, err := c.Push(t.Context(), ref, config, []fetch.Layer{layer})
		must(t, err)
		said := oracle.Run(t, "skopeo", "inspect", "--tls-verify=false", "--creds", registrytest.User+":"+registrytest.Password, "docker://"+ref.String())
		if !strings.Contains(said, string(d)) || !strings.Contains(said, string(layer.Digest)) {
			t.Errorf("skopeo says\n%s\nwithout %s", said, d)
		}
	}
	im, err := open(t, client(t, fetch.Options{Registries: rules(registrytest.Password), Keychain: anonymous{}}), ref.String(), "amd64")
	must(t, err)
	if im.Layers[0].Digest != layer.Digest {
		t.Errorf("layers %+v", im.Layers)
	}
	_, err = client(t, fetch.Options{Registries: rules("wrong"), Keychain: anonymous{}}).Push(t.Context(), ref, config, nil)
	reporttest.Want(t, err, report.Unavailable, ref.String(), "gives no access")
	r.Kill()
	_, err = c.Push(t.Context(), ref, config, nil)
	reporttest.Want(t, err, report.Unavailable, ref.String(), "refused")
	_, err = c.Push(t.Context(), parse(t, "oci:x"), config, nil)
	reporttest.Want(t, err, report.Invalid, "oci:x")
	if _, err := os.Stat("x"); err == nil {
		t.Error("wrote a folder")
	}
}

package builder

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
)

// pieceText is what Pieces says, a line each.
func pieceText(t *testing.T, b *Builder, plan *Plan) string {
	t.Helper()
	pieces, err := b.Pieces(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range pieces {
		lines = append(lines, p.Name+" "+string(p.State))
	}
	return strings.Join(lines, "\n")
}

func TestPiecesInPlace(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	plan := lock(t, b, profile(t, "initramfs", dir))
	if got, want := pieceText(t, b, plan), "early.cpio in-place\nrootfs.sqsh in-place\ninit builtin\ninitramfs/early compress\ninitramfs/init compress"; got != want {
		t.Errorf("before a build:\n%s", got)
	}
	build(t, b, plan)
	if got, want := pieceText(t, b, plan), "early.cpio in-place\nrootfs.sqsh in-place\ninit builtin\ninitramfs/early cached\ninitramfs/init cached"; got != want {
		t.Errorf("after a build:\n%s", got)
	}
}

// TestPiecesOfRegistry: a plan downloads nothing but manifests, a build what its recipe reads.
func TestPiecesOfRegistry(t *testing.T) {
	t.Parallel()
	b, _ := newBuilder(t)
	host, blobs := serveBase(t)
	b.Images = fetch.New(b.Store, fetch.Options{Insecure: true})
	p := profile(t, "pxe", "unused")
	p.Base = host + "/base:v1"
	plan := lock(t, b, p)
	if got := len(blobs()); got != 1 {
		t.Errorf("a plan asks for %d blobs; want the config", got)
	}
	if got, want := pieceText(t, b, plan), "vmlinuz download\nearly.cpio download\nrootfs.sqsh download\ninit builtin\ninitramfs/early compress\ninitramfs/init compress"; got != want {
		t.Errorf("before a build:\n%s", got)
	}
	build(t, b, plan)
	if got := len(blobs()); got != 4 {
		t.Errorf("a build asks for %d blobs; want the config and three parts", got)
	}
	if got, want := pieceText(t, b, plan), "vmlinuz cached\nearly.cpio cached\nrootfs.sqsh cached\ninit builtin\ninitramfs/early cached\ninitramfs/init cached"; got != want {
		t.Errorf("after a build:\n%s", got)
	}
}

// serveBase is a registry on loopback with a base in base:v1, and the blobs that it was asked for.
func serveBase(t *testing.T) (host string, blobs func() []string) {
	t.Helper()
	dir := t.TempDir()
	basetest.Write(t, dir, "amd64")
	b := newBuilderIn(t, t.TempDir())
	ref, err := reference.Parse("dir:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := b.Images.Resolve(t.Context(), ref, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	image, err := b.Images.Open(t.Context(), locked)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			mu.Lock()
			asked = append(asked, r.URL.Path)
			mu.Unlock()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	for _, l := range append(image.Layers, image.Config) {
		content, err := blob.ReadAll(l.Blob, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		send(t, http.MethodPost, s.URL+"/v2/base/blobs/uploads/?digest="+string(l.Digest), content)
	}
	send(t, http.MethodPut, s.URL+"/v2/base/manifests/v1", image.Manifest)
	return s.Listener.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(asked)
		return slices.Compact(asked)
	}
}

func send(t *testing.T, method, url string, content []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s", method, url, res.Status)
	}
}

package fetch_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

// tarOf packs a layout.
func tarOf(t testing.TB, dir string) string {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	must(t, w.AddFS(os.DirFS(dir)))
	must(t, w.Close())
	return writeTar(t, buf.Bytes())
}

func writeTar(t testing.TB, p []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	must(t, os.WriteFile(path, p, 0o644))
	return path
}

func TestArchiveOfLayout(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	l.add(l.image("amd64", "vmlinuz=kernel", "rootfs.sqsh=root"), "v1")
	path := tarOf(t, l.dir)
	c := client(t, fetch.Options{})
	im, err := open(t, c, "tar:"+path+":v1", "amd64")
	must(t, err)
	wantParts(t, im, "amd64", "vmlinuz=kernel", "rootfs.sqsh=root")
	_, err = open(t, c, "tar:"+path+":v2", "amd64")
	reporttest.Want(t, err, report.NotFound, "v2", "v1")

	// The same layout in a folder locks to the same digest.
	folder, err := open(t, c, "oci:"+l.dir+":v1", "amd64")
	must(t, err)
	if folder.Locked.Digest != im.Locked.Digest {
		t.Errorf("the archive locks to %s, its folder to %s", im.Locked.Digest, folder.Locked.Digest)
	}

	// Once opened it is in the store, and the file may go.
	must(t, os.Remove(path))
	again, err := c.Open(t.Context(), im.Locked)
	must(t, err)
	wantParts(t, again, "amd64", "vmlinuz=kernel", "rootfs.sqsh=root")
	_, err = client(t, fetch.Options{}).Open(t.Context(), im.Locked)
	reporttest.Want(t, err, report.NotFound, path)
}

// saveImage is what docker save wrote before it wrote layouts.
func saveImage(t testing.TB, tags []string) []byte {
	t.Helper()
	manifest, err := json.Marshal([]object{{"Config": "0123.json", "RepoTags": tags, "Layers": []string{"a/layer.tar", "b/layer.tar", "c.tar.gz"}}})
	must(t, err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("third"))
	must(t, z.Close())
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range []struct{ name, content, link string }{
		{"0123.json", `{"architecture":"amd64","os":"linux"}`, ""},
		{"a/layer.tar", "first", ""},
		{"b/layer.tar", "", "../a/layer.tar"},
		{"c.tar.gz", packed.String(), ""},
		{"loop", "", "loop"},
		{"manifest.json", string(manifest), ""},
	} {
		h := &tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: 0o644, Typeflag: tar.TypeReg}
		if f.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		}
		must(t, w.WriteHeader(h))
		w.Write([]byte(f.content))
	}
	must(t, w.Close())
	return buf.Bytes()
}

func TestArchiveFromDockerSave(t *testing.T) {
	t.Parallel()
	path := writeTar(t, saveImage(t, []string{"docker.io/library/base:v1", "base:v2"}))
	c := client(t, fetch.Options{})
	var locked []blob.Digest
	for _, suffix := range []string{"", ":v1", ":v2"} {
		im, err := open(t, c, "tar:"+path+suffix, "amd64")
		must(t, err)
		if len(im.Layers) != 3 || im.Layers[0].Digest != im.Layers[1].Digest || im.Layers[0].Digest != blob.SumBytes([]byte("first")) {
			t.Errorf("layers %+v", im.Layers)
		}
		if a, b := im.Layers[0].MediaType, im.Layers[2].MediaType; a != "application/vnd.docker.image.rootfs.diff.tar" || b != a+".gzip" {
			t.Errorf("media types %q, %q", a, b)
		}
		locked = append(locked, im.Locked.Digest)
	}
	if locked[0] != locked[1] || locked[1] != locked[2] {
		t.Errorf("one image locks to %s", locked)
	}
	_, err := open(t, c, "tar:"+path, "arm64")
	reporttest.Want(t, err, report.NotFound, "no image for arm64; it has amd64")

	// Another cache makes the same manifest, unless the archive changed.
	again := reference.Locked{Reference: parse(t, "tar:"+path+"@"+string(locked[0]))}
	_, err = client(t, fetch.Options{}).Open(t.Context(), again)
	must(t, err)
	p := saveImage(t, nil)
	must(t, os.WriteFile(path, bytes.Replace(p, []byte("first"), []byte("fifth"), 1), 0o644))
	_, err = client(t, fetch.Options{}).Open(t.Context(), again)
	reporttest.Want(t, err, report.Invalid, "changed since it was locked")
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	l.add(l.image("amd64", "vmlinuz=kernel"), "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ref := range []string{"oci:" + l.dir, "tar:" + tarOf(t, l.dir), "tar:" + writeTar(t, saveImage(t, nil)), "dir:" + l.dir + "/blobs"} {
		must(t, os.WriteFile(filepath.Join(l.dir, "blobs", "manifest.json"), []byte("{}"), 0o644))
		_, err := client(t, fetch.Options{}).Resolve(ctx, parse(t, ref), "amd64")
		reporttest.Want(t, err, report.Canceled, ref)
	}
}

func TestBrokenArchive(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	kernel := blob.SumBytes([]byte("kernel"))
	l.add(l.image("amd64", "vmlinuz=kernel"), "")
	whole, err := os.ReadFile(tarOf(t, l.dir))
	must(t, err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(whole)
	must(t, z.Close())
	for _, c := range []struct {
		name    string
		content []byte
		kind    report.Kind
		part    string
	}{
		{"empty", nil, report.Invalid, "neither an OCI layout"},
		{"not a tar", bytes.Repeat([]byte("x"), 4096), report.Invalid, "not a whole tar archive"},
		{"cut off", whole[:len(whole)/2], report.Invalid, "not a whole tar archive"},
		{"compressed", packed.Bytes(), report.Unsupported, "compressed"},
		{"corrupted blob", bytes.Replace(whole, []byte("kernel"), []byte("lenrek"), 1), report.Invalid, string(kernel)},
		{"blob missing", bytes.ReplaceAll(whole, []byte("blobs/sha256/"+kernel.Hex()[:8]), []byte("blobs/sha256/00000000")), report.Invalid, ""},
		{"docker save of nothing", bytes.Replace(saveImage(t, nil), []byte(`a/layer.tar","b/`), []byte(`a/layer.tar","x/`), 1), report.NotFound, "x/layer.tar"},
		{"link to itself", bytes.Replace(saveImage(t, nil), []byte(`"a/layer.tar","b/layer.tar"`), []byte(`"loop",       "b/layer.tar"`), 1), report.NotFound, "loop"},
		{"docker save without images", bytes.Replace(saveImage(t, nil), []byte(`[{"Config"`), []byte(`[]        `), 1), report.Invalid, "manifest.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := writeTar(t, c.content)
			_, err := open(t, client(t, fetch.Options{}), "tar:"+path, "amd64")
			reporttest.Want(t, err, c.kind, c.part, "tar:"+path)
		})
	}
}

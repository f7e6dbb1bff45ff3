package fetch_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// check opens what a fuzzer wrote: whatever it is, the error has a kind and what opens is what it says.
func check(t *testing.T, cache, ref, arch string) {
	s, err := store.Open(cache, store.Options{}) // a Store keeps its files open
	must(t, err)
	defer s.Close()
	r, err := reference.Parse(ref)
	if err != nil {
		t.Fatal(err)
	}
	c := fetch.New(s, fetch.Options{})
	l, err := c.Resolve(t.Context(), r, arch)
	var im *fetch.Image
	if err == nil {
		im, err = c.Open(t.Context(), l)
	}
	if err != nil {
		if report.KindOf(err) == report.Internal {
			t.Errorf("an error without kind: %v", err)
		}
		return
	}
	for _, layer := range append(im.Layers, im.Config) {
		if d, err := blob.Sum(t.Context(), layer.Blob); err != nil || d != layer.Digest || layer.Blob.Size() != layer.Size {
			t.Errorf("layer %+v holds %s, %v", layer, d, err)
		}
		if layer.Title != "" && !filepath.IsLocal(layer.Title) {
			t.Errorf("title %q leaves its folder", layer.Title)
		}
	}
}

// FuzzLayout is fed a layout's index.json and a manifest that it may point at.
func FuzzLayout(f *testing.F) {
	l := newLayout(f)
	l.add(forPlatform(l.index(l.image("amd64", "a=b", "c=d"), l.image("arm64", "a=c")), "", ""), "v1")
	index, err := os.ReadFile(filepath.Join(l.dir, "index.json"))
	must(f, err)
	entries, err := os.ReadDir(filepath.Join(l.dir, "blobs", "sha256"))
	must(f, err)
	for _, e := range entries {
		p, err := os.ReadFile(filepath.Join(l.dir, "blobs", "sha256", e.Name()))
		must(f, err)
		f.Add(index, p)
		f.Add([]byte(`{"manifests":[{"digest":"`+string(blob.SumBytes(p))+`","size":1}]}`), p)
	}
	f.Add([]byte(`{"manifests":null}`), []byte(`{"schemaVersion":2,"manifests":[{}]}`))
	cache := f.TempDir()
	f.Fuzz(func(t *testing.T, index, manifest []byte) {
		d := blob.SumBytes(manifest)
		path := l.blobPath(d)
		if _, err := os.Stat(path); err != nil {
			must(t, os.WriteFile(path, manifest, 0o644))
			defer os.Remove(path)
		}
		must(t, os.WriteFile(filepath.Join(l.dir, "index.json"), index, 0o644))
		check(t, cache, "oci:"+l.dir, "amd64")
		check(t, cache, "oci:"+l.dir+":v1@"+string(d), "amd64")
	})
}

// FuzzArchive is fed a whole tar archive.
func FuzzArchive(f *testing.F) {
	l := newLayout(f)
	l.add(l.image("amd64", "a=b"), "v1")
	p, err := os.ReadFile(tarOf(f, l.dir))
	must(f, err)
	f.Add(p)
	f.Add(saveImage(f, []string{"base:v1"}))
	f.Add([]byte{})
	path := filepath.Join(f.TempDir(), "image.tar")
	cache := f.TempDir()
	f.Fuzz(func(t *testing.T, p []byte) {
		must(t, os.WriteFile(path, p, 0o644))
		check(t, cache, "tar:"+path, "amd64")
		check(t, cache, "tar:"+path+":v1", "")
	})
}

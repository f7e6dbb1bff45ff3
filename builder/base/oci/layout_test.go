package oci_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

func image(arch, content string) oci.Image {
	file := func(title, text string) oci.File {
		return oci.File{Title: title, MediaType: "application/x-test", Digest: blob.SumBytes([]byte(text)), Content: blob.String(text)}
	}
	return oci.Image{Arch: arch, ConfigType: "application/x-config+json", Config: []byte(`{"arch":"` + arch + `"}`), Files: []oci.File{file("a", content), file("b", "shared")}}
}

func write(t *testing.T, dir, tag string, im oci.Image) blob.Digest {
	t.Helper()
	d, err := oci.Write(t.Context(), dir, tag, im, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// snapshot is every file below dir.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		p, err := os.ReadFile(name)
		all[strings.TrimPrefix(name, dir)] = string(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// read is the content of the file called a in the image that bootwright finds, or the error.
func read(t *testing.T, name, arch string) (string, error) {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := reference.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	c := fetch.New(s, fetch.Options{})
	locked, err := c.Resolve(t.Context(), ref, arch)
	if err != nil {
		return "", err
	}
	im, err := c.Open(t.Context(), locked)
	if err != nil {
		return "", err
	}
	if im.Layers[0].Title != "a" || string(im.Config.MediaType) != "application/x-config+json" {
		t.Errorf("%s: %+v", name, im)
	}
	p, err := blob.ReadAll(im.Layers[0].Blob, 100)
	return string(p), err
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "layout")
	steps := []struct {
		tag  string
		im   oci.Image
		want map[string]string // content of a, by tag and architecture
	}{
		{"", image("amd64", "one"), map[string]string{"latest amd64": "one"}},
		{"", image("arm64", "two"), map[string]string{"latest amd64": "one", "latest arm64": "two"}},
		{"other", image("arm64", "two"), map[string]string{"latest amd64": "one", "latest arm64": "two", "other arm64": "two"}},
		{"latest", image("amd64", "three"), map[string]string{"latest amd64": "three", "latest arm64": "two", "other arm64": "two"}},
	}
	for _, step := range steps {
		write(t, dir, step.tag, step.im)
		got := map[string]string{}
		for _, tag := range []string{"latest", "other"} {
			for _, arch := range []string{"amd64", "arm64"} {
				content, err := read(t, "oci:"+dir+":"+tag, arch)
				if err == nil {
					got[tag+" "+arch] = content
				} else if report.KindOf(err) != report.NotFound {
					t.Error(err)
				}
			}
		}
		if !maps.Equal(got, step.want) {
			t.Errorf("after writing %s %s: %v, want %v", step.tag, step.im.Arch, got, step.want)
		}
	}
	before := snapshot(t, dir)
	write(t, dir, "", image("amd64", "three"))
	if !maps.Equal(before, snapshot(t, dir)) {
		t.Error("writing again what is there changed something")
	}
	shared := filepath.Join(dir, "blobs", "sha256", blob.SumBytes([]byte("shared")).Hex())
	if err := os.WriteFile(shared, []byte("SHARED"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "", image("amd64", "three"))
	if !maps.Equal(before, snapshot(t, dir)) {
		t.Error("a damaged blob was not mended")
	}
}

// TestOrderDoesNotShow writes two architectures in both orders: the index is the same.
func TestOrderDoesNotShow(t *testing.T) {
	t.Parallel()
	a, b := t.TempDir(), t.TempDir()
	write(t, a, "x", image("amd64", "one"))
	write(t, a, "x", image("arm64", "two"))
	write(t, b, "x", image("arm64", "two"))
	write(t, b, "x", image("amd64", "one"))
	if !maps.Equal(snapshot(t, a), snapshot(t, b)) {
		t.Error("the order of writing shows")
	}
}

// TestForeignReader has go-containerregistry read what was written.
func TestForeignReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := write(t, dir, "x", image("amd64", "one"))
	write(t, dir, "x", image("arm64", "two"))
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := top.IndexManifest()
	if err != nil || len(list.Manifests) != 1 {
		t.Fatalf("index.json has %+v, %v", list, err)
	}
	inner, err := top.ImageIndex(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if list, err = inner.IndexManifest(); err != nil || len(list.Manifests) != 2 || list.Manifests[0].Platform.String() != "linux/amd64" {
		t.Fatalf("the tag's index has %+v, %v", list, err)
	}
	im, err := inner.Image(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := im.Digest(); err != nil || d.String() != string(want) {
		t.Errorf("image %v, %v; want %s", d, err, want)
	}
	layers, err := im.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("layers %v, %v", layers, err)
	}
	if size, err := layers[0].Size(); err != nil || size != 3 {
		t.Errorf("layer of %d bytes, %v", size, err)
	}
}

func TestWriteTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	arches := []string{"386", "amd64", "arm64", "riscv64", "s390x"}
	var writers sync.WaitGroup
	for _, arch := range arches {
		writers.Go(func() {
			if _, err := oci.Write(t.Context(), dir, "x", image(arch, arch), nil); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	for _, arch := range arches {
		if got, err := read(t, "oci:"+dir+":x", arch); err != nil || got != arch {
			t.Errorf("%s: %q, %v", arch, got, err)
		}
	}
}

// broken is content that cannot be read to its end.
type broken struct{}

func (broken) Size() int64                       { return 1 << 20 }
func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk is on fire") }

func TestWriteFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "x", image("amd64", "one"))
	before := snapshot(t, dir)
	bad := image("amd64", "two")
	bad.Files[1].Content = broken{}
	if _, err := oci.Write(t.Context(), dir, "x", bad, nil); err == nil || !strings.Contains(err.Error(), "b: ") || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("unreadable content: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := oci.Write(canceled, dir, "x", image("amd64", "three"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled write: %v", err)
	}
	after := snapshot(t, dir)
	maps.DeleteFunc(after, func(name, content string) bool {
		_, ok := before[name]
		return !ok && strings.HasPrefix(name, "/blobs/")
	})
	if !maps.Equal(before, after) {
		t.Errorf("failed writes changed %v", slices.Sorted(maps.Keys(after)))
	}
	if got, err := read(t, "oci:"+dir+":x", "amd64"); got != "one" {
		t.Errorf("the image is now %q, %v", got, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	write(t, damaged, "x", image("amd64", "one"))
	if err := os.WriteFile(filepath.Join(damaged, "index.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ dir, tag, says string }{
		"tag with a slash":     {t.TempDir(), "a/b", "a/b"},
		"tag with a dot first": {t.TempDir(), ".a", ".a"},
		"endless tag":          {t.TempDir(), strings.Repeat("a", 129), "aaa"},
		"a file for a folder":  {file, "x", file},
		"damaged index":        {damaged, "x", "index.json"},
	} {
		if _, err := oci.Write(t.Context(), test.dir, test.tag, image("arm64", "one"), nil); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error of kind %v: %v", name, report.KindOf(err), err)
		}
		if err := oci.Check(test.dir, test.tag); test.dir != damaged && report.KindOf(err) != report.Invalid {
			t.Errorf("%s: Check says %v", name, err)
		}
	}
	parent := t.TempDir()
	if err := oci.Check(filepath.Join(parent, "not", "yet"), ""); err != nil {
		t.Error(err)
	}
	if left := snapshot(t, parent); len(left) > 0 {
		t.Errorf("Check left %v", left)
	}
}

// TestWriteVerifies damages the index that the tag refers to.
func TestWriteVerifies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "x", image("amd64", "one"))
	write(t, dir, "x", image("arm64", "two"))
	for name, content := range snapshot(t, dir) {
		if strings.HasPrefix(name, "/blobs/") && strings.Contains(content, `"manifests"`) {
			if err := os.WriteFile(dir+name, []byte(strings.Replace(content, "arm64", "amd64", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := oci.Write(t.Context(), dir, "x", image("riscv64", "three"), nil); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "digest") {
		t.Errorf("an index with another digest: %v", err)
	}
}

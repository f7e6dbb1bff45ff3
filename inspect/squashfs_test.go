package inspect

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
)

func squashfsImage(t *testing.T, files *tree.Tree) blob.Blob {
	t.Helper()
	var data bytes.Buffer
	if err := squashfs.Compress(t.Context(), &data, files, squashfs.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	im, err := squashfs.Format(files, blob.Bytes(data.Bytes()), squashfs.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestSquashfs finds files in an image in an initramfs, and lists those of an image by itself.
func TestSquashfs(t *testing.T) {
	t.Parallel()
	var files, outer, nested tree.Tree
	nested.File("etc/inner", 0o644, blob.String("found\n"))
	archive, err := cpio.Format(&nested, cpio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files.File("usr/a", 0o644, blob.String("text\n"))
	files.File("usr/initrd", 0o644, archive)
	files.Symlink("lib", "usr/lib")
	image := squashfsImage(t, &files)
	outer.File("000.a.sqsh", 0o444, image)
	outer.File("extensions.yaml", 0o444, blob.String("layers: [{image: 000.a.sqsh, metadata: {name: a, version: v1}}]"))
	initramfs, err := cpio.Format(&outer, cpio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	it, err := Open(t.Context(), "initramfs", initramfs, Options{Digests: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := it.Facts.Get("extensions"); got != "a v1" {
		t.Errorf("extensions: %q", got)
	}
	for path, want := range map[string]string{"000.a.sqsh/usr/a": "text\n", "000.a.sqsh/usr/initrd/etc/inner": "found\n"} {
		found, err := it.Find(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := blob.ReadAll(found.Blob, 100); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if found, err := it.Find("000.a.sqsh/lib"); err != nil || found.Facts.Get("to") != "usr/lib" {
		t.Errorf("%+v, %v", found, err)
	}
	for _, path := range []string{"000.a.sqsh/usr", "000.a.sqsh/usr/b", "000.a.sqsh/usr/a/b"} {
		if found, err := it.Find(path); err == nil {
			t.Errorf("%s is %s", path, found.Name)
		}
	}
	alone, err := Open(t.Context(), "image", image, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := alone.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "usr/a  text") || !strings.Contains(text.String(), "etc/inner") {
		t.Errorf("%s", text.String())
	}
}

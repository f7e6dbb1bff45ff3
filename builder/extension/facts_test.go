package extension_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

// unpack puts the files of tr into the folder dir.
func unpack(t testing.TB, dir string, tr *tree.Tree) {
	t.Helper()
	for _, n := range tr.Nodes() {
		p := filepath.Join(dir, n.Path)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		switch {
		case n.Link != "":
			must(t, os.Symlink(n.Link, p))
		case n.Mode.IsRegular():
			must(t, blob.WriteFile(t.Context(), p, n.Open(), blob.WriteOptions{Mode: n.Mode.Perm()}))
		}
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	modules := "usr/lib/modules/" + exttest.Release
	index, err := kmod.Scan(exttest.Base(), modules)
	must(t, err)
	unpack(t, dir+"/root", exttest.Base())
	unpack(t, filepath.Join(dir, "root", modules), index.Files())
	oracle.Run(t, "mksquashfs", dir+"/root", dir+"/root.sqsh", "-quiet", "-no-progress", "-comp", "zstd")
	root, err := blob.OpenFile(dir + "/root.sqsh")
	must(t, err)
	defer root.Close()

	m := &base.Manifest{Arch: "amd64", KernelVersion: exttest.Release}
	facts, err := extension.Facts(&fetch.Image{Layers: []fetch.Layer{{Title: base.Root, Blob: root}}}, m)
	must(t, err)
	facts.Version = "1.9.0"
	for _, f := range extensions.Validate(exttest.Sound(), facts, extensions.Options{}) {
		t.Error(f)
	}
	ext := exttest.Sound()
	ext.Remove("rootfs/usr/local/lib/libtool.so.1")
	reporttest.Want(t, extensions.Validate(ext, facts, extensions.Options{}).Err(), report.Invalid, "tool: is linked to libtool.so.1")

	m.KernelVersion = "6.2.0" // of which there are no modules
	_, err = extension.Facts(&fetch.Image{Layers: []fetch.Layer{{Title: base.Root, Blob: root}}}, m)
	if err == nil {
		t.Error("a base without a module index passes")
	}
	facts, err = extension.Facts(&fetch.Image{Layers: []fetch.Layer{{Title: base.Root, Blob: blob.String("soup")}}}, m)
	reporttest.Want(t, err, report.Invalid, "rootfs.sqsh: squashfs: ")
	if facts.Release != "6.2.0" || facts.Arch != "amd64" || facts.Root != nil {
		t.Errorf("%+v", facts)
	}
	_, err = extension.Facts(&fetch.Image{}, m)
	reporttest.Want(t, err, report.NotFound, "no part rootfs.sqsh")
}

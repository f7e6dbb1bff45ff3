package builder

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/builder/extend"
	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/extensions/realtest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/inspect"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
	"github.com/bootwright/bootwright/machine/extlayers"
	"github.com/bootwright/bootwright/profiles"
)

const modulesFolder = "usr/lib/modules/" + exttest.Release + "/"

// newExtensible is a builder with an empty store, and the folder of a base for amd64 whose root image is that of exttest.
func newExtensible(t testing.TB) (*Builder, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "base")
	if err := basetest.MakeExtensible(dir, "amd64"); err != nil {
		t.Fatal(err)
	}
	return newBuilderIn(t, t.TempDir()), dir
}

// small is an extension with one file of its own.
func small(name string) *tree.Tree {
	t := exttest.New(name, "1.0")
	t.File("rootfs/usr/local/share/"+name, 0o644, blob.String(name))
	return t
}

func withExtensions(t testing.TB, kind, base string, dirs ...string) *profiles.Profile {
	t.Helper()
	var set []string
	for _, dir := range dirs {
		set = append(set, fmt.Sprintf("input.systemExtensions=[{imageRef: 'dir:%s'}]", dir))
	}
	return profile(t, kind, base, append(set, "input.extensionRules.talosVersion=v1.9.2")...)
}

// opened is what is at path in the only file of an artifact.
func opened(t testing.TB, a *Artifact, path string) *inspect.Item {
	t.Helper()
	it, err := inspect.Open(t.Context(), "asset", a.Files[0].Blob, inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := it.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// layerTree is the content of a layer's image.
func layerTree(t testing.TB, a *Artifact, image string) *tree.Tree {
	t.Helper()
	out, err := squashfs.Read(opened(t, a, image).Blob, squashfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	b, base := newExtensible(t)
	sound, ucode := realtest.Write(t, exttest.Sound()), small("ucode")
	ucode.File("rootfs/lib/firmware/intel-ucode/06-55-04", 0o644, blob.Bytes(exttest.IntelMicrocode(0x50654)))
	plan := lock(t, b, withExtensions(t, "initramfs", base, sound, realtest.Write(t, ucode)))
	e := plan.Extensions
	if len(e) != 2 || e[0].Name != "hello" || e[0].Version != "1.2.3" || !slices.Equal(e[0].Brings.Modules, []string{"a", "b"}) ||
		!slices.Equal(e[0].Brings.Services, []string{"hello"}) || !slices.Equal(e[1].Brings.Microcode, []string{"06-55-04"}) || e[0].Source != "dir:"+sound {
		t.Errorf("%+v", e)
	}
	a := build(t, b, plan)
	list, err := blob.ReadAll(opened(t, a, extlayers.File).Blob, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	l, err := extlayers.Parse("list", list)
	if err != nil {
		t.Fatal(err)
	}
	var images []string
	for _, layer := range l.Layers {
		images = append(images, layer.Image)
	}
	if want := []string{"000.hello.sqsh", "001.ucode.sqsh", "002.modules-dep.sqsh"}; !slices.Equal(images, want) {
		t.Fatalf("%q", images)
	}
	if got := layerTree(t, a, images[0]); got.Get(modulesFolder+"extra/a.ko") == nil || got.Get("usr/local/bin/tool").Mode != 0o755 {
		t.Error("the first layer lacks files")
	}
	if got := layerTree(t, a, images[1]); got.Get("usr/lib/firmware/intel-ucode/06-55-04") != nil || got.Get("lib") != nil {
		t.Error("the second layer has microcode, or hides the base's link")
	}
	if got := layerTree(t, a, images[2]); got.Get(modulesFolder+"modules.dep") == nil {
		t.Error("there is no index of modules")
	}
	var head [16]byte
	if err := blob.ReadFull(a.Files[0].Blob, head[:], 0); err != nil || !bytes.Contains(head[:], []byte("070701")) {
		t.Errorf("the image begins with %q", head)
	}
}

// TestExtensionsKeepTheirOrder: the order is the plan's, and no layer depends on it.
func TestExtensionsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b, base := newExtensible(t)
	var dirs []string
	for i := range 12 {
		dirs = append(dirs, realtest.Write(t, small(fmt.Sprintf("e%d", 11-i))))
	}
	forth := lock(t, b, withExtensions(t, "initramfs", base, dirs...))
	a := build(t, b, forth)
	made := len(keys(t, b))
	for i := range 12 {
		opened(t, a, fmt.Sprintf("%03d.e%d.sqsh", i, 11-i))
	}
	slices.Reverse(dirs)
	back := lock(t, b, withExtensions(t, "initramfs", base, dirs...))
	build(t, b, back)
	if forth.Digest() == back.Digest() {
		t.Error("the order is no part of the plan")
	}
	for i, e := range forth.Extensions {
		if e.Layer != back.Extensions[11-i].Layer {
			t.Errorf("%s has another layer in the other order", e.Name)
		}
	}
	if got := len(keys(t, b)); got != made {
		t.Errorf("another order made %d pieces", got-made)
	}
}

// keys are the records of what the store made.
func keys(t testing.TB, b *Builder) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.Store.Dir(), "keys"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return entries
}

// TestOneMoreExtension costs that one alone.
func TestOneMoreExtension(t *testing.T) {
	t.Parallel()
	b, base := newExtensible(t)
	dirs := []string{realtest.Write(t, small("a")), realtest.Write(t, small("b")), realtest.Write(t, small("c"))}
	build(t, b, lock(t, b, withExtensions(t, "iso", base, dirs[:2]...)))
	before := len(keys(t, b))
	plan := lock(t, b, withExtensions(t, "iso", base, dirs...))
	if got, want := pieceText(t, b, plan), "extension/a cached\nextension/b cached\nextension/c compress"; !strings.HasSuffix(got, want) {
		t.Errorf("%s", got)
	}
	build(t, b, plan)
	if got := len(keys(t, b)) - before; got != 1 {
		t.Errorf("%d pieces were made", got)
	}
	if got := pieceText(t, b, plan); !strings.HasSuffix(got, "extension/c cached") {
		t.Errorf("%s", got)
	}
}

// TestExtensionFaults: all faults of all extensions are said at once, and nothing is made.
func TestExtensionFaults(t *testing.T) {
	t.Parallel()
	b, base := newExtensible(t)
	open, old, a, c := small("open"), small("old"), small("a"), small("c")
	open.File("rootfs/opt/x", 0o644, blob.String("x"))
	old.File("manifest.yaml", 0o644, blob.String("version: v1alpha1\nmetadata: {name: old, version: '1', compatibility: {talos: {version: '< v1.9.0'}}}\n"))
	a.File("rootfs/usr/local/f", 0o644, blob.String("1"))
	c.File("rootfs/usr/local/f", 0o644, blob.String("2"))
	c.File("rootfs/"+modulesFolder+"extra/m.ko", 0o644, blob.Bytes(exttest.Module("5.0.0", elf.EM_AARCH64)))
	dirs := []string{realtest.Write(t, open), realtest.Write(t, old), realtest.Write(t, a), realtest.Write(t, c)}
	_, err := b.Lock(t.Context(), withExtensions(t, "iso", base, dirs...))
	reporttest.Want(t, err, report.Invalid, "dir:"+dirs[0]+"/rootfs/opt/x: path /opt/x is not allowed")
	for _, says := range []string{"< v1.9.0 is not satisfied", "was built for kernel \"5.0.0\"", "EM_AARCH64"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("nothing says %q:\n%v", says, err)
		}
	}
	c.Remove("rootfs/usr/lib")
	dirs[3] = realtest.Write(t, c)
	_, err = b.Lock(t.Context(), withExtensions(t, "iso", base, dirs[2:]...))
	reporttest.Want(t, err, report.Invalid, "dir:"+dirs[3]+"/rootfs/usr/local/f: is in dir:"+dirs[2]+" too, with other content")
	_, err = b.Lock(t.Context(), withExtensions(t, "iso", base, dirs[2], dirs[2]+"/gone", dirs[2]+"/away"))
	reporttest.Want(t, err, report.KindOf(err), "gone")
	if !strings.Contains(err.Error(), "away") {
		t.Errorf("only the first is said: %v", err)
	}
	if got := keys(t, b); len(got) > 0 {
		t.Errorf("%d pieces were made", len(got))
	}
	p := withExtensions(t, "iso", base, dirs[2:]...)
	p.Input.ExtensionRules.MayReplace = []string{"/usr/local/f"}
	build(t, b, lock(t, b, p))
}

// TestExtensionLimits: a profile says how much an extension may be.
func TestExtensionLimits(t *testing.T) {
	t.Parallel()
	b, base := newExtensible(t)
	e := small("e")
	e.File("rootfs/usr/local/f", 0o644, blob.String(strings.Repeat("x", 5000)))
	p := withExtensions(t, "iso", base, realtest.Write(t, e))
	p.Input.ExtensionRules.MaxFiles = 3
	_, err := b.Lock(t.Context(), p)
	reporttest.Want(t, err, report.Unsupported, "more than 3 files")
	if !strings.Contains(report.HintOf(err), "input.extensionRules.maxFiles") {
		t.Errorf("the hint is %q", report.HintOf(err))
	}
	p.Input.ExtensionRules.MaxFiles = 30
	lock(t, b, p)
}

// TestExtensionChanges between plan and build: nothing is made of the rest.
func TestExtensionChanges(t *testing.T) {
	t.Parallel()
	b, base := newExtensible(t)
	dirs := []string{realtest.Write(t, small("a")), realtest.Write(t, small("b"))}
	plan := lock(t, b, withExtensions(t, "iso", base, dirs...))
	text, err := json.Marshal(Preview{Plan: *plan})
	if err != nil {
		t.Fatal(err)
	}
	saved, err := LoadPlan("saved", text)
	if err != nil {
		t.Fatal(err)
	}
	if saved.Digest() != plan.Digest() {
		t.Error("a saved plan has another digest")
	}
	file := filepath.Join(dirs[1], "rootfs/usr/local/share/b")
	if err := os.WriteFile(file, []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = b.Build(t.Context(), saved)
	reporttest.Want(t, err, report.Invalid, "dir:"+dirs[1]+" is not the extension that the plan was made with")
	if _, err = b.Build(t.Context(), plan); err == nil {
		t.Error("a file that changed after Lock was built")
	}
	for _, e := range plan.Extensions[1:] {
		if _, err := b.Store.Spooled(t.Context(), extend.Key(e.Layer)); err == nil {
			t.Error("half a layer is kept")
		}
	}
	if err := os.WriteFile(file, []byte("b"), 0o644); err != nil {
		t.Fatal(err)
	}
	first := build(t, b, saved)
	again := build(t, newBuilderIn(t, t.TempDir()), saved)
	if at, err := blob.Equal(t.Context(), first.Files[0].Blob, again.Files[0].Blob); at >= 0 || err != nil {
		t.Errorf("differs at %d, %v", at, err)
	}
	saved.Extensions[0].Layer = "sha256:x"
	_, err = b.Build(t.Context(), saved)
	reporttest.Want(t, err, report.Invalid, "extension \"a\" of the plan")
}

func TestExtensionsOfABaseWithoutRoot(t *testing.T) {
	t.Parallel()
	b, base := newBuilder(t)
	_, err := b.Lock(t.Context(), withExtensions(t, "iso", base, realtest.Write(t, small("a"))))
	reporttest.Want(t, err, report.KindOf(err), "the base dir:"+base)
}

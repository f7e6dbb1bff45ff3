package extend_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/extensions/realtest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/inspect"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/profiles"
)

// newBuilder is a builder, and the base for tests.
func newBuilder(t *testing.T) (*builder.Builder, string) {
	t.Helper()
	dir := os.Getenv("BOOTWRIGHT_TEST_BASE")
	if dir == "" {
		if os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") == "1" {
			t.Fatal("BOOTWRIGHT_TEST_BASE must name the OCI layout of a base; `make test-vm` sets it")
		}
		t.Skip("SKIPPED, NOT PASSED: BOOTWRIGHT_TEST_BASE names no base; `make test-vm` makes one")
	}
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	init := blob.String("init")
	return &builder.Builder{Store: s, Images: fetch.New(s, fetch.Options{}), Init: func(string) (blob.Blob, error) { return init, nil }}, "oci:" + dir
}

// TestReal composes extensions of real parts over a real base: what depmod(8) makes of all modules that a machine sees is
// what the layer on top says, unsquashfs reads the layers, and the microcode is where the kernel looks for it.
func TestReal(t *testing.T) {
	b, base := newBuilder(t)
	_, m, err := b.Base(t.Context(), base, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, ext := range []*tree.Tree{realtest.GPU(t, m.KernelVersion), realtest.Comedi(t, m.KernelVersion), realtest.Microcode()} {
		dirs = append(dirs, realtest.Write(t, ext))
	}
	plan, image := inspected(t, b, base, dirs...)
	view := root(t, image)
	checkIndex(t, view, m.KernelVersion)
	if got := plan.Extensions[0].Brings; !slices.Equal(got.Modules, []string{"bwgpu_modeset", "bwgpu_peermem", "bwgpu_uvm", "bwgpu"}) || got.Firmware != 1 {
		t.Errorf("%+v", got)
	}
	for _, at := range []string{"etc/cri/conf.d/10-bwgpu.part", "usr/local/bin/bwgpu-hook", "usr/lib/firmware/bwgpu/gsp.bin"} {
		if view.Get(at) == nil {
			t.Errorf("a machine has no %s", at)
		}
	}
	said := oracle.Run(t, "iucode_tool", "-tr", "-l", oracle.File(t, blob.Slice(image.Blob, 0, 64<<10)))
	if !strings.Contains(said, "0x00050654") || !strings.Contains(said, "0x000106a5") {
		t.Errorf("iucode_tool finds other microcode:\n%s", said)
	}
}

// TestLinker builds a program with a library in a folder of its own, and runs it, with the linker of the base, in what a
// machine would see: the files of the base, and over them those of the layers. What ldconfig makes of the same is what the
// layer on top has.
func TestLinker(t *testing.T) {
	b, base := newBuilder(t)
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT PASSED: chroot(2) takes root")
	}
	ext := exttest.New("odd", "1")
	dir := realtest.Write(t, ext)
	build(t, filepath.Join(dir, "rootfs/usr/local"))
	_, image := inspected(t, b, base, dir)
	machine := filepath.Join(t.TempDir(), "root")
	for _, name := range []string{"rootfs.sqsh", "000.odd.sqsh", "001.modules-dep.sqsh"} {
		it, err := image.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		oracle.Run(t, "unsquashfs", "-n", "-f", "-no-xattrs", "-d", machine, oracle.File(t, it.Blob))
	}
	if said := oracle.Run(t, "chroot", machine, "/usr/local/bin/odd"); said != "7" {
		t.Errorf("the program says %q", said)
	}
	said := oracle.Run(t, "chroot", machine, "/lib64/ld-linux-x86-64.so.2", "--list", "/usr/local/bin/odd")
	if !strings.Contains(said, "libodd.so.7 => /usr/local/odd/lib/libodd.so.7.1") || strings.Contains(said, "not found") {
		t.Errorf("the linker says\n%s", said)
	}
	compareCaches(t, machine)
}

// compareCaches holds the cache in the root file system against what ldconfig makes, told of the same folders. It would
// link libodd.so.7 to libodd.so.7.1, which is a file more.
func compareCaches(t *testing.T, machine string) {
	t.Helper()
	entries := func(cache string) map[string]bool {
		out := map[string]bool{}
		for line := range strings.Lines(oracle.Run(t, "ldconfig", "-p", "-C", filepath.Join(machine, cache))) {
			if name, _, ok := strings.Cut(line, " => "); ok {
				out[strings.TrimSpace(name)] = true
			}
		}
		return out
	}
	conf := filepath.Join(machine, "etc/all.conf")
	if err := os.WriteFile(conf, []byte("include /etc/ld.so.conf\n/usr/local/lib\n/usr/local/odd/lib\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	oracle.Run(t, "ldconfig", "-X", "-r", machine, "-f", "/etc/all.conf", "-C", "/etc/theirs")
	ours, theirs := entries("etc/ld.so.cache"), entries("etc/theirs")
	if len(ours) < 20 || !maps.Equal(ours, theirs) {
		t.Errorf("our cache has\n%v\nldconfig's has\n%v", ours, theirs)
	}
	t.Logf("%d libraries", len(ours))
}

// build compiles a library and a program that is linked to it below dir.
func build(t *testing.T, dir string) {
	t.Helper()
	oracle.Need(t, "gcc")
	lib := filepath.Join(dir, "odd/lib/libodd.so.7.1")
	source := filepath.Join(t.TempDir(), "odd.c")
	for _, at := range []string{filepath.Dir(lib), filepath.Join(dir, "bin")} {
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text := "#include <stdio.h>\n#ifdef LIB\nint odd(void) { return 7; }\n#else\nint odd(void);\nint main(void) { return printf(\"%d\", odd()) != 1; }\n#endif\n"
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	oracle.Run(t, "gcc", "-DLIB", "-shared", "-fPIC", "-Wl,-soname,libodd.so.7", "-o", lib, source)
	oracle.Run(t, "gcc", "-o", filepath.Join(dir, "bin/odd"), source, lib)
}

// inspected is the initramfs with the extensions in the folders dirs, and its plan.
func inspected(t *testing.T, b *builder.Builder, base string, dirs ...string) (*builder.Plan, *inspect.Item) {
	t.Helper()
	p, err := profiles.Builtin("initramfs")
	if err != nil {
		t.Fatal(err)
	}
	p.Base, p.Input.ExtensionRules.TalosVersion = base, "v1.9.2"
	for _, dir := range dirs {
		p.Input.SystemExtensions = append(p.Input.SystemExtensions, profiles.Image{ImageRef: "dir:" + dir})
	}
	if p, err = profiles.Resolve(p); err != nil {
		t.Fatal(err)
	}
	plan, err := b.Lock(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	a, err := b.Build(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	image, err := inspect.Open(t.Context(), "initramfs", a.Files[0].Blob, inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return plan, image
}

// root is what a machine sees: the layers of an initramfs over its root image, each unpacked by unsquashfs.
func root(t *testing.T, image *inspect.Item) *tree.Tree {
	t.Helper()
	var layers []*tree.Tree
	for _, name := range []string{"rootfs.sqsh", "000.bwgpu.sqsh", "001.comedi.sqsh", "002.microcode.sqsh", "003.modules-dep.sqsh"} {
		it, err := image.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "root")
		oracle.Run(t, "unsquashfs", "-n", "-no-xattrs", "-d", dir, oracle.File(t, it.Blob))
		layer, err := tree.FromDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := squashfs.Read(it.Blob, squashfs.Options{})
		if err != nil || ours.Len() < layer.Len() {
			t.Errorf("%s: %d files, unsquashfs has %d, %v", name, ours.Len(), layer.Len(), err)
		}
		if link := layer.Get("lib"); link != nil && name != "rootfs.sqsh" {
			t.Errorf("%s hides /lib", name)
		}
		layers = append(layers, layer)
	}
	return extensions.Overlay(layers...)
}

// checkIndex compares modules.dep with what depmod makes of the modules in view.
func checkIndex(t *testing.T, view *tree.Tree, release string) {
	t.Helper()
	folder := "usr/lib/modules/" + release
	modules := &tree.Tree{}
	for _, n := range view.Nodes() {
		if strings.HasPrefix(n.Path, folder+"/") && !n.Mode.IsDir() {
			modules.File(strings.TrimPrefix(n.Path, "usr/"), n.Mode, n.Content)
		}
	}
	dir := realtest.Write(t, modules)
	read := func() string {
		text, err := os.ReadFile(filepath.Join(dir, "lib/modules", release, "modules.dep"))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			slices.Sort(words[1:])
			lines = append(lines, strings.Join(words, " "))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	ours := read()
	oracle.Run(t, "depmod", "-b", dir, release)
	theirs := read()
	if ours != theirs {
		t.Errorf("modules.dep is not what depmod makes")
	}
	for _, m := range []string{"extra/bwgpu/bwgpu-uvm.ko: extra/bwgpu/bwgpu.ko", "kernel/drivers/comedi/drivers/comedi_test.ko: kernel/drivers/comedi/comedi.ko"} {
		if !strings.Contains(ours, m) {
			t.Errorf("nothing says %q", m)
		}
	}
	t.Logf("%d modules", strings.Count(ours, "\n")+1)
}

package compose

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

const modules = "usr/lib/modules/" + exttest.Release + "/"

// target is the base of exttest with links and folders of its own.
func target(t testing.TB) Target {
	t.Helper()
	root := exttest.Base()
	root.Symlink("sbin", "usr/sbin")
	root.Dir("usr/sbin", 0o755)
	root.Dir("usr/local", 0o755)
	root.File("etc/os-release", 0o644, blob.String("base"))
	root.Symlink("var/run", "../run")
	x, err := exttest.Index(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range x.Files().Nodes() {
		root.File(modules+n.Path, n.Mode, n.Content)
	}
	return Target{Root: root, Modules: x, Release: exttest.Release, Arch: "amd64"}
}

// source is an extension with files by path in its root file system.
func source(name string, files map[string]string) Source {
	t := exttest.New(name, "1.0")
	for p, text := range files {
		t.File("rootfs/"+p, 0o644, blob.String(text))
	}
	return Source{name + "-ref", t}
}

func module(fields ...string) string {
	return string(exttest.Module(exttest.Release, elf.EM_X86_64, fields...))
}

func compose(t testing.TB, to Target, sources ...Source) *Composition {
	t.Helper()
	c, found := Compose(sources, to)
	if found.Err() != nil {
		t.Fatal(found)
	}
	return c
}

// paths are those of what is no folder.
func paths(t *tree.Tree) string {
	var out []string
	if t != nil {
		for _, n := range t.Nodes() {
			if !n.Mode.IsDir() {
				out = append(out, n.Path)
			}
		}
	}
	return strings.Join(out, " ")
}

func text(t testing.TB, in *tree.Tree, p string) string {
	t.Helper()
	n := in.Get(p)
	if n == nil {
		t.Fatalf("no %s in %s", p, paths(in))
	}
	content, err := blob.ReadAll(n.Open(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestLinksOfTheBase: a layer has no folder where the base has a link.
func TestLinksOfTheBase(t *testing.T) {
	t.Parallel()
	to := target(t)
	s := source("a", map[string]string{
		"lib/firmware/x.bin": "1", "lib/modules/" + exttest.Release + "/extra/m.ko": module(), "lib/new/deep/f": "2",
		"usr/lib/firmware/x.bin": "1", "usr/lib/firmware/y.bin": "3", "lib64/ld-linux-x86-64.so.2": "4", "sbin/ldconfig": "5",
	})
	s.Tree.Symlink("rootfs/usr/local/lib64", "lib")
	s.Tree.Dir("rootfs/usr", 0o700)
	l := compose(t, to, s).Layers[0]
	const want = "usr/lib/firmware/x.bin usr/lib/firmware/y.bin usr/lib/modules/" + exttest.Release + "/extra/m.ko usr/lib/new/deep/f usr/lib64/ld-linux-x86-64.so.2 usr/local/lib64 usr/sbin/ldconfig"
	if got := paths(l.Tree); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, n := range l.Tree.Nodes() {
		if old := to.Root.Get(n.Path); old != nil && old.Mode != n.Mode {
			t.Errorf("%s is %v, and in the base %v", n.Path, n.Mode, old.Mode)
		}
	}
	s = source("a", map[string]string{"lib/firmware/x.bin": "1", "usr/lib/firmware/x.bin": "2"})
	_, found := Compose([]Source{s}, to)
	wantFinding(t, found, report.Fault, "a-ref/rootfs/usr/lib/firmware/x.bin", "is there twice")
}

func wantFinding(t testing.TB, found report.Findings, s report.Severity, file, says string) {
	t.Helper()
	for _, f := range found {
		if f.Severity == s && f.File == file && strings.Contains(f.String(), says) {
			return
		}
	}
	t.Errorf("%s: no finding says %q:\n%v", file, says, found)
}

// TestOrder: twelve extensions stay in their order, the layers of which do not depend on it.
func TestOrder(t *testing.T) {
	t.Parallel()
	var sources []Source
	for i := range 12 {
		sources = append(sources, source(fmt.Sprintf("e%d", 11-i), map[string]string{fmt.Sprintf("usr/local/f%d", i): "x", "usr/local/same": "y"}))
	}
	to := target(t)
	forth := compose(t, to, sources...)
	slices.Reverse(sources)
	back := compose(t, to, sources...)
	for i, l := range forth.Layers {
		if want := fmt.Sprintf("e%d", 11-i); l.Metadata.Name != want {
			t.Errorf("layer %d is %s, not %s", i, l.Metadata.Name, want)
		}
		a, b := digest(t, l.Tree), digest(t, back.Layers[11-i].Tree)
		if a != b || i > 0 && a == digest(t, forth.Layers[0].Tree) {
			t.Errorf("layer %d: %s, and in the other order %s", i, a, b)
		}
	}
}

func digest(t testing.TB, of *tree.Tree) blob.Digest {
	t.Helper()
	d, err := Digest(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDigest(t *testing.T) {
	t.Parallel()
	node := tree.Node{Path: "a", Mode: 0o644, Content: blob.String("x")}
	seen := map[blob.Digest]string{}
	for name, change := range map[string]func(*tree.Node){
		"as it is": func(*tree.Node) {},
		"path":     func(n *tree.Node) { n.Path = "b" },
		"mode":     func(n *tree.Node) { n.Mode = 0o755 },
		"content":  func(n *tree.Node) { n.Content = blob.String("y") },
		"time":     func(n *tree.Node) { n.ModTime = time.Unix(7, 0) },
		"link":     func(n *tree.Node) { n.Link = "x" },
	} {
		n := node
		change(&n)
		var tr tree.Tree
		mustAdd(&tr, n)
		d := digest(t, &tr)
		if seen[d] != "" {
			t.Errorf("%s and %s have one digest", name, seen[d])
		}
		seen[d] = name
	}
}

func TestCollisions(t *testing.T) {
	t.Parallel()
	a := source("a", map[string]string{"usr/local/f": "1", "usr/local/dir/x": "1", "usr/local/file": "1", modules + "extra/m.ko": module()})
	for _, c := range []struct {
		files      map[string]string
		mayReplace []string
		file, says string
	}{
		{map[string]string{"usr/local/f": "2"}, nil, "usr/local/f", "is in a-ref too, with other content"},
		{map[string]string{"usr/local/f": "12"}, []string{"/usr/local/g*", "usr/local/f", "/usr/local/f/"}, "usr/local/f", "is in a-ref too"},
		{map[string]string{"usr/local/dir": "1"}, []string{"/usr/local/*"}, "usr/local/dir", "is a folder in one of this extension and a-ref"},
		{map[string]string{"usr/local/file/x": "1"}, nil, "usr/local/file", "is a folder in one of this extension and a-ref"},
		{map[string]string{modules + "updates/m.ko": module("license=GPL")}, nil, modules + "updates/m.ko", "same name as /" + modules + "extra/m.ko of a-ref"},
		{map[string]string{modules + "extra/m-m.ko": module(), modules + "extra/m_m.ko": module()}, nil, modules + "extra/m_m.ko", "same name as"},
		{map[string]string{"usr/lib64/libc.so.6/x": "1"}, nil, "usr/lib64/libc.so.6", "hides a file of the base"},
		{map[string]string{"usr/lib64": "1"}, nil, "usr/lib64", "hides a folder of the base"},
		{map[string]string{"usr/lib/firmware/intel-ucode/06-55-04": "none of it"}, nil, "usr/lib/firmware/intel-ucode/06-55-04", "is no microcode for GenuineIntel"},
	} {
		to := target(t)
		to.MayReplace = c.mayReplace
		done, found := Compose([]Source{a, source("b", c.files)}, to)
		wantFinding(t, found, report.Fault, "b-ref/rootfs/"+c.file, c.says)
		if done != nil {
			t.Errorf("%s: there is a composition", c.file)
		}
	}
}

func TestReplacements(t *testing.T) {
	t.Parallel()
	to := target(t)
	to.MayReplace = []string{"/usr/local/[fg]", "/usr/local/share"}
	a := source("a", map[string]string{"usr/local/f": "1", "usr/local/share/deep/x": "1", "usr/local/same": "s"})
	b := source("b", map[string]string{
		"usr/local/f": "2", "usr/local/share/deep/x": "2", "usr/local/same": "s",
		"etc/os-release": "mine", modules + "extra/base-mod.ko": module(), "usr/lib64/libc.so.6": string(exttest.Program(elf.EM_X86_64, "")),
	})
	b.Tree.File("rootfs/usr/lib64/libc.so.6", 0o755, b.Tree.Get("rootfs/usr/lib64/libc.so.6").Content)
	done, found := Compose([]Source{a, b}, to)
	if done == nil || len(found) != 2 {
		t.Fatalf("%v", found)
	}
	wantFinding(t, found, report.Warning, "b-ref/rootfs/etc/os-release", "replaces the base's")
	wantFinding(t, found, report.Warning, "b-ref/rootfs/"+modules+"extra/base-mod.ko", "replaces the base's module at /"+modules+"kernel/base_mod.ko")
	if dep := text(t, done.Shared, modules+"modules.dep"); dep != "extra/base-mod.ko:\n" {
		t.Errorf("%q", dep)
	}
}

// TestIndex: the layer on top has what changed in the index of all modules, and no layer has an index of its own.
func TestIndex(t *testing.T) {
	t.Parallel()
	to := target(t)
	if c := compose(t, to, source("a", map[string]string{"usr/local/f": "1"})); c.Shared != nil {
		t.Errorf("without modules there is %s", paths(c.Shared))
	}
	a := source("a", map[string]string{
		modules + "extra/one.ko": module("depends=two", "alias=pci:v1*", "softdep=pre: base_mod"), modules + "modules.dep": "wrong", modules + "modules.alias.bin": "wrong",
	})
	b := source("b", map[string]string{"lib/modules/" + exttest.Release + "/extra/two.ko": module("depends=base-mod")})
	for _, sources := range [][]Source{{a, b}, {b, a}} {
		c := compose(t, to, sources...)
		if got, want := paths(c.Shared), modules+"modules.alias "+modules+"modules.dep "+modules+"modules.softdep"; got != want {
			t.Errorf("%s", got)
		}
		const dep = "kernel/base_mod.ko:\nextra/one.ko: extra/two.ko kernel/base_mod.ko\nextra/two.ko: kernel/base_mod.ko\n"
		if got := text(t, c.Shared, modules+"modules.dep"); got != dep {
			t.Errorf("%s", got)
		}
		if got := text(t, c.Shared, modules+"modules.alias"); !strings.Contains(got, "alias pci:v1* one\n") {
			t.Errorf("%s", got)
		}
		for _, l := range c.Layers {
			if l.Tree.Get(modules+"modules.dep") != nil || l.Tree.Get(modules+"modules.alias.bin") != nil {
				t.Errorf("%s has %s", l.Metadata.Name, paths(l.Tree))
			}
		}
	}
}

func TestMicrocode(t *testing.T) {
	t.Parallel()
	intel := func(sig uint32) string { return string(exttest.IntelMicrocode(sig)) }
	amd := func(n byte) string { return string(exttest.AMDMicrocode(n)) }
	const ucode = "usr/lib/firmware/"
	a := source("a", map[string]string{
		ucode + "intel-ucode/06-55-04": intel(2), ucode + "amd-ucode/microcode_amd_fam17h.bin": amd(2), ucode + "amd-ucode/README": "text", ucode + "x.bin": "1",
	})
	b := source("b", map[string]string{"lib/firmware/intel-ucode/06-1a-05": intel(1), "lib/firmware/amd-ucode/microcode_amd.bin": amd(1)})
	to := target(t)
	c := compose(t, to, a, b)
	const at = "kernel/x86/microcode/"
	if got := paths(c.Microcode); got != at+"AuthenticAMD.bin "+at+"GenuineIntel.bin" {
		t.Fatal(got)
	}
	if text(t, c.Microcode, at+"GenuineIntel.bin") != intel(1)+intel(2) || text(t, c.Microcode, at+"AuthenticAMD.bin") != amd(1)+amd(2) {
		t.Error("the files are not joined in the order of their names")
	}
	if got := paths(c.Layers[0].Tree) + " " + paths(c.Layers[1].Tree); got != ucode+"amd-ucode/README "+ucode+"x.bin " {
		t.Errorf("layers have %s", got)
	}
	if got := c.Layers[0].Brings; !slices.Equal(got.Microcode, []string{"microcode_amd_fam17h.bin", "06-55-04"}) || got.Firmware != 2 || got.Files != 4 {
		t.Errorf("%+v", got)
	}
	to.Arch = "arm64"
	if c := compose(t, to, a, b); c.Microcode != nil || paths(c.Layers[1].Tree) != ucode+"amd-ucode/microcode_amd.bin "+ucode+"intel-ucode/06-1a-05" {
		t.Error("arm64 has no microcode of its own")
	}
}

// TestEarly: firmware for what is built into the kernel is in the initramfs too.
func TestEarly(t *testing.T) {
	t.Parallel()
	to := target(t)
	to.Modules = kmod.NewIndex(nil, kmod.KernelFiles{BuiltinModinfo: "a.firmware=a/one.bin\x00a.firmware=b/*.fw\x00a.firmware=gone\x00a.firmware=linked\x00"})
	s := source("a", map[string]string{"lib/firmware/a/one.bin.xz": "1", "lib/firmware/b/x.fw": "2", "lib/firmware/other": "3", "usr/local/linked": "4"})
	s.Tree.Symlink("rootfs/lib/firmware/linked", "b/x.fw")
	c := compose(t, to, s)
	if got := paths(c.Early); got != "lib/firmware/a/one.bin.xz lib/firmware/b/x.fw lib/firmware/linked" {
		t.Errorf("%s", got)
	}
	if text(t, c.Early, "lib/firmware/linked") != "2" {
		t.Error("a link is not followed")
	}
	if got := paths(c.Layers[0].Tree); !strings.Contains(got, "usr/lib/firmware/b/x.fw") {
		t.Errorf("the layer lost it: %s", got)
	}
}

func TestTwice(t *testing.T) {
	t.Parallel()
	a := source("a", map[string]string{"usr/local/f": "1"})
	_, found := Compose([]Source{a, {"other-ref", a.Tree}}, target(t))
	wantFinding(t, found, report.Fault, "other-ref/manifest.yaml", "is the extension a, as a-ref is")
}

type broken struct{}

func (broken) Size() int64                       { return 1 }
func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk is on fire") }

func TestUnreadable(t *testing.T) {
	t.Parallel()
	a, b := source("a", map[string]string{"usr/local/f": "1"}), source("b", nil)
	b.Tree.File("rootfs/usr/local/f", 0o644, broken{})
	done, found := Compose([]Source{a, b}, target(t))
	if done != nil {
		t.Error("there is a composition")
	}
	wantFinding(t, found, report.Fault, "b-ref/rootfs/usr/local/f", "on fire")
	if _, err := Digest(t.Context(), b.Tree); err == nil || !strings.Contains(err.Error(), "rootfs/usr/local/f: disk is on fire") {
		t.Errorf("%v", err)
	}
	b.Tree.Remove("manifest.yaml")
	_, found = Compose([]Source{a, b}, target(t))
	wantFinding(t, found, report.Fault, "b-ref/manifest.yaml", "no manifest")
}

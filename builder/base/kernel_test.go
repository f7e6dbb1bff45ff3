package base

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/base/debian/debtest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

const testRelease = "6.1.0-1-test"

// bzImage has the header of an x86 kernel (Documentation/arch/x86/boot.rst) and no code.
func bzImage(release string) blob.Blob {
	p := make([]byte, 8192)
	p[0x1f1] = 4 // sectors of setup code
	copy(p[0x202:], "HdrS\x0f\x02")
	p[0x20f] = 1 // the release is at 0x300
	p[0x236] = 1 // 64 bits
	copy(p[0x300:], release+" (nobody) #1\x00")
	return blob.Bytes(p)
}

// module is an ELF object with a .modinfo section.
func module(fields ...string) blob.Blob {
	info := strings.Join(append(fields, "license=GPL", "vermagic="+testRelease+" SMP "), "\x00") + "\x00"
	const names, start = "\x00.shstrtab\x00.modinfo\x00", 64 + 3*64
	var b bytes.Buffer
	for _, v := range []any{
		elf.Header64{
			Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64),
			Shoff: 64, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 1,
		},
		elf.Section64{},
		elf.Section64{Name: 1, Off: start, Size: uint64(len(names))},
		elf.Section64{Name: 11, Off: start + uint64(len(names)), Size: uint64(len(info))},
		[]byte(names + info),
	} {
		binary.Write(&b, binary.LittleEndian, v)
	}
	return blob.Bytes(b.Bytes())
}

// kernelPackage has modules that stand for what a base keeps and leaves out. change may spoil it.
func kernelPackage(change func(*tree.Tree)) debtest.Package {
	t := &tree.Tree{}
	t.File("boot/vmlinuz-"+testRelease, 0o644, bzImage(testRelease))
	dir := "lib/modules/" + testRelease + "/"
	for name, m := range map[string]blob.Blob{
		"drivers/block/loop.ko":         module(),
		"fs/squashfs/squashfs.ko":       module("depends=zcodec"),
		"fs/overlayfs/overlay.ko":       module(),
		"lib/zcodec.ko":                 module(),
		"drivers/net/ethernet/nic.ko":   module("depends=mtd", "firmware=nic/fw.bin", "firmware=nic/gone.bin", "firmware=nic/board-*.txt"),
		"drivers/mtd/mtd.ko":            module(),
		"drivers/mtd/nand.ko":           module("depends=mtd", "firmware=nand.bin"),
		"sound/core/snd.ko":             module("firmware=snd.bin"),
		"drivers/gpu/drm/drm.ko":        module(),
		"drivers/gpu/drm/amd/amdgpu.ko": module("depends=drm"),
	} {
		t.File(dir+"kernel/"+name, 0o644, m)
	}
	t.File(dir+"modules.builtin", 0o644, blob.String("kernel/fs/ext4/ext4.ko\n"))
	t.File(dir+"modules.builtin.modinfo", 0o644, blob.String("ext4.license=GPL\x00"))
	t.File(dir+"modules.order", 0o644, blob.String("kernel/fs/squashfs/squashfs.ko\n"))
	if change != nil {
		change(t)
	}
	return debtest.Package{Name: "linux-image-" + testRelease, Files: t}
}

func firmwarePackage() debtest.Package {
	t := &tree.Tree{}
	for _, name := range []string{"nic/fw-2.bin", "nic/board-a.txt", "nic/board-b.txt", "nic/other.bin", "nand.bin", "snd.bin"} {
		t.File("lib/firmware/"+name, 0o644, blob.String(name))
	}
	t.Symlink("lib/firmware/nic/fw.bin", "fw-2.bin")
	return debtest.Package{Name: "firmware", Files: t}
}

func TestKernel(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "dpkg-deb")
	pool := debtest.Pool(t, kernelPackage(nil), firmwarePackage())
	k, err := newKernel(pool, "linux-image-"+testRelease, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	kept, out, err := k.modules(func(string) int64 { return 10 })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range kept {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	if got, want := strings.Join(names, " "), "drm loop mtd nic overlay squashfs zcodec"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	got := map[string]int{}
	for _, l := range out {
		got[l.Class] += l.Modules
		if l.Size != int64(l.Modules)*10 || l.Reason == "" {
			t.Errorf("left out %+v", l)
		}
	}
	if len(got) != 3 || got["audio"] != 1 || got["graphics"] != 1 || got["raw flash"] != 1 {
		t.Errorf("left out %v", got)
	}

	const dir = "usr/lib/firmware/nic/"
	if got, want := firmware(pool, kept), []string{dir + "board-a.txt", dir + "board-b.txt", dir + "fw-2.bin", dir + "fw.bin"}; !slices.Equal(got, want) {
		t.Errorf("firmware %q, want %q", got, want)
	}

	root := &tree.Tree{}
	if err := k.addModules(pool, root, kept, "modules.builtin"); err != nil {
		t.Fatal(err)
	}
	dep, err := blob.ReadAll(root.Get(k.dir+"/modules.dep").Open(), 1000)
	if err != nil || !strings.Contains(string(dep), "kernel/drivers/net/ethernet/nic.ko: kernel/drivers/mtd/mtd.ko\n") || strings.Contains(string(dep), "nand") {
		t.Errorf("modules.dep says %q, %v", dep, err)
	}
}

func TestEarly(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "dpkg-deb")
	pool := debtest.Pool(t, kernelPackage(nil))
	k, err := newKernel(pool, "linux-image-"+testRelease, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := k.early(pool)
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := cpio.Read(archive)
	if err != nil {
		t.Fatal(err)
	}
	index, err := kmod.Scan(files, k.dir)
	if err != nil {
		t.Fatal(err)
	}
	order, err := index.Load("loop", "squashfs", "overlay", "ext4")
	if err != nil || len(order) != 4 || len(index.Modules()) != 4 {
		t.Errorf("the init would load %v of %d modules, %v", order, len(index.Modules()), err)
	}
	if files.Get(path.Join(k.dir, "modules.dep")) == nil {
		t.Error("the early archive has no modules.dep")
	}
}

func TestNewKernelRefuses(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "dpkg-deb")
	boot, nic := "boot/vmlinuz-"+testRelease, "lib/modules/"+testRelease+"/kernel/drivers/net/ethernet/nic.ko"
	for name, test := range map[string]struct {
		arch string
		kind report.Kind
		says string
		do   func(*tree.Tree)
	}{
		"no kernel":             {"amd64", report.NotFound, boot, func(t *tree.Tree) { t.Remove(boot) }},
		"not a kernel":          {"amd64", report.Invalid, boot, func(t *tree.Tree) { t.File(boot, 0o644, blob.String("#!/bin/sh")) }},
		"a folder":              {"amd64", report.Invalid, boot, func(t *tree.Tree) { t.Remove(boot); t.Dir(boot, 0o755) }},
		"another architecture":  {"arm64", report.Invalid, "for amd64, not", nil},
		"another release":       {"amd64", report.Invalid, "5.0-other", func(t *tree.Tree) { t.File(boot, 0o644, bzImage("5.0-other")) }},
		"truncated module":      {"amd64", report.Invalid, "ethernet/nic.ko", func(t *tree.Tree) { t.File(nic, 0o644, blob.Slice(module(), 0, 100)) }},
		"module that is no ELF": {"amd64", report.Invalid, "ethernet/nic.ko", func(t *tree.Tree) { t.File(nic, 0o644, blob.String("oops")) }},
	} {
		_, err := newKernel(debtest.Pool(t, kernelPackage(test.do)), "linux-image-"+testRelease, test.arch)
		if report.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "package linux-image-") {
			t.Errorf("%s: error of kind %v: %v; want %v with %q", name, report.KindOf(err), err, test.kind, test.says)
		}
	}
	pool := debtest.Pool(t, kernelPackage(func(t *tree.Tree) { t.Remove("lib/modules/" + testRelease + "/kernel/lib") }))
	k, err := newKernel(pool, "linux-image-"+testRelease, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.early(pool); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "zcodec") {
		t.Errorf("a module without what it depends on: %v", err)
	}
}

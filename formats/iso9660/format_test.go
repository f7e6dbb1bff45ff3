package iso9660

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/tree/treetest"
	"github.com/bootwright/bootwright/internal/report"
)

func TestRockRidgeRoundTrip(t *testing.T) {
	t.Parallel()
	in := sample()
	im := format(t, in, Options{VolumeID: "BOOTWRIGHT", Publisher: "A", Preparer: "B", Application: "C", Epoch: epoch()})
	v := read(t, im)
	if v.Names != RockRidge || v.VolumeID != "BOOTWRIGHT" || v.Publisher != "A" || v.Preparer != "B" || v.Application != "C" || !v.Created.Equal(epoch()) || v.Size != im.Size() {
		t.Errorf("%+v", v)
	}
	if got, want := treetest.Dump(t, v.Tree, nil), treetest.Dump(t, in, undated); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, n := range in.Nodes() {
		if off, size, ok := im.Location(n.Path); ok != n.Mode.IsRegular() || size != n.Size() || ok && !same(t, n.Open(), blob.Slice(im, off, size)) {
			t.Errorf("%s is at %d, %d bytes, %v", n.Path, off, size, ok)
		}
	}
}

// TestOtherNames reads a tree by Joliet and by plain names.
func TestOtherNames(t *testing.T) {
	t.Parallel()
	in := plainSample()
	upper := func(n *tree.Node) { n.Path, n.Mode, n.ModTime = strings.ToUpper(n.Path), n.Mode.Type(), time.Time{} }
	for _, tt := range []struct {
		o      Options
		names  Names
		rename func(string) string
	}{
		{Options{NoRockRidge: true}, Joliet, func(s string) string { return s }},
		{Options{NoRockRidge: true, NoJoliet: true}, Plain, strings.ToUpper},
	} {
		v := read(t, format(t, in, tt.o))
		if v.Names != tt.names || !v.Created.IsZero() {
			t.Errorf("read by %s names, created %v", v.Names, v.Created)
		}
		if got, want := treetest.Dump(t, v.Tree, upper), treetest.Dump(t, in, upper); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.names, got, want)
		}
		for _, n := range in.Nodes() {
			if v.Tree.Get(tt.rename(n.Path)) == nil {
				t.Errorf("%s: no %s", tt.names, tt.rename(n.Path))
			}
		}
	}
}

func TestSpell(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long", 20)
	for _, tt := range []struct {
		style style
		dir   bool
		names []string
		want  []string
	}{
		{plain, false, []string{"vmlinuz", "grub.cfg", ".profile", "a.b.c", "x.", "no ext;1"}, []string{"VMLINUZ.;1", "GRUB.CFG;1", "_PROFILE.;1", "A_B.C;1", "X_.;1", "NO_EXT_1.;1"}},
		{plain, false, []string{"a b", "a_b", "A-B", "a_b1"}, []string{"A_B.;1", "A_B1.;1", "A_B2.;1", "A_B11.;1"}},
		{plain, false, []string{long, long + "1", long + ".zst", long + ".extension"}, []string{long30 + ".;1", long30[:29] + "1.;1", long30[:27] + ".ZST;1", long30[:29] + "2.;1"}},
		{plain, true, []string{"boot", "x86.efi", long}, []string{"BOOT", "X86_EFI", long30 + "N"}},
		{joliet, false, []string{"vmlinuz", "A b.ü", "what?*", long, long + ".cfg", long + "2.cfg", "🚀"}, []string{"vmlinuz", "A b.ü", "what__", long[:64], long[:60] + ".cfg", long[:59] + "1.cfg", "_"}},
		{joliet, true, []string{"x86.efi", long + ".d"}, []string{"x86.efi", long[:62] + ".d"}},
	} {
		ns := names{style: tt.style, taken: map[string]bool{}, next: map[string]int{}}
		for i, name := range tt.names {
			mode := fs.FileMode(0)
			if tt.dir {
				mode = fs.ModeDir
			}
			got := string(tt.style.encode(ns.spell(&tree.Node{Path: name, Mode: mode}), tt.dir))
			want := tt.want[i]
			if tt.style.dirDot {
				want = string(ucs2(want))
			}
			if got != want {
				t.Errorf("%q is spelled %q, want %q", name, got, want)
			}
		}
	}
}

const long30 = "LONGLONGLONGLONGLONGLONGLONGLO"

// TestDeterministic adds the same nodes in another order.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	nodes := sample().Nodes()
	slices.Reverse(nodes)
	other := &tree.Tree{}
	for _, n := range nodes {
		if err := other.Add(*n); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Epoch: epoch(), Align: 4096}
	if !same(t, format(t, sample(), o), format(t, other, o)) {
		t.Error("the order of Add shows")
	}
}

func TestSystemAreaIsAHole(t *testing.T) {
	t.Parallel()
	im := format(t, plainSample(), Options{})
	if h := blob.Holes(im.Image); len(h) == 0 || h[0] != (blob.Range{Offset: 0, Length: systemArea * sector}) {
		t.Errorf("holes %v", h)
	}
}

func TestAlignAndPad(t *testing.T) {
	t.Parallel()
	in := &tree.Tree{}
	for i := range 10 {
		in.File(fmt.Sprintf("small%d", i), 0o644, pattern(1, 100))
		in.File(fmt.Sprintf("zbig%d", i), 0o644, pattern(byte(i), 10_000))
	}
	im := format(t, in, Options{Align: 4096, Pad: -1})
	last := int64(0)
	for _, n := range in.Nodes() {
		off, size, _ := im.Location(n.Path)
		last = max(last, off+size)
		if off%sector != 0 || size >= 4096 && off%4096 != 0 {
			t.Errorf("%s is at %d", n.Path, off)
		}
	}
	if im.Size() != blob.Align(last, sector) {
		t.Errorf("%d bytes, the last file ends at %d", im.Size(), last)
	}
	if padded := format(t, in, Options{Align: 4096}); padded.Size() != im.Size()+150*sector || read(t, padded).Size != padded.Size() {
		t.Errorf("%d bytes with padding, %d without", padded.Size(), im.Size())
	}
}

// shared is a tree in which the boot partition's image holds the kernel and a file that holds them both, twice.
func shared() (in *tree.Tree, kernel, initrd, esp blob.Blob) {
	kernel, initrd = pattern(1, 50_000), pattern(2, 70_001)
	im, err := blob.NewImage(1<<20, blob.Extent{Name: "fat", Blob: pattern(3, 4096)},
		blob.Extent{Name: "kernel", Offset: 8192, Blob: kernel}, blob.Extent{Name: "initrd", Offset: 200_192, Blob: initrd})
	if err != nil {
		panic(err)
	}
	esp = im
	in = &tree.Tree{}
	in.File("boot/vmlinuz", 0o644, kernel)
	in.File("boot/initramfs", 0o644, initrd) // 200,192 is no whole sector: it has a place of its own
	in.File("boot/efi.img", 0o644, esp)
	in.File("copy.img", 0o644, esp)
	in.File("disk.img", 0o644, blob.Concat(blob.Part("table", pattern(4, 2048)), blob.Part("esp", esp)))
	in.File("same", 0o644, blob.Bytes(flatOf(kernel)))
	return in, kernel, initrd, esp
}

func flatOf(b blob.Blob) []byte {
	p := make([]byte, b.Size())
	if err := blob.ReadFull(b, p, 0); err != nil {
		panic(err)
	}
	return p
}

func TestSharedContent(t *testing.T) {
	t.Parallel()
	in, _, _, _ := shared()
	im := format(t, in, Options{Align: 4096, Pad: -1})
	at := map[string]int64{}
	for _, n := range in.Nodes() {
		at[n.Path], _, _ = im.Location(n.Path)
	}
	disk := at["disk.img"]
	for path, want := range map[string]int64{"boot/efi.img": disk + 2048, "copy.img": disk + 2048, "boot/vmlinuz": disk + 2048 + 8192} {
		if at[path] != want {
			t.Errorf("%s is at %d, want %d, inside disk.img", path, at[path], want)
		}
	}
	for _, path := range []string{"boot/initramfs", "same"} {
		if o := at[path]; o >= disk && o < disk+1<<20 || o == 0 {
			t.Errorf("%s is at %d, inside disk.img", path, o)
		}
	}
	if im.Size() > 1<<20+400_000 {
		t.Errorf("%d bytes: content is there twice", im.Size())
	}
	if got, want := dump(t, read(t, im).Tree, nil), dump(t, in, nil); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// dump is treetest.Dump without the root, which Rock Ridge always has and trees often have not.
func dump(tb testing.TB, t *tree.Tree, change func(*tree.Node)) string {
	t.Dir(".", 0o755)
	return treetest.Dump(tb, t, change)
}

func TestSharingIgnoresPatchedImages(t *testing.T) {
	t.Parallel()
	img := pattern(7, 4096)
	in := &tree.Tree{}
	in.File("a.img", 0o644, img)
	in.File("b.img", 0o644, img)
	im := format(t, in, Options{Boot: []BootEntry{{Path: "a.img", InfoTable: true}}})
	v := read(t, im)
	if !same(t, v.Tree.Get("b.img").Content, img) || same(t, v.Tree.Get("a.img").Content, img) {
		t.Error("the table is in the wrong file")
	}
}

// TestBigFile has one file of two extents; the last bytes tell whether they follow one another.
func TestBigFile(t *testing.T) {
	t.Parallel()
	v := read(t, bigImage(t).Image)
	n := v.Tree.Get("big")
	if n == nil || n.Size() != bigSize {
		t.Fatalf("%+v", n)
	}
	for _, off := range []int64{0, maxExtent - 8, bigSize - 8} {
		p := make([]byte, 8)
		if err := blob.ReadFull(n.Content, p, off); err != nil || string(p) != fmt.Sprintf("%08x", off&0xffffffff) {
			t.Errorf("at %d: %q, %v", off, p, err)
		}
	}
}

const bigSize = 9<<30 + 5

// bigImage holds a sparse file of three extents with its offset written at three places.
func bigImage(tb testing.TB) *Image {
	tb.Helper()
	var es []blob.Extent
	for _, off := range []int64{0, maxExtent - 8, bigSize - 8} {
		es = append(es, blob.Extent{Name: "mark", Offset: off, Blob: blob.String(fmt.Sprintf("%08x", off&0xffffffff))})
	}
	big, err := blob.NewImage(bigSize, es...)
	if err != nil {
		tb.Fatal(err)
	}
	in := &tree.Tree{}
	in.File("big", 0o644, big)
	in.File("zlast", 0o644, blob.String("behind it"))
	return format(tb, in, Options{})
}

func TestThousandsOfFiles(t *testing.T) {
	t.Parallel()
	in := &tree.Tree{}
	for i := range 5000 {
		in.File(fmt.Sprintf("folder/file with a name that is cut and numbered %05d.conf", i), 0o644, blob.String(fmt.Sprint(i)))
	}
	for _, o := range []Options{{}, {NoRockRidge: true}} {
		typeOnly := func(n *tree.Node) { n.Mode = n.Mode.Type() }
		if dump(t, read(t, format(t, in, o)).Tree, typeOnly) != dump(t, in, typeOnly) {
			t.Errorf("%+v: trees differ", o)
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	t.Parallel()
	ok := func(*tree.Tree) {}
	boot := func(e BootEntry) Options { return Options{Boot: []BootEntry{e}} }
	for _, tt := range []struct {
		name string
		add  func(*tree.Tree)
		o    Options
		want string
	}{
		{"volume id too long", ok, Options{VolumeID: strings.Repeat("v", 33)}, "at most 32 printable ASCII"},
		{"volume id not ASCII", ok, Options{VolumeID: "ünï"}, "at most 32 printable ASCII"},
		{"publisher", ok, Options{Publisher: "line\n"}, `publisher "line\n"`},
		{"alignment", ok, Options{Align: 3000}, "alignment 3000"},
		{"small alignment", ok, Options{Align: 512}, "alignment 512"},
		{"name", func(tr *tree.Tree) { tr.File(strings.Repeat("x", 254), 0o644, nil) }, Options{}, "name of 254 bytes"},
		{"link without Rock Ridge", func(tr *tree.Tree) { tr.Symlink("l", "x") }, Options{NoRockRidge: true}, "without Rock Ridge only folders and files"},
		{"link to nothing", func(tr *tree.Tree) { tr.Symlink("l", "") }, Options{}, "l: symbolic link with target"},
		{"unknown type", func(tr *tree.Tree) { tr.File("f", fs.ModeIrregular, nil) }, Options{}, "f: a file of unknown type"},
		{"huge file", func(tr *tree.Tree) { tr.File("f", 0o644, blob.Zeros(8<<40)) }, Options{}, "f: 8796093022208 bytes do not fit"},
		{"huge volume", func(tr *tree.Tree) {
			tr.File("f", 0o644, blob.Zeros(5<<40))
			tr.File("g", 0o644, blob.Zeros(5<<40))
		}, Options{}, "8 TiB is the limit"},
		{"no boot image", ok, boot(BootEntry{Path: "missing.img"}), `boot image "missing.img" is not in the tree`},
		{"folder as boot image", ok, boot(BootEntry{Path: "boot"}), "not a regular file with content"},
		{"empty boot image", ok, boot(BootEntry{Path: "empty"}), "not a regular file with content"},
		{"platform", ok, boot(BootEntry{Path: "one", Platform: 1}), "for platform 0x1"},
		{"load sectors", ok, boot(BootEntry{Path: "one", LoadSectors: 65536}), "65536 load sectors"},
		{"short for a table", ok, boot(BootEntry{Path: "one", InfoTable: true}), "of 1 bytes is too short"},
		{"short for GRUB", ok, boot(BootEntry{Path: "boot/initramfs.zst", GRUB2Info: true}), "of 2048 bytes is too short"},
		{"long for a table", func(tr *tree.Tree) { tr.File("f", 0o644, blob.Zeros(1<<30)) }, boot(BootEntry{Path: "f", InfoTable: true}), "too long"},
		{"many boot entries", ok, Options{Boot: make([]BootEntry, 33)}, "33 boot entries"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := plainSample()
			tt.add(in)
			_, err := Format(in, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if k := report.KindOf(err); k != report.Invalid && k != report.Unsupported {
				t.Errorf("error of kind %v", k)
			}
		})
	}
}

func TestTooManyFolders(t *testing.T) {
	t.Parallel()
	in := &tree.Tree{}
	for i := range maxFolders {
		in.Dir(fmt.Sprint(i), 0o755)
	}
	if _, err := Format(in, Options{NoJoliet: true, NoRockRidge: true}); err == nil || !strings.Contains(err.Error(), "65536 folders") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkFormat lays out an ISO of twenty files with boot entries and shared content.
func BenchmarkFormat(b *testing.B) {
	in, _, _, _ := shared()
	in.File("boot/eltorito.img", 0o644, pattern(9, 4096))
	for i := range 13 {
		in.File(fmt.Sprintf("boot/grub/file%d.cfg", i), 0o644, pattern(byte(i), 1000))
	}
	o := Options{VolumeID: "BENCH", Epoch: epoch(), Align: 4096, Boot: []BootEntry{{Path: "boot/eltorito.img", InfoTable: true, GRUB2Info: true}, {Path: "boot/efi.img", Platform: EFI}}}
	for b.Loop() {
		format(b, in, o)
	}
}

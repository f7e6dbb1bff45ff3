package inspect

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/pe"
	"github.com/bootwright/bootwright/formats/pe/petest"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/vmdk"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/report"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func bytesOf(b blob.Blob) []byte { return must(blob.ReadAll(b, 64<<20)) }

// initramfs is four pieces: zstd, plain, gzip and again plain, the last with another /init.
func initramfs() blob.Blob {
	archive := func(name, content string) blob.Blob {
		var t tree.Tree
		t.File(name, 0o755, blob.String(content))
		t.Symlink("link", "init")
		return must(cpio.Format(&t, cpio.Options{}))
	}
	var z, g bytes.Buffer
	if err := zstd.Compress(context.Background(), &z, archive("init", "first init"), zstd.Options{}); err != nil {
		panic(err)
	}
	w := gzip.NewWriter(&g)
	w.Write(bytesOf(archive("etc/issue", "hello\n")))
	w.Close()
	return blob.Concat(
		blob.Part("z", blob.Bytes(z.Bytes())), blob.Padding(int64(z.Len()), 4), blob.Part("plain", archive("root/a", "A")),
		blob.Part("g", blob.Bytes(g.Bytes())), blob.Padding(int64(g.Len()), 4), blob.Part("last", archive("init", "second init")),
	)
}

func uki(cmdline string) blob.Blob {
	return must(pe.Format(blob.Bytes(petest.Stub()), []pe.Section{
		{Name: ".osrel", Content: blob.String("ID=x\n")},
		{Name: ".cmdline", Content: blob.String(cmdline)},
		{Name: ".initrd", Content: initramfs()},
		{Name: ".linux", Content: blob.String("no kernel")},
	}, pe.Options{}))
}

func iso(cmdline string) blob.Blob {
	var esp, files tree.Tree
	esp.File("EFI/Linux/x.efi", 0o644, uki(cmdline))
	efi := must(fat.Format(&esp, fat.Options{Label: "EFI"}))
	files.File("boot/efi.img", 0o444, efi)
	files.File("initramfs.img", 0o444, initramfs()) // as in the UKI
	files.File("readme.txt", 0o444, blob.String("read me\n"))
	im := must(iso9660.Format(&files, iso9660.Options{VolumeID: "TEST", Boot: []iso9660.BootEntry{{Platform: iso9660.EFI, Path: "boot/efi.img"}}}))
	at, size, _ := im.Location("boot/efi.img")
	return must(gpt.Wrap(im, []gpt.Partition{{Name: "EFI", Type: gpt.EFISystem(), Start: at, Size: blob.Align(size, 512)}}, gpt.Options{}))
}

func disk() blob.Blob {
	var esp tree.Tree
	esp.File("EFI/BOOT/BOOTX64.EFI", 0o644, uki("quiet"))
	return must(gpt.Format([]gpt.Partition{
		{Name: "EFI", Type: gpt.EFISystem(), Content: must(fat.Format(&esp, fat.Options{}))},
		{Name: "DATA", Type: gpt.LinuxFilesystem(), Size: 1 << 20},
	}, gpt.Options{}))
}

// ova is the disk, compressed in an archive.
func ova() blob.Blob {
	var b bytes.Buffer
	if err := vmdk.Stream(context.Background(), &b, disk(), vmdk.Options{}); err != nil {
		panic(err)
	}
	return must(tar.Archive([]tar.File{{Name: "x.ovf", Content: blob.String("<Envelope/>")}, {Name: "x.vmdk", Content: blob.Bytes(b.Bytes())}}, tar.Options{}))
}

func open(t testing.TB, b blob.Blob, o Options) *Item {
	t.Helper()
	it, err := Open(t.Context(), "x", b, o)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path, want string
		in               blob.Blob
	}{
		{"file in an ISO", "/readme.txt", "read me\n", iso("quiet")},
		{"section of a UKI in a file system in an ISO", "boot/efi.img/EFI/Linux/x.efi/.cmdline", "quiet", iso("quiet")},
		{"the last of two files", "boot/efi.img/EFI/Linux/x.efi/.initrd/init", "second init", iso("quiet")},
		{"the first of two files", "boot/efi.img/EFI/Linux/x.efi/.initrd/#1/init", "first init", iso("quiet")},
		{"in a gzip piece", "etc/issue", "hello\n", initramfs()},
		{"partition of a disk", "partition1/EFI/BOOT/BOOTX64.EFI/.osrel", "ID=x\n", disk()},
		{"partition of a disk in an OVA", "x.vmdk/disk/partition1/EFI/BOOT/BOOTX64.EFI/.initrd/init", "second init", ova()},
	} {
		it, err := open(t, c.in, Options{}).Find(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := string(bytesOf(it.Blob)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	_, err := open(t, iso("quiet"), Options{}).Find("boot/efi.img/EFI/other")
	if report.KindOf(err) != report.NotFound || report.HintOf(err) == "" {
		t.Errorf("what is not there: %v", err)
	}
}

// TestNotFound: an error says whether there is nothing, a folder, or something that could not be read.
func TestNotFound(t *testing.T) {
	t.Parallel()
	short := blob.Bytes(bytesOf(iso("quiet"))[:70_000])
	for _, c := range []struct {
		path, want string
		kind       report.Kind
		in         blob.Blob
	}{
		{"/boot", "x:/boot is a folder", report.Invalid, iso("quiet")},
		{"boot/efi.img/EFI/", "is a folder", report.Invalid, iso("quiet")},
		{"boot/efi.img/EFI/Linux/x.efi/.initrd/root", "is a folder", report.Invalid, iso("quiet")},
		{"/boo", "has no /boo", report.NotFound, iso("quiet")},
		{"/readme.txt", "that can be read: ", report.NotFound, short},
	} {
		_, err := open(t, c.in, Options{}).Find(c.path)
		if report.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: kind %v: %v; want %q", c.path, report.KindOf(err), err, c.want)
		}
	}
}

func TestWhatPeopleRead(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := open(t, iso("quiet splash"), Options{Digests: true}).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"x  iso9660  ", "  label: TEST\n", "boot EFI: /boot/efi.img", "partition 1: EFI, ", "boot/efi.img  fat16", "EFI/Linux/x.efi  uki",
		"cmdline: quiet splash\n", "unpacked: ", "etc/issue  text", "link  link\n", "to: init",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("nothing says %q in\n%s", want, b.String())
		}
	}
	if n := strings.Count(b.String(), "etc/issue  text"); n != 1 {
		t.Errorf("the initramfs is shown %d times:\n%s", n, b.String())
	}
	text, err := json.Marshal(open(t, disk(), Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Type  string
		Facts map[string]string
		Items []struct{ Name, Type string }
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if v.Type != "gpt" || len(v.Items) != 2 || v.Items[0].Type != "fat16" || v.Facts["disk guid"] == "" {
		t.Errorf("%+v", v)
	}
}

// TestForeignText: what a file says must not steer the terminal.
func TestForeignText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	it := &Item{Name: "x", Type: "text", Facts: Facts{{"text", "a\x1b[31mred\nb\x07"}}}
	if err := it.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07") {
		t.Errorf("control characters reach the terminal: %q", b.String())
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	diff := func(a, b blob.Blob) []Change {
		t.Helper()
		changes, err := Diff(t.Context(), open(t, a, Options{Digests: true}), open(t, b, Options{Digests: true}))
		if err != nil {
			t.Fatal(err)
		}
		return changes
	}
	if got := diff(iso("quiet"), iso("quiet")); len(got) != 0 {
		t.Errorf("equal assets differ: %v", got)
	}
	got := diff(uki("quiet"), uki("quiet splash"))
	if len(got) != 1 || got[0] != (Change{"changed", ".cmdline text", "quiet", "quiet splash"}) {
		t.Errorf("another command line: %v", got)
	}
	got = diff(blob.String("one"), blob.Bytes([]byte{0, 1, 2}))
	if len(got) == 0 {
		t.Error("other content is no difference")
	}
	var a, b tree.Tree
	a.File("gone", 0o644, blob.String("x"))
	b.File("new", 0o644, blob.String("x"))
	got = diff(must(cpio.Format(&a, cpio.Options{})), must(cpio.Format(&b, cpio.Options{Epoch: time.Unix(9, 0)})))
	if len(got) != 2 || got[0].Op != "removed" || got[0].Path != "#1/gone" || got[1].Op != "added" {
		t.Errorf("another file: %v", got)
	}
	var out strings.Builder
	if err := WriteChanges(&out, got); err != nil || out.String() != "- #1/gone  (text, 1 B)\n+ #1/new  (text, 1 B)\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestBytesAfterTheLastArchiveDiffer: a difference that no item tells of is told all the same.
func TestBytesBetweenItems(t *testing.T) {
	t.Parallel()
	a := bytesOf(disk())
	b := bytes.Clone(a)
	b[len(b)-40<<10] ^= 1 // before the backup table, in no partition
	changes, err := Diff(t.Context(), open(t, blob.Bytes(a), Options{}), open(t, blob.Bytes(b), Options{}))
	if err != nil || len(changes) != 1 || !strings.Contains(changes[0].After, "different from byte") {
		t.Errorf("%v, %v", changes, err)
	}
}

// TestFirstPart: an archive that ends before the content of a file is the first part of one, which is no damage; one that ends
// anywhere else is cut short.
func TestFirstPart(t *testing.T) {
	t.Parallel()
	var files tree.Tree
	root := blob.String(strings.Repeat("x", 5000))
	files.File("rootfs.sqsh", 0o644, root)
	whole := must(cpio.Format(&files, cpio.Options{}))
	at, ok := blob.Locate(whole, root)
	if !ok {
		t.Fatal("the content is not in the archive")
	}
	first := open(t, blob.Slice(whole, 0, at), Options{})
	if got := first.Items[0]; first.Note != "" || got.Type != "cpio" || got.Size != at || got.Facts.Get("goes on elsewhere") != "rootfs.sqsh, 5000 bytes" {
		t.Errorf("%+v, %+v", first, got)
	}
	if cut := open(t, blob.Slice(whole, 0, at+1), Options{}); !strings.Contains(cut.Note, "cut short") {
		t.Errorf("%+v", cut)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	var many tree.Tree
	for i := range 50 {
		many.File(string(rune('a'+i%26))+strings.Repeat("x", i), 0o644, blob.String("x"))
	}
	it := open(t, must(cpio.Format(&many, cpio.Options{})), Options{MaxItems: 10})
	if n := len(it.Items[0].Items); n > 10 || it.Items[0].Note == "" {
		t.Errorf("%d items, note %q", n, it.Items[0].Note)
	}
	var z bytes.Buffer
	if err := zstd.Compress(t.Context(), &z, blob.Zeros(10<<20), zstd.Options{}); err != nil {
		t.Fatal(err)
	}
	it = open(t, blob.Bytes(z.Bytes()), Options{Unpacked: 1 << 20})
	if it.Note == "" {
		t.Error("a compressed file was unpacked beyond the bound")
	}
	inner := blob.Blob(blob.String("core"))
	for range 40 {
		var tr tree.Tree
		tr.File("in", 0o644, inner)
		inner = must(cpio.Format(&tr, cpio.Options{}))
	}
	depth := 0
	for it := open(t, inner, Options{}); len(it.Items) > 0; it = it.Items[0] {
		depth++
	}
	if depth > 2*maxDepth {
		t.Errorf("%d levels were opened", depth)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "x", iso("quiet"), Options{Digests: true}); err == nil {
		t.Error("a cancelled look goes on")
	}
}

// FuzzOpen: any bytes are described within the bounds, and what is described can be printed, found and compared.
func FuzzOpen(f *testing.F) {
	for _, b := range []blob.Blob{iso("quiet"), disk(), uki("quiet"), initramfs()} {
		p := bytesOf(b)
		f.Add(p[:min(len(p), 256<<10)])
	}
	f.Add([]byte("hsqs" + strings.Repeat("\xff", 92)))
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, p []byte) {
		it := open(t, blob.Bytes(p), Options{MaxItems: 200, Unpacked: 1 << 20, Digests: true})
		if err := it.WriteText(&strings.Builder{}); err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(it); err != nil {
			t.Fatal(err)
		}
		it.Find("boot/efi.img")
		if changes, err := Diff(t.Context(), it, it); err != nil || len(changes) > 0 {
			t.Fatalf("differs from itself: %v %v", changes, err)
		}
	})
}

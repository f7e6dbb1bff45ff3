package iso9660

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

func xorriso(t *testing.T, args ...string) string {
	t.Helper()
	out := oracle.Run(t, "xorriso", append([]string{"-abort_on", "WARNING", "-return_with", "WARNING", "32"}, args...)...)
	if strings.Contains(out, "WARNING") || strings.Contains(out, "SORRY") {
		t.Errorf("xorriso says\n%s", out)
	}
	return out
}

// extracted is what a judge unpacked, without the attributes that FromDir leaves out.
func extracted(t *testing.T, dir string) string {
	t.Helper()
	out, err := tree.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dump(t, out, nil)
}

// TestXorriso lists all attributes and unpacks all content.
func TestXorriso(t *testing.T) {
	t.Parallel()
	in := sample()
	in.Remove("link/longest") // more than xorriso takes
	path := oracle.File(t, format(t, in, Options{VolumeID: "BOOTWRIGHT", Epoch: epoch()}))
	list := xorriso(t, "-indev", path, "-find", "/", "-exec", "lsdl", "--")
	if !strings.Contains(list, "Volume id    : 'BOOTWRIGHT'") {
		t.Errorf("no volume id in\n%s", list)
	}
	for _, n := range in.Nodes() {
		if want := lsdl(n); !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("xorriso does not list %q as %s", n.Path, want)
		}
	}
	if t.Failed() {
		t.Log(list)
	}

	for _, p := range []string{"dev", "run"} { // may not be unpacked by everybody
		in.Remove(p)
	}
	dir := t.TempDir()
	xorriso(t, "-osirrox", "on:auto_chmod_on", "-indev", oracle.File(t, format(t, in, Options{})), "-extract", "/", dir)
	fixed := func(n *tree.Node) {
		n.UID, n.GID, n.ModTime, n.Mode = 0, 0, time.Time{}, n.Mode&^(fs.ModeSetuid|fs.ModeSticky)
	}
	got, err := tree.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dump(t, got, fixed), dump(t, in, fixed); got != want {
		t.Errorf("xorriso unpacks\n%s\nwant\n%s", got, want)
	}
}

// lsdl is how xorriso lists n, as a regular expression.
func lsdl(n *tree.Node) string {
	kind := map[fs.FileMode]string{0: "-", fs.ModeDir: "d", fs.ModeSymlink: "l", fs.ModeDevice: "b", fs.ModeDevice | fs.ModeCharDevice: "c",
		fs.ModeNamedPipe: "p", fs.ModeSocket: "s"}[n.Mode.Type()]
	perm := []byte(n.Mode.Perm().String()[1:])
	if n.Mode&fs.ModeSetuid != 0 {
		perm[2] = 's'
	}
	if n.Mode&fs.ModeSticky != 0 {
		perm[8] = 't'
	}
	date := n.ModTime
	if date.IsZero() {
		date = epoch()
	}
	size := fmt.Sprint(n.Size())
	if n.Mode&fs.ModeDevice != 0 && n.Minor < 256 {
		size = fmt.Sprintf("%d,%d", n.Major, n.Minor)
	} else if n.Mode&fs.ModeDevice != 0 {
		size = `\d+,\d+` // wider than the 16-bit device numbers that xorriso knows
	}
	name := strings.TrimSuffix("/"+n.Path, "/.")
	if name == "" {
		name = "/"
	}
	name = strings.ReplaceAll(regexp.QuoteMeta(name), "\xff", "[^u]+")
	line := fmt.Sprintf("(?m)^%s%s +1 %d +%d +%s %s +(%s|%s) '%s'", kind, perm, n.UID, n.GID, size, date.Format("Jan _2"),
		date.Format("2006"), date.Format("15:04"), name)
	if n.Link != "" {
		line += " -> '" + regexp.QuoteMeta(n.Link) + "'"
	}
	return line + "$"
}

// TestBsdtar unpacks by Rock Ridge names; libarchive is strict about where continuation areas lie.
func TestBsdtar(t *testing.T) {
	t.Parallel()
	in := sample()
	in.Remove("dev")
	in.Remove("run")
	in.Remove("bin")
	in.Remove("tmp")
	dir := t.TempDir()
	oracle.Run(t, "bsdtar", "-x", "-p", "-f", oracle.File(t, format(t, in, Options{Epoch: epoch()})), "-C", dir)
	want := dump(t, in, func(n *tree.Node) { n.ModTime = time.Time{} })
	if got := extracted(t, dir); got != want {
		t.Errorf("bsdtar unpacks\n%s\nwant\n%s", got, want)
	}
}

// Test7z unpacks by Joliet names.
func Test7z(t *testing.T) {
	t.Parallel()
	in := plainSample()
	for i := range 3 {
		in.File(fmt.Sprintf("ünïcödé/%d ☃.txt", i), 0o644, pattern(byte(i), 5000))
	}
	path := oracle.File(t, format(t, in, Options{Epoch: epoch()}))
	if out := oracle.Run(t, "7z", "t", path); !strings.Contains(out, "Everything is Ok") || strings.Contains(out, "Warning") {
		t.Errorf("7z says\n%s", out)
	}
	dir := t.TempDir()
	oracle.Run(t, "7z", "x", "-o"+dir, path)
	out, err := tree.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	modeless := func(n *tree.Node) { n.Mode = n.Mode.Type() }
	if got, want := dump(t, out, modeless), dump(t, in, modeless); got != want {
		t.Errorf("7z unpacks\n%s\nwant\n%s", got, want)
	}
}

// TestIsoinfo lists each of the three kinds of names.
func TestIsoinfo(t *testing.T) {
	t.Parallel()
	in := plainSample()
	path := oracle.File(t, format(t, in, Options{VolumeID: "BOOTWRIGHT", Boot: []BootEntry{{Path: "boot/initramfs.zst"}}}))
	about := oracle.Run(t, "isoinfo", "-d", "-i", path)
	for _, want := range []string{"Volume id: BOOTWRIGHT", "Joliet with UCS level 3 found", "Rock Ridge signatures version 1 found", "El Torito VD version 1 found", "Arch 0 (x86)", "Nsect 4"} {
		if !strings.Contains(about, want) {
			t.Errorf("isoinfo does not say %q:\n%s", want, about)
		}
	}
	for _, flag := range []string{"-R", "-J", "-s"} { // -s adds nothing to -f: plain names
		var want []string
		for _, n := range in.Nodes() {
			switch name := "/" + n.Path; {
			case n.Path == ".":
			case flag != "-s":
				want = append(want, name)
			case n.Mode.IsDir():
				want = append(want, strings.ToUpper(name))
			case strings.Contains(n.Name(), "."):
				want = append(want, strings.ToUpper(name)+";1")
			default:
				want = append(want, strings.ToUpper(name)+".;1")
			}
		}
		got := strings.Fields(oracle.Run(t, "isoinfo", "-f", flag, "-i", path))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("isoinfo %s lists\n%q\nwant\n%q", flag, got, want)
		}
	}
}

// TestJudgesReadSharedContent unpacks an image in which files lie inside others.
func TestJudgesReadSharedContent(t *testing.T) {
	t.Parallel()
	in, _, _, _ := shared()
	path := oracle.File(t, format(t, in, Options{Epoch: epoch(), Align: 4096}))
	want := dump(t, in, nil)
	byXorriso, by7z := t.TempDir(), t.TempDir()
	xorriso(t, "-osirrox", "on:auto_chmod_on", "-indev", path, "-extract", "/", byXorriso)
	oracle.Run(t, "7z", "x", "-o"+by7z, path)
	for judge, dir := range map[string]string{"xorriso": byXorriso, "7z": by7z} {
		if got := extracted(t, dir); got != want {
			t.Errorf("%s unpacks\n%s\nwant\n%s", judge, got, want)
		}
	}
}

// TestJudgesReadBigFile compares lengths and the places of the three extents; to unpack 9 GiB would take too long.
func TestJudgesReadBigFile(t *testing.T) {
	t.Parallel()
	im := bigImage(t)
	path := oracle.File(t, im)
	if out := oracle.Run(t, "7z", "l", path); !strings.Contains(out, fmt.Sprint(int64(bigSize))) {
		t.Errorf("7z lists\n%s", out)
	}
	if out := oracle.Run(t, "bsdtar", "-tvf", path); !regexp.MustCompile(fmt.Sprintf(` %d .* big\n`, int64(bigSize))).MatchString(out) {
		t.Errorf("bsdtar lists\n%s", out)
	}
	layout := xorriso(t, "-indev", path, "-find", "/big", "-exec", "report_lba", "--")
	at, _, _ := im.Location("big")
	for i := range 3 {
		off := int64(i) * maxExtent
		want := fmt.Sprintf(`File data lba: +%d , +%d , +%d , +%d , '/big'`, i, (at+off)/sector, blocksOf(min(bigSize-off, maxExtent)), int64(bigSize))
		if !regexp.MustCompile(want).MatchString(layout) {
			t.Errorf("xorriso does not list extent %d as %s:\n%s", i, want, layout)
		}
	}
}

// bootSample has an image for each platform, of the lengths that matter.
func bootSample() (*tree.Tree, Options) {
	in := plainSample()
	in.File("boot/eltorito.img", 0o644, pattern(5, 147_003))
	in.File("boot/efi.img", 0o644, pattern(6, 33<<20))
	in.File("boot/small.img", 0o644, pattern(7, 1000))
	return in, Options{VolumeID: "BOOT", Epoch: epoch(), Align: 4096, Boot: []BootEntry{
		{Platform: BIOS, Path: "boot/eltorito.img", InfoTable: true, GRUB2Info: true},
		{Platform: EFI, Path: "boot/efi.img"},
		{Platform: EFI, Path: "boot/small.img"},
	}}
}

func TestBootCatalogue(t *testing.T) {
	t.Parallel()
	in, o := bootSample()
	im := format(t, in, o)
	v := read(t, im)
	if len(v.Boot) != 3 {
		t.Fatalf("%d boot images", len(v.Boot))
	}
	for i, want := range []struct {
		platform Platform
		sectors  int
		size     int64
	}{{BIOS, 4, 2048}, {EFI, 0, 0}, {EFI, 2, 1024}} {
		b := v.Boot[i]
		off, size, _ := im.Location(o.Boot[i].Path)
		if want.size == 0 {
			want.size = v.Size - off
		}
		if b.Platform != want.platform || !b.Bootable || b.LoadSectors != want.sectors || b.Offset != off || b.Content.Size() != want.size || b.Path != o.Boot[i].Path {
			t.Errorf("image %d: %+v, file at %d, %d bytes", i, b, off, size)
		}
	}
	report := xorriso(t, "-indev", oracle.File(t, im), "-report_el_torito", "plain")
	for _, want := range []string{`El Torito boot img :   1  BIOS  y   none  0x0000  0x00      4`, `El Torito boot img :   2  UEFI  y   none  0x0000  0x00      0`,
		`El Torito img path :   1  /boot/eltorito.img`, `El Torito img opts :   1  boot-info-table grub2-boot-info`, `El Torito img path :   2  /boot/efi.img`} {
		if !strings.Contains(report, want) {
			t.Errorf("xorriso does not report %q:\n%s", want, report)
		}
	}
}

// TestBootTablesAsXorriso has xorriso write the same two tables into the same image.
func TestBootTablesAsXorriso(t *testing.T) {
	t.Parallel()
	in, o := bootSample()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "eltorito.img"), flat(t, in.Get("boot/eltorito.img").Content), 0o644); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(t.TempDir(), "theirs.iso")
	oracle.Run(t, "xorriso", "-as", "mkisofs", "-quiet", "-o", theirs, "-b", "eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info", dir)
	b, err := blob.OpenFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	v := read(t, b)
	if len(v.Boot) != 1 || v.Boot[0].Path != "eltorito.img" {
		t.Fatalf("read %+v", v.Boot)
	}
	want := flat(t, v.Tree.Get("eltorito.img").Content)
	block := binary.LittleEndian.Uint32(want[12:])
	if int64(block)*sector != v.Boot[0].Offset {
		t.Fatalf("xorriso's table says block %d, the image is at %d", block, v.Boot[0].Offset)
	}
	im := format(t, in, o)
	off, _, _ := im.Location("boot/eltorito.img")
	got := flat(t, read(t, im).Tree.Get("boot/eltorito.img").Content)
	if ours := binary.LittleEndian.Uint32(got[12:]); int64(ours)*sector != off {
		t.Errorf("our table says block %d, the image is at %d", ours, off)
	}
	if info := binary.LittleEndian.Uint64(got[2548:]); info != uint64(off/512+5) {
		t.Errorf("grub's field is %d, the image is at %d", info, off)
	}
	sum := binary.LittleEndian.Uint32(got[20:]) - uint32(off/512) + block*4 // as GRUB's field counts
	binary.LittleEndian.PutUint32(got[12:], block)
	binary.LittleEndian.PutUint32(got[20:], sum)
	binary.LittleEndian.PutUint64(got[2548:], uint64(block)*4+5)
	if !bytes.Equal(got, want) {
		at := slices.IndexFunc(got, func(byte) bool { return true })
		for at = range got {
			if got[at] != want[at] {
				break
			}
		}
		t.Errorf("differs from xorriso's image at byte %d: %x, want %x", at, got[at:at+8], want[at:at+8])
	}
}

// TestReadsOthers reads what xorriso and genisoimage write, with deep folders, which genisoimage relocates.
func TestReadsOthers(t *testing.T) {
	t.Parallel()
	in := sample()
	in.Remove("dev")
	in.Remove("run")
	in.Remove("not\xffutf8")
	in.Remove("link/longest")
	dir := t.TempDir()
	unpack(t, in, dir)
	for _, tt := range []struct {
		tool  string
		args  []string
		names Names
	}{
		{"xorriso", []string{"-as", "mkisofs", "-quiet", "-R", "-J"}, RockRidge},
		{"xorriso", []string{"-compliance", "deep_paths_off:rec_mtime:new_rr", "-as", "mkisofs", "-quiet", "-R"}, RockRidge},
		{"genisoimage", []string{"-quiet", "-R"}, RockRidge},
		{"genisoimage", []string{"-quiet", "-R", "-hide-rr-moved"}, RockRidge},
		{"xorriso", []string{"-as", "mkisofs", "-quiet", "-J", "--norock"}, Joliet},
		{"genisoimage", []string{"-quiet", "-D", "-l"}, Plain},
	} {
		path := filepath.Join(t.TempDir(), "other.iso")
		oracle.Run(t, tt.tool, append(tt.args, "-V", "OTHER", "-o", path, dir)...)
		b, err := blob.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		v := read(t, b)
		if v.Names != tt.names || v.VolumeID != "OTHER" {
			t.Errorf("%s %q: %s names, volume %q", tt.tool, tt.args, v.Names, v.VolumeID)
		}
		fixed := func(n *tree.Node) { n.UID, n.GID, n.ModTime = 0, 0, time.Time{} }
		switch {
		case v.Names != RockRidge:
			if deep := v.Tree.Get(firstExisting(v.Tree, "level0/level1/level2/level3/level4/level5/level6/level7/level8/here.txt")); deep == nil {
				t.Errorf("%s %q: no deep file", tt.tool, tt.args)
			}
		case v.Tree.Get("link/long") == nil:
			t.Errorf("%s %q: no link/long", tt.tool, tt.args)
		default:
			v.Tree.Get("link/long").Link = in.Get("link/long").Link // genisoimage writes only the first 15 components
			if got, want := dump(t, v.Tree, fixed), dump(t, in, fixed); got != want {
				t.Errorf("%s %q: got\n%s\nwant\n%s", tt.tool, tt.args, got, want)
			}
		}
	}
}

// TestReadsAppendedPartition reads an image whose EFI boot image lies behind the volume.
func TestReadsAppendedPartition(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, plainSample(), dir)
	esp := pattern(9, 1<<20)
	path := filepath.Join(t.TempDir(), "appended.iso")
	oracle.Run(t, "xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", path, "-append_partition", "2", "0xef", oracle.File(t, esp),
		"-e", "--interval:appended_partition_2:all::", "-no-emul-boot", dir)
	b, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	v := read(t, b)
	if len(v.Boot) != 1 || v.Boot[0].Platform != EFI || v.Boot[0].Offset < v.Size || !same(t, v.Boot[0].Content, esp) {
		t.Fatalf("volume of %d bytes, %+v", v.Size, v.Boot)
	}
	p := bytes.Replace(flat(t, b), []byte{0x88, 0, 0, 0, 0, 0, 0, 8}, make([]byte, 8), 1) // load 0 sectors
	if v := read(t, blob.Bytes(p)); v.Boot[0].Content.Size() != int64(len(p))-v.Boot[0].Offset {
		t.Errorf("%+v, %d bytes", v.Boot, v.Boot[0].Content.Size())
	}
}

// firstExisting is p, or p in upper case where that is how the tree has it.
func firstExisting(t *tree.Tree, p string) string {
	if t.Get(p) != nil {
		return p
	}
	return strings.ToUpper(p)
}

// unpack writes a tree of folders, files and links.
func unpack(t *testing.T, in *tree.Tree, dir string) {
	t.Helper()
	for _, n := range in.Nodes() {
		p, err := filepath.Join(dir, n.Path), error(nil)
		switch n.Mode.Type() {
		case fs.ModeDir:
			if err = os.MkdirAll(p, 0o755); err == nil {
				err = os.Chmod(p, n.Mode)
			}
		case fs.ModeSymlink:
			err = os.Symlink(n.Link, p)
		default:
			if err = os.WriteFile(p, flat(t, n.Open()), 0o600); err == nil {
				err = os.Chmod(p, n.Mode)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

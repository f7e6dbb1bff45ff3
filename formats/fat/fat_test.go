package fat

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

func epoch() time.Time { return time.Date(2024, 2, 29, 13, 14, 16, 0, time.UTC) }

// noise is n bytes that differ with seed, so that misplaced content shows.
func noise(seed uint64, n int) blob.Blob {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(p)
	return blob.Bytes(p)
}

// bootTree is like an EFI system partition, with names of every sort. Its content is size bytes and some.
func bootTree(size int) *tree.Tree {
	t := &tree.Tree{}
	t.File("EFI/BOOT/BOOTX64.EFI", 0o644, noise(1, 90_001))
	t.File("EFI/Linux/bootwright-1.2.3.efi", 0o644, noise(2, size))
	t.File("loader/loader.conf", 0o644, blob.String("timeout 3\n"))
	t.File("loader/random-seed", 0o444, noise(3, 32))
	t.File("loader/entries.srel", 0o644, nil)
	t.Dir("empty folder", 0o755)
	t.File("UPPER.TXT", 0o644, blob.String("short name only"))
	t.File("Grüße und ein sehr langer Name, der mehr als dreizehn Zeichen hat.txt", 0o644, blob.String("long"))
	t.File(strings.Repeat("x", 255), 0o644, blob.String("longest"))
	t.File("a/b/c/d/e/f/g/h/i/j/k/deep", 0o644, blob.String("deep"))
	for i := range 60 {
		t.File(fmt.Sprintf("many/configuration file number %d.json", i), 0o644, blob.String(fmt.Sprint(i)))
	}
	if err := t.Add(tree.Node{Path: "loader/old", Mode: 0o644, ModTime: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), Content: blob.String("old")}); err != nil {
		panic(err)
	}
	return t
}

func mustFormat(t testing.TB, files *tree.Tree, o Options) *blob.Image {
	t.Helper()
	im, err := Format(files, o)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func mustRead(t testing.TB, b blob.Blob) *Volume {
	t.Helper()
	v, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sameTree compares what FAT can hold. Times of nodes without one are epoch, and all are cut to two seconds.
func sameTree(t testing.TB, got, want *tree.Tree, epoch time.Time) {
	t.Helper()
	if got.Len() != want.Len() {
		t.Errorf("%d nodes, want %d", got.Len(), want.Len())
	}
	for _, w := range want.Nodes() {
		g := got.Get(w.Path)
		if g == nil {
			t.Errorf("%s is missing", w.Path)
			continue
		}
		mode := fs.FileMode(0o644)
		switch {
		case w.Mode.IsDir():
			mode = fs.ModeDir | 0o755
		case w.Mode&0o777 != 0 && w.Mode&0o222 == 0:
			mode = 0o444
		}
		when := w.ModTime
		if when.IsZero() {
			when = epoch
		}
		if first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); when.Before(first) {
			when = first
		}
		if g.Mode != mode || !g.ModTime.Equal(when.Truncate(2*time.Second)) {
			t.Errorf("%s has mode %v and time %v, want %v and %v", w.Path, g.Mode, g.ModTime, mode, when)
		}
		if at, err := blob.Equal(context.Background(), g.Open(), w.Open()); at >= 0 || err != nil {
			t.Errorf("%s differs at byte %d of %d (%v)", w.Path, at, w.Size(), err)
		}
	}
}

// volumes are options and content sizes that between them reach every branch of the planner, by name.
func volumes() map[string]struct {
	content int
	o       Options
	bits    int
} {
	type volume = struct {
		content int
		o       Options
		bits    int
	}
	return map[string]volume{
		"nothing given":      {100, Options{}, 16},
		"FAT16 exact":        {9 * mib, Options{Epoch: epoch(), Label: "EFI", Serial: 0xDEADBEEF, Hidden: 2048}, 16},
		"FAT16 given":        {9 * mib, Options{Size: 24 * mib, Epoch: epoch(), Label: "A B-C_D~1"}, 16},
		"FAT16 odd size":     {mib, Options{Size: 5*mib + 1536}, 16},
		"FAT16 by request":   {9 * mib, Options{Size: 100 * mib, Bits: 16}, 16},
		"FAT16 large":        {mib, Options{Size: 1 << 30, Bits: 16}, 16},
		"FAT16 aligned":      {3 * mib, Options{Align: 4096, ClusterSize: 512}, 16},
		"FAT16 4096 sectors": {mib, Options{SectorSize: 4096}, 16},
		"FAT32 exact":        {40 * mib, Options{Epoch: epoch(), Label: "BOOTWRIGHT", Serial: 1, Hidden: 63}, 32},
		"FAT32 just":         {65_245 * 512, Options{ClusterSize: 512}, 32}, // too many clusters for FAT16, and too few
		"FAT32 aligned":      {40 * mib, Options{Align: 4096}, 32},
		"FAT32 aligned 64K":  {40 * mib, Options{Align: 64 * kib, Epoch: epoch()}, 32},
		"FAT32 by request":   {100, Options{Bits: 32}, 32},
		"FAT32 given":        {mib, Options{Size: 100 * mib, Epoch: epoch()}, 32},
		"FAT32 barely":       {mib, Options{Size: 34_700_288}, 32},
		"FAT32 one less":     {mib, Options{Size: 34_000_384}, 16},
		"FAT32 4K clusters":  {mib, Options{Size: 300 * mib}, 32},
		"FAT32 4096 sectors": {mib, Options{Size: 300 * mib, SectorSize: 4096}, 32},
		"FAT32 200 GiB":      {mib, Options{Size: 200 << 30}, 32},
	}
}

func TestFormatThenRead(t *testing.T) {
	t.Parallel()
	for name, c := range volumes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := bootTree(c.content)
			files.File("beyond 16 bits 𝄞", 0o644, nil) // the other judges read only UCS-2
			im := mustFormat(t, files, c.o)
			v := mustRead(t, im)
			sector := c.o.SectorSize
			if sector == 0 {
				sector = 512
			}
			if v.Bits != c.bits || v.Label != c.o.Label || v.Serial != c.o.Serial || v.SectorSize != sector || v.Size != im.Size() {
				t.Errorf("volume of %d bytes: %+v", im.Size(), v)
			}
			if c.o.Size != 0 && im.Size() != c.o.Size {
				t.Errorf("%d bytes, want %d", im.Size(), c.o.Size)
			}
			when := c.o.Epoch
			if when.IsZero() {
				when = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
			}
			sameTree(t, v.Tree, files, when)
			checkPlaces(t, im, files, max(c.o.Align, int64(v.ClusterSize)))
		})
	}
}

// checkPlaces wants every file to be one extent, by reference, at a multiple of align.
func checkPlaces(t *testing.T, im *blob.Image, files *tree.Tree, align int64) {
	t.Helper()
	extents := map[string]blob.Extent{}
	for _, e := range im.Extents() {
		extents[e.Name] = e
	}
	for _, n := range files.Nodes() {
		if n.Size() == 0 {
			continue
		}
		if e := extents[n.Path]; e.Blob != n.Content || e.Offset%align != 0 {
			t.Errorf("%s is at %d, want a multiple of %d", n.Path, e.Offset, align)
		}
	}
}

func TestExactHasNoFreeSpace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		content int
		o       Options
	}{{9 * mib, Options{}}, {40 * mib, Options{}}, {3 * mib, Options{ClusterSize: 512}}} {
		if v := mustRead(t, mustFormat(t, bootTree(c.content), c.o)); v.Free != 0 {
			t.Errorf("%d bytes: %d free of %d, want none", c.content, v.Free, v.Size)
		}
	}
	// A tree too small for any type is the exception.
	if v := mustRead(t, mustFormat(t, &tree.Tree{}, Options{})); v.Free != 4101*512 || v.Bits != 16 || v.Size > 2200*kib {
		t.Errorf("empty volume: %+v", v)
	}
}

func TestLargest(t *testing.T) {
	t.Parallel()
	const size = 2<<40 - 512
	h, err := readHead(mustFormat(t, bootTree(mib), Options{Size: size}))
	if err != nil || h.size != size || h.cluster != 8192 || h.bits != 32 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestFull finds by error messages how far content can grow, and that the last byte counts.
func TestFull(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Size: 10 * mib}, {Size: 40 * mib}, {Size: 40 * mib, Align: 4096}, {Size: 300 * mib}, {Size: 300 * mib, SectorSize: 4096}} {
		format := func(n int64) (*blob.Image, error) {
			files := &tree.Tree{}
			files.File("a", 0o644, blob.String("x"))
			files.File("b", 0o644, blob.Zeros(n))
			return Format(files, o)
		}
		fits, fails := int64(1), o.Size
		for fails-fits > 1 {
			if mid := (fits + fails) / 2; func() bool { _, err := format(mid); return err == nil }() {
				fits = mid
			} else {
				fails = mid
			}
		}
		im, err := format(fits)
		if err != nil {
			t.Fatal(err)
		}
		if v := mustRead(t, im); v.Free > max(2*o.Align, 512) || fits < o.Size*95/100 {
			t.Errorf("%+v: %d bytes are the most that fit, and %d are left", o, fits, v.Free)
		}
		var over int64
		if _, err = format(fails + 12_345); err == nil {
			t.Fatal("no error")
		}
		at := strings.Index(err.Error(), "its content is ")
		if _, serr := fmt.Sscanf(err.Error()[at:], "its content is %d bytes too large", &over); serr != nil || report.KindOf(err) != report.Invalid {
			t.Fatalf("%v (%v)", err, serr)
		}
		if _, err := format(fails + 12_345 - over); err != nil {
			t.Errorf("%+v: %d bytes fewer, as the error asked, and still: %v", o, over, err)
		}
	}
}

func TestFormatErrors(t *testing.T) {
	t.Parallel()
	with := func(nodes ...tree.Node) *tree.Tree {
		files := &tree.Tree{}
		for _, n := range nodes {
			if err := files.Add(n); err != nil {
				t.Fatal(err)
			}
		}
		return files
	}
	crowd := &tree.Tree{}
	for i := range 600 {
		crowd.File(fmt.Sprintf("F%d", i), 0o644, nil)
	}
	crowds := &tree.Tree{}
	for i := range 40_000 {
		crowds.File(fmt.Sprintf("d/f%d", i), 0o644, nil)
	}
	for _, c := range []struct {
		name  string
		files *tree.Tree
		o     Options
		kind  report.Kind
		want  string
	}{
		{"long name", with(tree.Node{Path: "d/" + strings.Repeat("é", 256)}), Options{}, report.Invalid, "the name is too long: 256 UTF-16 units, at most 255"},
		{"long name in units", with(tree.Node{Path: strings.Repeat("𝄞", 128)}), Options{}, report.Invalid, "256 UTF-16 units"},
		{"colon", with(tree.Node{Path: "d/a:b"}), Options{}, report.Invalid, `d/a:b: FAT forbids the character ':'`},
		{"control character", with(tree.Node{Path: "a\x1fb"}), Options{}, report.Invalid, `FAT forbids the character '\x1f'`},
		{"final dot", with(tree.Node{Path: "d/a."}), Options{}, report.Invalid, `d/a.: FAT forbids '.' at the end`},
		{"final space", with(tree.Node{Path: "a "}), Options{}, report.Invalid, `forbids ' ' at the end`},
		{"not UTF-8", with(tree.Node{Path: "a\xff"}), Options{}, report.Invalid, "not UTF-8"},
		{"case", with(tree.Node{Path: "d/Über"}, tree.Node{Path: "d/über"}), Options{}, report.Invalid, "d/Über and d/über are one name to FAT"},
		{"symlink", with(tree.Node{Path: "d/l", Mode: fs.ModeSymlink, Link: "x"}), Options{}, report.Unsupported, "d/l is a symbolic link"},
		{"device", with(tree.Node{Path: "null", Mode: fs.ModeDevice | fs.ModeCharDevice}), Options{}, report.Unsupported, "null is a special file"},
		{"4 GiB", with(tree.Node{Path: "d/big", Content: blob.Zeros(1 << 32)}), Options{}, report.Invalid, "d/big has 4294967296 bytes; a file on FAT has at most 4 GiB less one byte"},
		{"full", with(tree.Node{Path: "d/big", Content: blob.Zeros(64 * mib)}), Options{Size: 64 * mib}, report.Invalid, "volume of 67108864 bytes is full: its content is 1067008 bytes too large"},
		{"root full", crowd, Options{}, report.Invalid, "the root folder is full: its entries need 600 places, FAT16 has 512"},
		{"root full, padded", crowd, Options{Size: 3 * mib}, report.Invalid, "the root folder is full"},
		{"folder full", crowds, Options{}, report.Invalid, "folder d: its entries need 80002 places, FAT has 65536"},
		{"too small", with(), Options{Size: mib}, report.Invalid, "1048576 bytes are too few for FAT16"},
		{"too small for FAT32", with(), Options{Size: 20 * mib, Bits: 32}, report.Invalid, "20971520 bytes are too few for FAT32 with clusters of 512 bytes: it needs at least 34"},
		{"too small for clusters", with(), Options{Size: 20 * mib, Bits: 32, ClusterSize: 4096}, report.Invalid, "too few for FAT32 with clusters of 4096 bytes"},
		{"too large for FAT16", with(), Options{Size: 3 << 30, Bits: 16}, report.Invalid, "no FAT16 volume has 3221225472 bytes"},
		{"too large", with(), Options{Size: 3 << 40}, report.Invalid, "no FAT32 volume has 3298534883328 bytes"},
		{"content too large for FAT16", with(tree.Node{Path: "big", Content: blob.Zeros(3 << 30)}), Options{Bits: 16}, report.Invalid, "is too large for FAT16"},
		{"odd size", with(), Options{Size: 5*mib + 1}, report.Invalid, "not a multiple of the sector size"},
		{"FAT12", with(), Options{Bits: 12}, report.Unsupported, "FAT12 is not written"},
		{"sector size", with(), Options{SectorSize: 2048}, report.Unsupported, "sectors of 2048 bytes"},
		{"cluster size", with(), Options{ClusterSize: 3000}, report.Invalid, "clusters of 3000 bytes"},
		{"small clusters", with(), Options{ClusterSize: 512, SectorSize: 4096}, report.Invalid, "clusters of 512 bytes"},
		{"alignment", with(), Options{Align: 3000}, report.Invalid, "alignment of 3000 bytes"},
		{"label length", with(), Options{Label: "TWELVE CHARS"}, report.Invalid, "longer than 11 bytes"},
		{"label case", with(), Options{Label: "Boot"}, report.Invalid, `label "Boot": FAT forbids the character 'o'`},
	} {
		_, err := Format(c.files, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
			t.Errorf("%s: %v (%v), want %q (%v)", c.name, err, report.KindOf(err), c.want, c.kind)
		}
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	files := &tree.Tree{}
	// A name that is a short one keeps it, whatever the long names before it would like to have.
	for _, name := range []string{"README.TXT", "readme2.txt", "A long name.txt", "A long name too.txt", "ALONGN~2.TXT", "alongn~4.txt", "a long name three.txt", "a long name four.text", "café.txt", ".profile", "a.b.c", "a+b", "ab c", "日本語"} {
		files.File(name, 0o644, nil)
	}
	p, err := newPlan(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, it := range p.folders[0].items {
		got[it.node.Path] = it.name.text(0)
		if (it.long == nil) != (it.node.Path == it.name.text(0)) {
			t.Errorf("%s: long name %v beside %s", it.node.Path, it.long, it.name)
		}
	}
	want := map[string]string{
		"README.TXT": "README.TXT", "readme2.txt": "README2.TXT", "ALONGN~2.TXT": "ALONGN~2.TXT", "alongn~4.txt": "ALONGN~4.TXT",
		"A long name.txt": "ALONGN~3.TXT", "A long name too.txt": "ALONGN~1.TXT", "a long name three.txt": "ALONGN~5.TXT", "a long name four.text": "ALONGN~1.TEX",
		"café.txt": "CAF_~1.TXT", ".profile": "PROFIL~1", "a.b.c": "AB~1.C", "a+b": "A_B~1", "ab c": "ABC~1", "日本語": "___~1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("aliases\n%v, want\n%v", got, want)
	}
}

func TestShortNameText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stored string
		flags  byte
		want   string
	}{
		{"README  TXT", 0, "README.TXT"},
		{"README  TXT", lowerBase, "readme.TXT"},
		{"README  TXT", lowerBase | lowerExt, "readme.txt"},
		{"NOEXT      ", lowerExt, "NOEXT"},
		{"\x9A\x8E\x99\xFF    \xE1  ", 0, "ÜÄÖ\u00a0.ß"},
		{"\x05\x81      TXT", 0, "σü.TXT"}, // 05 stands for E5
	} {
		if got := shortName([]byte(c.stored)).text(c.flags); got != c.want {
			t.Errorf("%q with flags %#x is %q, want %q", c.stored, c.flags, got, c.want)
		}
	}
	if n := len([]rune(cp437)); n != 128 {
		t.Errorf("the code page has %d characters", n)
	}
}

func TestManyAliasesDiffer(t *testing.T) {
	t.Parallel()
	files := &tree.Tree{}
	for i := range 12_000 {
		files.File(fmt.Sprintf("a configuration file %d.yaml", i), 0o644, nil)
	}
	p, err := newPlan(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[shortName]bool{}
	for _, it := range p.folders[0].items {
		if seen[it.name] {
			t.Fatalf("%s is there twice", it.name)
		}
		seen[it.name] = true
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("east", 3600)
	for _, c := range []struct{ in, want time.Time }{
		{epoch(), epoch()},
		{time.Date(2024, 1, 1, 0, 30, 59, 999, berlin), time.Date(2023, 12, 31, 23, 30, 58, 0, time.UTC)},
		{time.Time{}.AddDate(1900, 0, 0), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)},
	} {
		var e entry
		e.stamp(c.in)
		if got := e.modTime(); !got.Equal(c.want) {
			t.Errorf("stamp(%v) = %v, want %v", c.in, got, c.want)
		}
	}
	if got := (&entry{}).modTime(); !got.IsZero() {
		t.Errorf("month 0, day 0 is %v", got)
	}
}

func TestDeterministic(t *testing.T) {
	t.Parallel()
	sums := map[blob.Digest]bool{}
	for range 3 {
		d, err := blob.Sum(context.Background(), mustFormat(t, bootTree(mib), Options{Epoch: epoch(), Serial: 5}))
		if err != nil {
			t.Fatal(err)
		}
		sums[d] = true
	}
	if len(sums) != 1 {
		t.Errorf("three runs, %d results", len(sums))
	}
}

// TestReadDamaged changes single fields of a good volume.
func TestReadDamaged(t *testing.T) {
	t.Parallel()
	files := &tree.Tree{}
	files.File("D/FILE", 0o644, noise(1, 3*512))
	files.File("D/NEXT", 0o644, noise(1, 512))
	o := Options{ClusterSize: 512}
	im := mustFormat(t, files, o)
	good, err := blob.ReadAll(im, 8*mib)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int64{}
	for _, e := range im.Extents() {
		at[e.Name] = e.Offset
	}
	fatEntry := func(c int64) int64 { return at["FAT"] + 2*c }
	const file, dir = 3, 2 // clusters
	fileSlot, nextSlot := at["folders"]+2*slotSize, at["folders"]+3*slotSize
	for _, c := range []struct {
		name   string
		change map[int64]byte
		kind   report.Kind
		want   string
	}{
		{"no signature", map[int64]byte{510: 0}, report.NotFound, "no FAT volume"},
		{"sector size", map[int64]byte{12: 3}, report.NotFound, "no FAT volume"},
		{"too large", map[int64]byte{20: 0x80}, report.Invalid, "is cut short"},
		{"no room", map[int64]byte{23: 0xFF}, report.Invalid, "leave no room"},
		{"FAT too small", map[int64]byte{22: 1}, report.Invalid, "has room for 254 clusters"},
		{"chain leaves", map[int64]byte{fatEntry(file): 0xF0, fatEntry(file) + 1: 0xF0}, report.Invalid, `FAT folder D: "FILE": cluster 61680 is not one of the volume's`},
		{"chain to a bad cluster", map[int64]byte{fatEntry(file): 0xF7, fatEntry(file) + 1: 0xFF}, report.Invalid, `cluster 65527 is not one`},
		{"chain ends", map[int64]byte{fatEntry(file): 0xFF, fatEntry(file) + 1: 0xFF}, report.Invalid, `its clusters end after 1 of 3`},
		{"chain is free", map[int64]byte{fatEntry(file): 0}, report.Invalid, `cluster 0 is not one`},
		{"file loops", map[int64]byte{fatEntry(file + 1): file}, report.Invalid, `cluster 3 is in use twice`},
		{"files meet", map[int64]byte{nextSlot + 26: file + 1}, report.Invalid, `"NEXT": cluster 4 is in use twice`},
		{"folder loops", map[int64]byte{fatEntry(dir): dir, fatEntry(dir) + 1: 0}, report.Invalid, `FAT folder D: cluster 2 is in use twice`},
		{"folder in itself", map[int64]byte{fileSlot + 11: attrFolder, fileSlot + 26: dir}, report.Invalid, `FAT folder D/FILE: cluster 2 is in use twice`},
		{"name with a slash", map[int64]byte{fileSlot + 1: '/'}, report.Invalid, `"F/LE" cannot be a name`},
		{"same name", map[int64]byte{nextSlot: 'F', nextSlot + 1: 'I', nextSlot + 2: 'L', nextSlot + 3: 'E'}, report.Invalid, `"FILE" is there twice`},
	} {
		p := slices.Clone(good)
		for off, v := range c.change {
			p[off] = v
		}
		_, err := Read(blob.Bytes(p))
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
			t.Errorf("%s: %v (%v), want %q (%v)", c.name, err, report.KindOf(err), c.want, c.kind)
		}
		var damaged []string
		v, err := Salvage(blob.Bytes(p), func(path string, _ error) { damaged = append(damaged, path) })
		if ofFile := strings.HasPrefix(c.name, "chain") || strings.HasPrefix(c.name, "file"); (err == nil) != ofFile {
			t.Errorf("%s: salvage: %v", c.name, err)
		} else if ofFile && (len(damaged) != 1 || v.Tree.Get(damaged[0]) != nil || v.Tree.Len() != 2) {
			t.Errorf("%s: %q are damaged, and %d are not", c.name, damaged, v.Tree.Len())
		}
	}
	for _, n := range []int{0, 511, 512, len(good) - 1} {
		if _, err := Read(blob.Bytes(good[:n])); err == nil {
			t.Errorf("%d bytes of %d are read as a whole volume", n, len(good))
		}
	}
	if !bytes.Equal(good[:3], []byte{0xEB, 0x3C, 0x90}) {
		t.Errorf("boot sector begins with % x", good[:3])
	}
}

// TestReadLimits has volumes that are well formed and made to exhaust memory or time.
func TestReadLimits(t *testing.T) {
	t.Parallel()
	deep := &tree.Tree{}
	deep.File(strings.Repeat("d/", 70)+"f", 0o644, nil)
	if _, err := Read(mustFormat(t, deep, Options{})); err == nil || !strings.Contains(err.Error(), "folders more than 64 deep") {
		t.Errorf("70 folders deep: %v", err)
	}

	// A file of which no two clusters follow each other: every link of its chain skips one.
	const pieces = maxRuns + 1
	files := &tree.Tree{}
	files.File("F", 0o644, blob.Zeros(pieces*512))
	files.File("G", 0o644, blob.Zeros(pieces*512))
	im := mustFormat(t, files, Options{ClusterSize: 512})
	var extents []blob.Extent
	for _, e := range im.Extents() {
		if e.Name == "FAT" {
			table, err := blob.ReadAll(e.Blob, 64*mib)
			if err != nil {
				t.Fatal(err)
			}
			for c := uint32(3); c < 2*pieces; c++ {
				binary.LittleEndian.PutUint32(table[4*c:], c+2)
			}
			e.Blob = blob.Bytes(table)
		}
		extents = append(extents, e)
	}
	pieced, err := blob.NewImage(im.Size(), extents...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(pieced); report.KindOf(err) != report.Unsupported || !strings.Contains(err.Error(), "in more than 1048576 pieces") {
		t.Errorf("a file in too many pieces: %v", err)
	}

	r := &reader{tree: &tree.Tree{}, pathBytes: maxPathBytes}
	if err := r.checkEntry("f", "f"); report.KindOf(err) != report.Unsupported {
		t.Errorf("paths of more than 16 MiB: %v", err)
	}
}

// TestReadBrokenLongName wants the short name where the pieces of the long one do not belong to it.
func TestReadBrokenLongName(t *testing.T) {
	t.Parallel()
	files := &tree.Tree{}
	files.File("DIR/a rather long name.txt", 0o644, nil)
	im := mustFormat(t, files, Options{})
	good, err := blob.ReadAll(im, 8*mib)
	if err != nil {
		t.Fatal(err)
	}
	var slots int64
	for _, e := range im.Extents() {
		if e.Name == "folders" {
			slots = e.Offset + 2*slotSize
		}
	}
	for name, change := range map[string]func(p []byte){
		"order":       func(p []byte) { p[slotSize] = 5 },
		"order zero":  func(p []byte) { p[0] = lastPiece },
		"checksum":    func(p []byte) { p[13]++ },
		"last piece":  func(p []byte) { p[0] &^= lastPiece },
		"short name":  func(p []byte) { p[2*slotSize+5] = 'X' },
		"freed piece": func(p []byte) { p[slotSize] = freeEntry },
	} {
		p := slices.Clone(good)
		change(p[slots:])
		for _, n := range mustRead(t, blob.Bytes(p)).Tree.Nodes() {
			if n.Path != "DIR" && n.Name() != "ARATHE~1.TXT" && n.Name() != "ARATHX~1.TXT" {
				t.Errorf("%s: %s", name, n.Path)
			}
		}
	}
}

func BenchmarkFormat3000Files(b *testing.B) {
	files := &tree.Tree{}
	for i := range 3000 {
		files.File(fmt.Sprintf("usr/share/folder %d/configuration file %d.yaml", i%20, i), 0o644, blob.Zeros(int64(i)))
	}
	files.File("EFI/Linux/big.efi", 0o644, blob.Zeros(90*mib))
	for b.Loop() {
		mustFormat(b, files, Options{})
	}
}

func BenchmarkFormatBoot(b *testing.B) {
	files := bootTree(90 * mib)
	for b.Loop() {
		mustFormat(b, files, Options{Align: 4096})
	}
}

func BenchmarkRead3000Files(b *testing.B) {
	files := &tree.Tree{}
	for i := range 3000 {
		files.File(fmt.Sprintf("usr/share/folder %d/configuration file %d.yaml", i%20, i), 0o644, blob.Zeros(int64(i)))
	}
	im := mustFormat(b, files, Options{})
	for b.Loop() {
		mustRead(b, im)
	}
}

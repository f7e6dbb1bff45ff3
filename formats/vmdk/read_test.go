package vmdk

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/blob/blobtest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func equal(t testing.TB, name string, image, want blob.Blob) *blob.Image {
	t.Helper()
	got, err := Read(image)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if at, err := blob.Equal(t.Context(), got, want); err != nil || at >= 0 {
		t.Fatalf("%s: differs at %d, %v", name, at, err)
	}
	return got
}

// TestReadStream: what Stream writes is read.
func TestReadStream(t *testing.T) {
	t.Parallel()
	for name, d := range disks(t) {
		equal(t, name, blob.Bytes(streamed(t, d)), d)
	}
	d := disks(t)["odd"]
	got := equal(t, "odd", blob.Bytes(streamed(t, d)), d)
	want, err := blob.ReadAll(d, d.Size())
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Run(t, got, want)
}

// TestReadQemuImg: what qemu-img writes is read.
func TestReadQemuImg(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "qemu-img")
	for name, d := range disks(t) {
		raw := oracle.File(t, d)
		for _, options := range []string{"subformat=streamOptimized", "subformat=monolithicSparse", "subformat=monolithicSparse,zeroed_grain=on"} {
			file := filepath.Join(t.TempDir(), "x")
			oracle.Run(t, "qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-S", "4k", "-o", options, raw, file)
			f, err := blob.OpenFile(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			equal(t, name+", "+options, f, d)
		}
	}
}

// sparse is a disk of nine grains, with plain ones at numbers 0, 1 and 3 and one of zeros at 4, as monolithicSparse.
func sparse(t testing.TB) (image []byte, d blob.Blob) {
	t.Helper()
	h := header{
		Magic: [4]byte([]byte(magic)), Version: 2, Flags: newlineTest | zeroedGrains, Capacity: 9*grainSectors - 1, Grain: grainSectors,
		DescriptorAt: 1, DescriptorSize: 1, PerTable: perTable, DirectoryAt: 2, Overhead: overhead, Newlines: [4]byte([]byte(newlines)),
	}
	p, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		t.Fatal(err)
	}
	p = pad(append(pad(p, sector), "version=1\nparentCID=ffffffff\n"...), 2*sector)
	p = pad(append(p, words([]uint32{3})...), 3*sector)
	p = pad(append(p, words([]uint32{128, 256, 0, 384, 1})...), overhead*sector)
	a, b := bytes.Repeat([]byte("two grains"), 2*grainSize/10+1)[:2*grainSize], bytes.Repeat([]byte("x"), grainSize)
	d, err = blob.NewImage(int64(h.Capacity)*sector, blob.Extent{Name: "a", Blob: blob.Bytes(a)}, blob.Extent{Name: "b", Offset: 3 * grainSize, Blob: blob.Bytes(b)})
	if err != nil {
		t.Fatal(err)
	}
	return append(append(p, a...), b...), d
}

// TestReadExtents: grains that follow each other are one extent, plain ones of the image itself, and holes are none.
func TestReadExtents(t *testing.T) {
	t.Parallel()
	p, d := sparse(t)
	image := blob.Bytes(p)
	e := equal(t, "plain", image, d).Extents()
	if len(e) != 2 || e[1].Offset != 3*grainSize || e[0].Blob != blob.Slice(image, overhead*sector, 2*grainSize) {
		t.Errorf("%+v", e)
	}
	if e := equal(t, "packed", blob.Bytes(streamed(t, d)), d).Extents(); len(e) != 2 || e[0].Blob.Size() != 2*grainSize || e[1].Offset != 3*grainSize {
		t.Errorf("%+v", e)
	}
}

// counting notes what is read of a blob.
type counting struct {
	blob.Blob
	bytes int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.bytes += len(p)
	return c.Blob.ReadAt(p, off)
}

// TestReadOnce: a reader in order, in small pieces, has each grain inflated once.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	image := streamed(t, disks(t)["tables"])
	c := &counting{Blob: blob.Bytes(image)}
	d, err := Read(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range d.Extents() {
		for off := e.Offset; off < e.End(); off += 1000 {
			if err := blob.ReadFull(d, make([]byte, min(1000, e.End()-off)), off); err != nil {
				t.Fatal(err)
			}
		}
	}
	if c.bytes > len(image) {
		t.Errorf("%d bytes are read of %d", c.bytes, len(image))
	}
}

// damage is one change, and the error that it makes.
type damage struct {
	change func(p []byte) []byte
	want   string // "" for none
	kind   report.Kind
}

// set changes a byte.
func set(at int, v byte) func(p []byte) []byte {
	return func(p []byte) []byte {
		if at < 0 {
			at += len(p)
		}
		p[at] = v
		return p
	}
}

// cut is p without its last n bytes.
func cut(n int) func(p []byte) []byte { return func(p []byte) []byte { return p[:len(p)-n] } }

// TestReadDamagedPlain changes one thing in an image of plain grains, most of them in the header.
func TestReadDamagedPlain(t *testing.T) {
	t.Parallel()
	p, _ := sparse(t)
	checkDamaged(t, p, map[string]damage{
		"only the name":        {func(p []byte) []byte { return p[:8] }, "cut short", report.Invalid},
		"magic":                {set(0, 'k'), "no header", report.Invalid},
		"version":              {set(4, 4), "version 4", report.Unsupported},
		"as text":              {set(75, '\n'), "transfer as text", report.Invalid},
		"no newlines to test":  {func(p []byte) []byte { p[8] &^= newlineTest; p[75] = 0; return p }, "", 0},
		"in use":               {set(72, 1), "in use", report.Unsupported},
		"a flag one must know": {set(10, 4), "flags 0x40005", report.Unsupported},
		"a flag to ignore":     {set(9, 1), "", 0},
		"compressed, no flag":  {set(77, 1), "compression 1", report.Unsupported},
		"grains of 0":          {set(20, 0), "grains of 0", report.Invalid},
		"odd grains":           {set(20, 129), "grains of 129", report.Invalid},
		"vast grains":          {set(22, 1), "grains of 65664", report.Invalid},
		"tables of 0":          {set(45, 0), "tables of 0", report.Invalid},
		"long tables":          {set(45, 4), "tables of 1024", report.Invalid},
		"no disk":              {func(p []byte) []byte { clear(p[12:20]); return p }, "a disk of 0", report.Invalid},
		"a vast disk":          {set(19, 1), "a disk of", report.Invalid},
		"long directory":       {set(16, 16), "a table of 1048577 entries", report.Invalid},
		"directory outside":    {set(63, 1), "a table of 1 entries", report.Invalid},
		"a piece":              {set(28, 0), "several files", report.Unsupported},
		"descriptor outside":   {set(35, 1), "a descriptor of", report.Invalid},
		"long descriptor":      {set(37, 1), "a descriptor of 257", report.Invalid},
		"a parent":             {func(p []byte) []byte { p[sector+20] = '0'; return p }, "another file", report.Unsupported},
		"table outside":        {set(2*sector+2, 1), "a table of 512", report.Invalid},
		"no table":             {set(2*sector, 0), "", 0},
		"grain outside":        {set(3*sector+14, 1), "the grain for byte 196608", report.Invalid},
		"cut":                  {cut(1), "the grain for byte 196608", report.Invalid},
	})
}

// TestReadDamagedPacked changes one thing in an image of compressed grains, which may come out only when the grain is read.
func TestReadDamagedPacked(t *testing.T) {
	t.Parallel()
	_, d := sparse(t)
	const grain = overhead * sector
	checkDamaged(t, streamed(t, d), map[string]damage{
		"cut in the footer":    {cut(sector), "no footer", report.Invalid},
		"cut by a byte":        {cut(1), "no footer", report.Invalid},
		"cut in a grain":       {func(p []byte) []byte { return p[:grain+100] }, "no footer", report.Invalid},
		"end":                  {set(12-sector, 1), "no footer", report.Invalid},
		"marker of the footer": {set(12-3*sector, 2), "no footer", report.Invalid},
		"another's footer":     {set(12-2*sector, 3), "another disk", report.Invalid},
		"no directory":         {func(p []byte) []byte { copy(p[len(p)-2*sector+56:], bytes.Repeat([]byte{0xff}, 8)); return p }, "a table of 1 entries", report.Invalid},
		"no markers":           {set(10, 1), "flags 0x10001", report.Unsupported},
		"other compression":    {set(77, 2), "compression 2", report.Unsupported},
		"marker of a grain":    {set(grain, 1), "sector 1 of the disk", report.Invalid},
		"no data":              {func(p []byte) []byte { clear(p[grain+8 : grain+12]); return p }, "marker is for 0 bytes", report.Invalid},
		"data outside":         {set(grain+9, 0x80), "bytes, compressed", report.Invalid},
		"vast data":            {set(grain+11, 0x80), "bytes, compressed", report.Invalid},
		"data cut":             {func(p []byte) []byte { p[grain+8]--; return p }, "grain 0, at byte 65536: ", report.Invalid},
		"stream":               {set(grain+12, 0), "invalid header", report.Invalid},
		"content":              {func(p []byte) []byte { p[grain+30] ^= 1; return p }, "grain 0, at byte 65536: ", report.Invalid},
		"small grains":         {func(p []byte) []byte { p[20], p[len(p)-2*sector+20] = 64, 64; return p }, "inflates to 32769", report.Invalid},
		"large grains": {func(p []byte) []byte {
			p[20], p[21], p[len(p)-2*sector+20], p[len(p)-2*sector+21] = 0, 1, 0, 1
			return p
		}, "inflates to 65536", report.Invalid},
	})
}

// checkDamaged reads image with each change, tables and data.
func checkDamaged(t *testing.T, image []byte, table map[string]damage) {
	t.Helper()
	for name, c := range table {
		d, err := Read(blob.Bytes(c.change(bytes.Clone(image))))
		if err == nil {
			_, err = blob.ReadAll(d, 1<<40)
		}
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
			t.Errorf("%s: %v (%v)", name, err, report.KindOf(err))
		}
	}
}

// FuzzRead changes a few bytes of an image's metadata, of plain or compressed grains.
func FuzzRead(f *testing.F) {
	plain, d := sparse(f)
	packed := streamed(f, d)
	f.Add(false, uint32(12), uint64(1<<34), uint32(2*sector), uint64(3<<32|3))
	f.Add(false, uint32(20), uint64(8), uint32(3*sector+8), uint64(1<<32|128))
	f.Add(true, uint32(overhead*sector), uint64(128), uint32(overhead*sector+8), uint64(1<<16))
	f.Add(true, uint32(len(packed)-2*sector+56), uint64(129), uint32(0), uint64(3<<32|0x564d444b))
	f.Fuzz(func(t *testing.T, isPacked bool, a uint32, x uint64, b uint32, y uint64) {
		p := bytes.Clone(plain)
		if isPacked {
			p = bytes.Clone(packed)
		}
		binary.LittleEndian.PutUint64(p[int(a)%(len(p)-8):], x)
		binary.LittleEndian.PutUint64(p[int(b)%(len(p)-8):], y)
		if d, err := Read(blob.Bytes(p)); err == nil {
			for _, e := range d.Extents() {
				blob.ReadFull(d, make([]byte, 16), e.Offset)
				blob.ReadFull(d, make([]byte, 16), e.End()-16)
			}
		}
	})
}

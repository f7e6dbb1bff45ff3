package probe

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
)

// luksHeader is a LUKS2 header for offset off.
func luksHeader(magic string, off uint64) []byte {
	p := numbers(16<<10, be, map[int]any{
		0: magic, 6: uint16(2), 8: uint64(16 << 10), 16: uint64(3), 24: "EPHEMERAL", 72: "sha256", 168: id, 256: off,
	})
	sum := sha256.Sum256(p)
	copy(p[448:], sum[:])
	return p
}

// fat is the boot sector of a FAT32 file system of 8 MiB.
func fat() []byte {
	return numbers(512, le, map[int]any{
		11: uint16(512), 13: "\x01\x20", 16: "\x02", 21: "\xF8", 32: uint32(16384), 36: uint32(100), 44: uint32(2),
		66: "\x29", 67: uint32(0x0BADCAFE), 71: "NO NAME    ", 510: "\x55\xAA",
	})
}

func iso(blocks uint32) []byte {
	return numbers(2048, le, map[int]any{0: "\x01CD001\x01", 40: "CIDATA          ", 80: blocks, 128: uint16(2048)})
}

// table is a disk of so many bytes with a partition table.
func table(t *testing.T, size int64) []byte {
	t.Helper()
	b, err := gpt.Format([]gpt.Partition{{Name: "one", Type: gpt.LinuxFilesystem(), Size: 1 << 20}}, gpt.Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	p, err := blob.ReadAll(b, size)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChoice(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	with := func(p []byte, pieces map[int64][]byte) []byte {
		for off, piece := range pieces {
			copy(p[off:], piece)
		}
		return p
	}
	ext := numbers(1024, le, map[int]any{56: uint16(0xEF53), 4: uint32(4096), 104: id[:16]})
	lost := with(table(t, 8*mib), map[int64][]byte{0: make([]byte, 4096)})
	for name, c := range map[string]struct {
		disk    []byte
		want    string
		also    string
		damaged string
	}{
		"image with a table":       {with(table(t, 8*mib), map[int64][]byte{32 << 10: iso(8*mib/2048 - 100)}), ISO9660, GPT, ""},
		"disk that was an image":   {with(table(t, 8*mib), map[int64][]byte{32 << 10: iso(1000)}), GPT, ISO9660, ""},
		"only the backup table":    {lost, GPT, "", "the primary partition table is damaged"},
		"made anew over a table":   {with(table(t, 8*mib), map[int64][]byte{0: fat(), 512: make([]byte, 512)}), VFAT, "", ""},
		"fat":                      {write(8*mib, map[int64][]byte{0: fat()}), VFAT, "", ""},
		"fat and a stale ext":      {write(8*mib, map[int64][]byte{0: fat(), 1024: ext}), Ext2, VFAT, ""},
		"luks and a stale ext":     {write(8*mib, map[int64][]byte{0: luksHeader("LUKS\xba\xbe", 0), 5 * mib: ext}), LUKS, "", ""},
		"luks without first":       {write(8*mib, map[int64][]byte{16 << 10: luksHeader("SKUL\xba\xbe", 16<<10)}), LUKS, "", "the first header is damaged"},
		"luks, first spoilt":       {write(8*mib, map[int64][]byte{0: []byte("LUKS\xba\xbe\x00\x02"), 16 << 10: luksHeader("SKUL\xba\xbe", 16<<10)}), LUKS, "", "the first header is damaged"},
		"luks, both spoilt":        {write(8*mib, map[int64][]byte{0: []byte("LUKS\xba\xbe\x00\x02")}), LUKS, "", "both headers are damaged"},
		"luks, second elsewhere":   {write(8*mib, map[int64][]byte{32 << 10: luksHeader("SKUL\xba\xbe", 16<<10)}), "", "", ""},
		"raid over a file system":  {with(assembled()[MDRAID+" 1.0"], map[int64][]byte{1024: ext}), MDRAID, Ext2, ""},
		"meta":                     {write(mib, map[int64][]byte{256 << 10: []byte("\x5a\x4b\x3c\x2d"), 512<<10 - 4: []byte("\xa5\xb4\xc3\xd2")}), TalosMeta, "", ""},
		"meta in another size":     {write(2*mib, map[int64][]byte{0: []byte("\x5a\x4b\x3c\x2d"), 256<<10 - 4: []byte("\xa5\xb4\xc3\xd2")}), "", "", ""},
		"xfs with a wrong sum":     {write(mib, map[int64][]byte{0: numbers(512, be, map[int]any{0: "XFSB", 4: uint32(4096), 100: uint16(0xb4a5), 102: uint16(512)})}), XFS, "", "the checksum of the superblock is wrong"},
		"lvm with a wrong sum":     {with(assembled()[LVM2], map[int64][]byte{512 + 100: {1}}), LVM2, "", "the checksum of the label is wrong"},
		"master boot record alone": {write(mib, map[int64][]byte{446: []byte("\x80\x00\x00\x00\x83"), 510: []byte("\x55\xAA")}), "", "", ""},
		"one byte":                 {[]byte{1}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Probe(blob.Bytes(c.disk))
			if err != nil || got.Name != c.want || strings.Join(got.Also, " ") != c.also || got.Damaged != c.damaged || got.Blank {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestBlank(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		disk []byte
		want bool
	}{
		{nil, true}, {make([]byte, 3<<20), true}, {write(3<<20, map[int64][]byte{1<<20 - 1: {1}}), false}, {write(3<<20, map[int64][]byte{3<<20 - 1: {1}}), false},
	} {
		if got, err := Probe(blob.Bytes(c.disk)); err != nil || got.Name != "" || got.Blank != c.want {
			t.Errorf("%d bytes: %+v, %v", len(c.disk), got, err)
		}
	}
}

// TestNoUUID: a UUID of zeros names nothing.
func TestNoUUID(t *testing.T) {
	t.Parallel()
	p := write(1<<20, map[int64][]byte{1024: numbers(1024, le, map[int]any{56: uint16(0xEF53), 120: "label"})})
	if got, err := Probe(blob.Bytes(p)); err != nil || got.UUID != "" || got.Label != "label" {
		t.Errorf("%+v, %v", got, err)
	}
}

// broken is a disk that cannot be read from some offset on.
type broken struct {
	blob.Blob
	from int64
}

var errMedium = errors.New("medium error")

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errMedium
	}
	return b.Blob.ReadAt(p, off)
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	p := write(8<<20, map[int64][]byte{0: luksHeader("LUKS\xba\xbe", 0)})
	if got, err := Probe(broken{blob.Bytes(p), 1 << 20}); err != nil || got.Name != LUKS {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := Probe(broken{blob.Bytes(make([]byte, 8<<20)), 1 << 20}); !errors.Is(err, errMedium) || got.Blank {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzProbe(f *testing.F) {
	for _, p := range assembled() {
		f.Add(p[:min(len(p), 512<<10)], 1<<20)
	}
	f.Add(luksHeader("LUKS\xba\xbe", 0), 8<<20)
	f.Add(fat(), 8<<20)
	f.Add(slices.Concat(make([]byte, 32<<10), iso(7)), 1<<20)
	f.Fuzz(func(t *testing.T, p []byte, size int) {
		disk := make([]byte, min(max(size, len(p)), 8<<20))
		copy(disk, p)
		if got, err := Probe(blob.Bytes(disk)); err != nil || got.Blank && got.Name != "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

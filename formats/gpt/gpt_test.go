package gpt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

const mib = 1 << 20

func testGUID(n byte) GUID {
	return GUID{0xAA, 0xBB, 0xCC, 0xDD, 1, 2, 0x43, 4, 0x85, 6, 7, 8, 9, 10, 11, n}
}

// systemDisk has the partitions of a machine's first disk, with a hole in the numbering.
func systemDisk() []Partition {
	return []Partition{
		{Name: "EFI", Type: EFISystem(), GUID: testGUID(1), Content: blob.Bytes(bytes.Repeat([]byte("esp."), 300_001))},
		{Name: "BIOS", Type: BIOSBoot(), GUID: testGUID(2), Size: mib, Attributes: LegacyBootable, Content: blob.String("grub")},
		{Name: "META é", Type: LinuxFilesystem(), GUID: testGUID(3), Size: mib, Number: 5, Attributes: Required | NoBlockIO | 1<<60},
		{Name: "STATE", Type: LinuxFilesystem(), GUID: testGUID(4), Start: 20 * mib, Size: 3 * mib},
	}
}

func mustFormat(t testing.TB, parts []Partition, o Options) *blob.Image {
	t.Helper()
	im, err := Format(parts, o)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func TestGUID(t *testing.T) {
	t.Parallel()
	const text = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	g, err := ParseGUID(strings.ToLower(text))
	if err != nil || g.String() != text || g != EFISystem() {
		t.Errorf("ParseGUID(%s) = %v, %v", text, g, err)
	}
	// The order on disk, from the first bytes of any EFI system partition's entry.
	if s := g.swapped(); !bytes.Equal(s[:8], []byte{0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11}) || s.swapped() != g {
		t.Errorf("on disk % x", s)
	}
	for _, bad := range []string{"", "C12A7328", text[:35], text + "0", "{" + text + "}", strings.ReplaceAll(text, "-", ""), strings.Replace(text, "C", "G", 1), "-" + text[:35]} {
		if g, err := ParseGUID(bad); err == nil {
			t.Errorf("ParseGUID(%q) = %v, want an error", bad, g)
		}
	}
	if d := derived("x"); d == derived("y") || d.String()[14] != '8' {
		t.Errorf("derived GUID %v is not of version 8", d)
	}
}

func TestFormatThenRead(t *testing.T) {
	t.Parallel()
	for _, sector := range []int{512, 4096} {
		for _, entries := range []int{128, 300} {
			t.Run(fmt.Sprintf("%d-%d", sector, entries), func(t *testing.T) {
				o := Options{SectorSize: sector, Entries: entries, DiskGUID: testGUID(0), Size: 64 * mib, BootCode: []byte("code"), DiskSignature: 0xCAFEBABE}
				parts := systemDisk()
				parts[3].Name = "beyond 16 bits: 𝄞"
				im := mustFormat(t, parts, o)
				table, err := Read(im)
				if err != nil {
					t.Fatal(err)
				}
				if table.SectorSize != sector || table.DiskGUID != o.DiskGUID || table.DiskSize != o.Size || table.RecoveredFromBackup || table.BackupDamaged {
					t.Errorf("table = %+v", table)
				}
				wantMBR := MBR{DiskSignature: 0xCAFEBABE, Entries: [4]MBREntry{{Type: TypeProtective, Start: int64(sector), Size: o.Size - int64(sector)}}}
				if table.MBR != wantMBR {
					t.Errorf("MBR = %+v, want %+v", table.MBR, wantMBR)
				}
				wantPlaces := [][3]int64{{1, mib, blob.Align(1_200_004, int64(sector))}, {2, 3 * mib, mib}, {5, 4 * mib, mib}, {6, 20 * mib, 3 * mib}}
				for i, p := range table.Partitions {
					if got := [3]int64{int64(p.Number), p.Start, p.Size}; got != wantPlaces[i] {
						t.Errorf("partition %q is at %v, want %v", p.Name, got, wantPlaces[i])
					}
					samePartition(t, p, parts[i])
				}
				if len(table.Partitions) != len(parts) {
					t.Errorf("%d partitions, want %d", len(table.Partitions), len(parts))
				}
			})
		}
	}
}

func samePartition(t *testing.T, got, want Partition) {
	t.Helper()
	if got.Name != want.Name || got.Type != want.Type || got.GUID != want.GUID || got.Attributes != want.Attributes {
		t.Errorf("partition %+v, want %+v", got, want)
	}
	content, err := blob.NewImage(got.Size)
	if want.Content != nil {
		content, err = blob.NewImage(got.Size, blob.Extent{Blob: want.Content})
	}
	if err != nil {
		t.Fatal(err)
	}
	if at, err := blob.Equal(context.Background(), got.Content, content); at >= 0 || err != nil {
		t.Errorf("partition %q differs at byte %d (%v)", got.Name, at, err)
	}
}

func TestSmallestDisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    Options
		part Partition
		want int64
	}{
		{Options{}, Partition{Size: 512}, 2 * mib},
		{Options{}, Partition{Size: mib - 33*512}, 2 * mib},
		{Options{}, Partition{Size: mib - 32*512}, 3 * mib},
		{Options{Align: 512}, Partition{Size: 512}, (34 + 1 + 33) * 512},
		{Options{Align: 4096, SectorSize: 4096}, Partition{Size: 4096}, (6 + 1 + 5) * 4096},
	} {
		c.part.Type = LinuxFilesystem()
		if im := mustFormat(t, []Partition{c.part}, c.o); im.Size() != c.want {
			t.Errorf("%+v with %d bytes: disk of %d, want %d", c.o, c.part.Size, im.Size(), c.want)
		}
	}
	if im := mustFormat(t, nil, Options{}); im.Size() != mib {
		t.Errorf("empty disk of %d bytes", im.Size())
	}
}

func TestDerivedGUIDs(t *testing.T) {
	t.Parallel()
	parts := []Partition{{Type: LinuxFilesystem(), Size: mib}, {Type: LinuxFilesystem(), Size: mib}}
	read := func(o Options) *Table {
		table, err := Read(mustFormat(t, parts, o))
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	a, again, b := read(Options{}), read(Options{}), read(Options{Size: 9 * mib})
	if a.DiskGUID.IsZero() || a.DiskGUID != again.DiskGUID || a.DiskGUID == b.DiskGUID {
		t.Errorf("disk GUIDs %v, %v, %v", a.DiskGUID, again.DiskGUID, b.DiskGUID)
	}
	if p := a.Partitions; p[0].GUID.IsZero() || p[0].GUID == p[1].GUID || p[0].GUID != again.Partitions[0].GUID {
		t.Errorf("partition GUIDs %v, %v", p[0].GUID, p[1].GUID)
	}
}

func TestFormatErrors(t *testing.T) {
	t.Parallel()
	part := func(change func(*Partition)) []Partition {
		p := Partition{Name: "p", Type: LinuxFilesystem(), Size: mib}
		change(&p)
		return []Partition{p}
	}
	plain := part(func(*Partition) {})
	many := make([]Partition, 129)
	for i := range many {
		many[i] = plain[0]
	}
	for _, c := range []struct {
		name  string
		parts []Partition
		o     Options
		want  string
	}{
		{"overlap", append(part(func(p *Partition) { p.Start = 2 * mib }), part(func(p *Partition) { p.Start = 2*mib + 512; p.Name = "q" })...), Options{}, `partition 2 "q" at 2097664 overlaps partition 1 "p", which ends at 3145728`},
		{"same number", append(part(func(p *Partition) { p.Number = 7 }), part(func(p *Partition) { p.Number = 7 })...), Options{}, "two partitions have the number 7"},
		{"too small", plain, Options{Size: 2 * mib}, "a disk of 2097152 bytes is too small: 2114048 are needed, 16896 more"},
		{"too small for 4096", plain, Options{Size: 2 * mib, SectorSize: 4096}, "2117632 are needed"},
		{"on the table", part(func(p *Partition) { p.Start = 512 }), Options{}, "starts at 512, before the first usable byte at 17408"},
		{"beyond any disk", part(func(p *Partition) { p.Start = 1<<63 - 512 }), Options{}, "beyond any disk"},
		{"long name", part(func(p *Partition) { p.Name = strings.Repeat("𝄞", 19) }), Options{}, "longer than 36 UTF-16 units"},
		{"name not text", part(func(p *Partition) { p.Name = "a\xff" }), Options{}, "not text"},
		{"too many", many, Options{}, `partition 129 "p": the table has numbers from 1 to 128`},
		{"no type", part(func(p *Partition) { p.Type = GUID{} }), Options{}, "no type"},
		{"no size", part(func(p *Partition) { p.Size = 0 }), Options{}, "size 0"},
		{"unaligned start", part(func(p *Partition) { p.Start = mib + 1 }), Options{}, "not both multiples of the sector size, 512"},
		{"unaligned size", part(func(p *Partition) { p.Size = 512 }), Options{SectorSize: 4096}, "not both multiples of the sector size, 4096"},
		{"content too large", part(func(p *Partition) { p.Content = blob.Zeros(mib + 1) }), Options{}, "content of 1048577 bytes does not fit its 1048576"},
		{"sector size", plain, Options{SectorSize: 1024}, "sectors of 1024 bytes"},
		{"alignment", plain, Options{Align: 513}, "alignment of 513"},
		{"entries", plain, Options{Entries: 4}, "a table of 4 entries"},
		{"size", plain, Options{Size: 5*mib + 1}, "not a multiple of the sector size"},
		{"boot code", plain, Options{BootCode: make([]byte, 441)}, "boot code of 441 bytes"},
		{"hybrid count", plain, Options{Hybrid: make([]MBREntry, 3), ActiveRecord: true}, "3 hybrid MBR records; there is room for 2"},
		{"hybrid outside", plain, Options{Hybrid: []MBREntry{{Type: 0xEF, Start: mib, Size: 9 * mib}}}, "hybrid MBR record 1"},
	} {
		_, err := Format(c.parts, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) == report.Internal {
			t.Errorf("%s: %v (kind %v), want %q", c.name, err, report.KindOf(err), c.want)
		}
	}
}

// iso is an image of n bytes whose first 32 KiB are free.
func iso(t testing.TB, n int64) *blob.Image {
	im, err := blob.NewImage(n, blob.Extent{Name: "content", Offset: systemArea, Blob: blob.Bytes(bytes.Repeat([]byte("iso9660!"), int(n-systemArea)/8))})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func TestWrap(t *testing.T) {
	t.Parallel()
	base := iso(t, 3*mib+2048)
	esp := Partition{Name: "ESP", Type: EFISystem(), Start: mib + 4096, Size: mib}
	im, err := Wrap(base, []Partition{esp}, Options{BootCode: []byte("\xEB\x63"), ActiveRecord: true})
	if err != nil {
		t.Fatal(err)
	}
	if im.Size() != 4*mib {
		t.Errorf("wrapped image of %d bytes, want the next MiB", im.Size())
	}
	if at, err := blob.Equal(context.Background(), blob.Slice(im, systemArea, base.Size()-systemArea), blob.Slice(base, systemArea, base.Size()-systemArea)); at >= 0 || err != nil {
		t.Errorf("content differs at %d (%v)", at, err)
	}
	table, err := Read(im)
	if err != nil {
		t.Fatal(err)
	}
	p := table.Partitions[0]
	esp.Content = blob.Slice(base, esp.Start, esp.Size)
	esp.GUID = p.GUID
	samePartition(t, p, esp)
	if e := table.MBR.Entries; e[0].Active || e[1] != (MBREntry{Active: true, Size: 512}) {
		t.Errorf("MBR records %+v", e)
	}
	for name, try := range map[string]func() (*blob.Image, error){
		"content": func() (*blob.Image, error) {
			return Wrap(base, []Partition{{Type: EFISystem(), Content: base}}, Options{})
		},
		"outside": func() (*blob.Image, error) {
			return Wrap(base, []Partition{{Type: EFISystem(), Start: 3 * mib, Size: mib}}, Options{})
		},
		"no place": func() (*blob.Image, error) { return Wrap(base, []Partition{{Type: EFISystem(), Size: mib}}, Options{}) },
		"large":    func() (*blob.Image, error) { return Wrap(base, nil, Options{Entries: 250}) },
		"tiny":     func() (*blob.Image, error) { return Wrap(blob.Zeros(4096), nil, Options{}) },
		"size":     func() (*blob.Image, error) { return Wrap(base, nil, Options{Size: 3 * mib}) },
	} {
		if _, err := try(); report.KindOf(err) != report.Invalid {
			t.Errorf("%s: %v, want an error of kind invalid", name, err)
		}
	}
}

func TestHybrid(t *testing.T) {
	t.Parallel()
	parts := systemDisk()
	esp := MBREntry{Type: 0xEF, Active: true, Start: mib, Size: 2 * mib}
	im := mustFormat(t, parts, Options{Hybrid: []MBREntry{esp}})
	mbr, err := ReadMBR(im, 512)
	if err != nil {
		t.Fatal(err)
	}
	if want := ([4]MBREntry{{Type: TypeProtective, Start: 512, Size: mib - 512}, esp}); mbr.Entries != want {
		t.Errorf("records %+v, want %+v", mbr.Entries, want)
	}
}

func TestReadMBR(t *testing.T) {
	t.Parallel()
	p := make([]byte, mbrSize)
	p[mbrMagic], p[mbrMagic+1] = 0x55, 0xAA
	copy(p[mbrRecords+mbrRecord:], []byte{0x80, 0, 2, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0})
	m, err := ReadMBR(blob.Bytes(p), 4096)
	if err != nil || m.Protective() || m.Entries[1] != (MBREntry{Type: 0x83, Active: true, Start: 32768, Size: 4096}) {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := Read(blob.Bytes(append(p, make([]byte, mib)...))); report.KindOf(err) != report.NotFound {
		t.Errorf("Read of an MBR disk: %v", err)
	}
	p[mbrRecords+mbrRecord] = 'x' // text or code, as in the boot sector of a file system
	for _, bad := range [][]byte{nil, p[:511], make([]byte, 512), p} {
		if _, err := ReadMBR(blob.Bytes(bad), 512); report.KindOf(err) != report.NotFound {
			t.Errorf("ReadMBR of %d bytes: %v, want kind not-found", len(bad), err)
		}
	}
}

// TestReadImpossible has headers and entries whose checksums are right and which say what cannot be.
func TestReadImpossible(t *testing.T) {
	t.Parallel()
	const sector = 512
	good := flat(t, mustFormat(t, []Partition{{Name: "p", Type: LinuxFilesystem(), Size: mib}}, Options{}))
	clear(good[len(good)-sector:]) // no backup to fall back on
	for _, c := range []struct {
		name  string
		at    int // in the header, or behind it in the entries
		value uint64
		want  string
	}{
		{"place", 24, 7, "it says that it is in sector 7"},
		{"last usable", 48, 1 << 62, "are impossible"},
		{"first usable", 40, 1 << 63, "are impossible"},
		{"entries place", 72, 1 << 60, "lie outside"},
		{"entries end", 72, 6140, "lie outside"},
		{"no entry size", 80, 128, "128 entries of 0 bytes"},
		{"odd entry size", 80, 128 | 129<<32, "128 entries of 129 bytes"},
		{"entry count", 80, 1<<31 | 128<<32, "entries of 128 bytes"},
		{"before usable", sector + 32, 33, "partition 1: sectors 33 to 4095 are not within the usable 34 to"},
		{"behind usable", sector + 40, 1 << 40, "are not within the usable"},
		{"backwards", sector + 40, 2047, "sectors 2048 to 2047"},
	} {
		p := slices.Clone(good)
		binary.LittleEndian.PutUint64(p[sector+c.at:], c.value)
		mendChecksums(p, p[sector:][:sector], sector)
		if _, err := Read(blob.Bytes(p)); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestHugeDisk(t *testing.T) {
	t.Parallel()
	const size = 5 << 40
	table, err := Read(mustFormat(t, []Partition{{Type: LinuxFilesystem(), Start: 3 << 40, Size: 1 << 40}}, Options{Size: size}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := table.MBR.Entries[0].Size, int64(0xFFFFFFFF)*512; got != want || table.Partitions[0].Start != 3<<40 {
		t.Errorf("protective record of %d bytes, want %d; partitions %+v", got, want, table.Partitions)
	}
}

// flat is the whole image in memory, to damage it.
func flat(t testing.TB, b blob.Blob) []byte {
	p, err := blob.ReadAll(b, 64*mib)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReadDamaged(t *testing.T) {
	t.Parallel()
	for _, sector := range []int{512, 4096} {
		parts := systemDisk()
		good := flat(t, mustFormat(t, parts, Options{SectorSize: sector}))
		end := len(good)
		for _, c := range []struct {
			name                 string
			damage               func(p []byte) []byte
			recovered, badBackup bool
			kind                 report.Kind
		}{
			{"nothing", func(p []byte) []byte { return p }, false, false, -1},
			{"primary header", func(p []byte) []byte { p[sector+60]++; return p }, true, false, -1},
			{"primary entries", func(p []byte) []byte { p[2*sector+9]++; return p }, true, false, -1},
			{"start wiped", func(p []byte) []byte { clear(p[:mib]); return p }, true, false, -1},
			{"backup header", func(p []byte) []byte { p[end-sector+60]++; return p }, false, true, -1},
			{"backup entries", func(p []byte) []byte { p[end-2*sector]++; return p }, false, true, -1},
			{"larger disk", func(p []byte) []byte { return append(p, make([]byte, mib)...) }, false, false, -1},
			{"end cut off", func(p []byte) []byte { return p[:end-2*mib] }, false, true, report.Invalid},
			{"both headers", func(p []byte) []byte { p[sector+60]++; p[end-sector+60]++; return p }, false, false, report.Invalid},
			{"no MBR entry", func(p []byte) []byte { clear(p[446:510]); return p }, false, false, report.NotFound},
			{"all zero", func(p []byte) []byte { clear(p); return p }, false, false, report.NotFound},
			{"no bytes", func(p []byte) []byte { return nil }, false, false, report.NotFound},
		} {
			table, err := Read(blob.Bytes(c.damage(slices.Clone(good))))
			switch {
			case c.kind >= 0:
				if err == nil || report.KindOf(err) != c.kind {
					t.Errorf("%d, %s: %v, want kind %v", sector, c.name, err, c.kind)
				}
			case err != nil:
				t.Errorf("%d, %s: %v", sector, c.name, err)
			case table.RecoveredFromBackup != c.recovered || table.BackupDamaged != c.badBackup || len(table.Partitions) != 4 || table.DiskSize != int64(end):
				t.Errorf("%d, %s: %+v", sector, c.name, table)
			}
		}
	}
}

// TestOverOldBytes lays a table over a disk full of old bytes by its own extents alone, as an installer does.
func TestOverOldBytes(t *testing.T) {
	t.Parallel()
	old := bytes.Repeat([]byte{0xA5}, 24*mib)
	parts := systemDisk()
	for i := range parts {
		parts[i].Content = nil
	}
	parts[0].Size = mib
	im := mustFormat(t, parts, Options{Size: int64(len(old))})
	for _, e := range im.Extents() {
		p, err := blob.ReadAll(e.Blob, mib)
		if err != nil {
			t.Fatal(err)
		}
		copy(old[e.Offset:], p)
	}
	table, err := Read(blob.Bytes(old))
	if err != nil || len(table.Partitions) != 4 || table.BackupDamaged {
		t.Fatalf("%+v, %v", table, err)
	}
	if p := flat(t, table.Partitions[0].Content); bytes.Count(p, []byte{0xA5}) != len(p) {
		t.Error("the table's extents reach into a partition")
	}
}

package gpt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs"
	diskgpt "github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

// judged are the images that outside programs look at, by name.
func judged(t testing.TB) map[string]blob.Blob {
	wrapped, err := Wrap(iso(t, 3*mib+2048), []Partition{{Name: "ESP", Type: EFISystem(), Start: mib, Size: mib}}, Options{ActiveRecord: true})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]blob.Blob{
		"zero options": mustFormat(t, systemDisk(), Options{}),
		"given":        mustFormat(t, systemDisk(), Options{Size: 64 * mib, Entries: 256, DiskGUID: testGUID(9), BootCode: []byte("x"), DiskSignature: 7}),
		"active":       mustFormat(t, systemDisk(), Options{ActiveRecord: true}),
		"unaligned":    mustFormat(t, systemDisk(), Options{Align: 512}),
		"empty":        mustFormat(t, nil, Options{}),
		"huge":         mustFormat(t, systemDisk(), Options{Size: 5 << 40}),
		"hybrid":       mustFormat(t, systemDisk(), Options{Hybrid: []MBREntry{{Type: 0xEF, Active: true, Start: mib, Size: 2344 * 512}}}),
		"wrapped":      wrapped,
	}
}

func TestSgdisk(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "sgdisk")
	for name, im := range judged(t) {
		path := oracle.File(t, im)
		out := oracle.Run(t, "sgdisk", "-v", path)
		// A caution is about a partition that does not end on a MiB, which is what these have.
		if !strings.Contains(out, "No problems found") || strings.Contains(out, "Warning") {
			t.Errorf("%s: sgdisk -v says\n%s", name, out)
		}
		table, err := Read(im)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, p := range table.Partitions {
			out := oracle.Run(t, "sgdisk", fmt.Sprintf("-i%d", p.Number), path)
			for _, want := range []string{
				"Partition GUID code: " + p.Type.String(),
				"Partition unique GUID: " + p.GUID.String(),
				fmt.Sprintf("First sector: %d ", p.Start/512),
				fmt.Sprintf("Last sector: %d ", p.End()/512-1),
				fmt.Sprintf("Attribute flags: %016X", p.Attributes),
				fmt.Sprintf("Partition name: '%s'", p.Name),
			} {
				if !strings.Contains(out, want) {
					t.Errorf("%s: sgdisk -i%d does not say %q:\n%s", name, p.Number, want, out)
				}
			}
		}
	}
}

// TestDiskfs has the second judge: another implementation reads the tables of both sector sizes.
func TestDiskfs(t *testing.T) {
	t.Parallel()
	for _, sector := range []int{512, 4096} {
		im := mustFormat(t, systemDisk(), Options{SectorSize: sector, Size: 64 * mib})
		d, err := diskfs.Open(oracle.File(t, im), diskfs.WithSectorSize(diskfs.SectorSize(sector)), diskfs.WithOpenMode(diskfs.ReadOnly))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		pt, err := d.GetPartitionTable()
		if err != nil {
			t.Fatal(err)
		}
		theirs, ours := pt.(*diskgpt.Table), mustRead(t, im)
		if theirs.GUID != ours.DiskGUID.String() || theirs.LogicalSectorSize != sector {
			t.Errorf("go-diskfs reads disk %s with sectors of %d", theirs.GUID, theirs.LogicalSectorSize)
		}
		var got, want []string
		for _, p := range theirs.Partitions {
			if p.Type != diskgpt.Unused {
				got = append(got, fmt.Sprintln(p.Name, p.Type, p.GUID, p.Start, p.End, p.Attributes))
			}
		}
		for _, p := range ours.Partitions {
			want = append(want, fmt.Sprintln(p.Name, p.Type, p.GUID, p.Start/int64(sector), p.End()/int64(sector)-1, p.Attributes))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("sector size %d: go-diskfs reads\n%v, want\n%v", sector, got, want)
		}
	}
}

// TestSevenZip lists a disk of 512-byte sectors as an archive of partitions.
func TestSevenZip(t *testing.T) {
	t.Parallel()
	out := oracle.Run(t, "7z", "l", "-slt", "-tgpt", oracle.File(t, mustFormat(t, systemDisk(), Options{})))
	for _, p := range mustRead(t, mustFormat(t, systemDisk(), Options{})).Partitions {
		if !strings.Contains(out, fmt.Sprintf("Size = %d\n", p.Size)) || !strings.Contains(out, fmt.Sprintf("Offset = %d\n", p.Start)) {
			t.Errorf("7z does not list partition %d, %d bytes at %d:\n%s", p.Number, p.Size, p.Start, out)
		}
	}
}

// TestReadsSgdisk reads what sgdisk wrote.
func TestReadsSgdisk(t *testing.T) {
	t.Parallel()
	path := oracle.File(t, blob.Zeros(64*mib))
	oracle.Run(t, "sgdisk", "-o", "-U", testGUID(1).String(), "-n", "1:2048:+1M", "-t", "1:ef00", "-c", "1:EFI é", "-n", "7:0:0", "-u", "7:"+testGUID(7).String(), "-A", "7:set:2", path)
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := mustRead(t, f)
	last := table.Partitions[1]
	if table.DiskGUID != testGUID(1) || len(table.Partitions) != 2 || table.Partitions[0].Name != "EFI é" || table.Partitions[0].Type != EFISystem() ||
		last.Number != 7 || last.GUID != testGUID(7) || last.Attributes != LegacyBootable || last.Start != 2*mib || last.End() > table.EndUsable {
		t.Errorf("%+v", table)
	}
}

func mustRead(t testing.TB, b blob.Blob) *Table {
	t.Helper()
	table, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

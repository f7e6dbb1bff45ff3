package gpt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

// moved is im on a disk that is larger, after Move; cut is how many of the writes come to be, or -1 for all.
func moved(t testing.TB, im blob.Blob, larger int64, cut int) (*blob.Image, int) {
	t.Helper()
	disk := mustImage(t, larger, blob.Extent{Name: "image", Blob: im})
	writes, err := Move(disk)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range writes {
		if i == cut {
			break
		}
		if disk, err = blob.Overlay(disk, e); err != nil {
			t.Fatal(err)
		}
	}
	return disk, len(writes)
}

func mustImage(t testing.TB, size int64, extents ...blob.Extent) *blob.Image {
	t.Helper()
	im, err := blob.NewImage(size, extents...)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestMove: sgdisk finds the table of an image sound on a larger disk, and the partitions are the same. After each of the writes the
// disk has them too.
func TestMove(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "sgdisk")
	for name, im := range judged(t) {
		for _, more := range []int64{512, 40 * 512, 100 * mib} {
			t.Run(fmt.Sprint(name, "+", more), func(t *testing.T) {
				before, err := Read(im)
				if err != nil {
					t.Fatal(err)
				}
				disk, writes := moved(t, im, im.Size()+more, -1)
				for cut := range writes + 1 {
					half, _ := moved(t, im, im.Size()+more, cut)
					if got, err := Read(half); err != nil || got.RecoveredFromBackup || len(got.Partitions) != len(before.Partitions) {
						t.Errorf("after %d writes: %+v, %v", cut, got, err)
					}
				}
				after, err := Read(disk)
				if err != nil || after.BackupDamaged || after.DiskSize != disk.Size() || after.EndUsable != before.EndUsable+more || after.DiskGUID != before.DiskGUID {
					t.Fatalf("%+v, %v", after, err)
				}
				out := oracle.Run(t, "sgdisk", "-v", oracle.File(t, disk))
				if !strings.Contains(out, "No problems found") || strings.Contains(out, "Warning") {
					t.Errorf("sgdisk -v says\n%s", out)
				}
				if again, err := Move(disk); err != nil || again != nil {
					t.Errorf("a second time: %v, %v", again, err)
				}
			})
		}
	}
}

// TestMoveNothing: disks whose table is that of the whole disk, or that have none, stay as they are.
func TestMoveNothing(t *testing.T) {
	im := mustFormat(t, systemDisk(), Options{SectorSize: 4096, Align: 4096})
	for name, b := range map[string]blob.Blob{
		"zeros": blob.Zeros(mib), "same": im, "less than a sector": mustImage(t, im.Size()+4095, blob.Extent{Name: "image", Blob: im}),
	} {
		if writes, err := Move(b); err != nil || writes != nil {
			t.Errorf("%s: %v, %v", name, writes, err)
		}
	}
	if disk, _ := moved(t, im, im.Size()+8192+5, -1); true {
		if got, err := Read(blob.Slice(disk, 0, disk.Size()-5)); err != nil || got.BackupDamaged || got.DiskSize != im.Size()+8192 {
			t.Errorf("sectors of 4096: %+v, %v", got, err)
		}
	}
}

// FuzzMove: whatever table a disk has, what is to be written lies on the disk, and outside its partitions.
func FuzzMove(f *testing.F) {
	for _, sector := range []int{512, 4096} {
		p := flat(f, mustFormat(f, []Partition{{Name: "a", Type: EFISystem(), Size: 4096}}, Options{SectorSize: sector, Align: 4096}))
		f.Add(p[sector:][:headerSize], p[2*sector:][:2*entrySize], sector == 4096)
	}
	f.Fuzz(func(t *testing.T, head, entries []byte, large bool) {
		p, sector := make([]byte, 200<<10), 512
		if large {
			sector = 4096
		}
		copy(p, bootRecord(Options{SectorSize: sector}, int64(len(p))))
		copy(p[2*sector:], entries)
		copy(p[sector:][:sector], head)
		mendChecksums(p, p[sector:][:sector], sector)
		disk := blob.Bytes(p)
		writes, err := Move(disk)
		if err != nil {
			return
		}
		table, err := Read(disk)
		if err != nil && len(writes) > 0 {
			t.Fatal(err)
		}
		for _, w := range writes {
			if w.Offset < 0 || w.End() > disk.Size() {
				t.Fatalf("%s at %d, %d bytes", w.Name, w.Offset, w.Blob.Size())
			}
			for _, q := range table.Partitions {
				if w.Offset < q.End() && q.Start < w.End() {
					t.Fatalf("%s at %d is in a partition at %d", w.Name, w.Offset, q.Start)
				}
			}
		}
	})
}

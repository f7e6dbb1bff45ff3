package volumes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
)

// locking is how long another program may hold the lock of a disk.
const locking = 10 * time.Second

// open opens a device for writing.
func (r *Runner) open(ctx context.Context, device string) (kernel.Disk, error) {
	ctx, cancel := context.WithTimeout(ctx, locking)
	defer cancel()
	return r.M.OpenDisk(ctx, device, kernel.Write)
}

// edit changes the table of a disk, and tells the kernel what tell says. With create, a blank disk gets a table.
func (r *Runner) edit(ctx context.Context, disk string, create bool, change func(*gpt.Table) error, tell func(kernel.Disk) error) error {
	d, err := r.open(ctx, "/dev/"+disk)
	if err != nil {
		return err
	}
	err = editTable(d, create, change)
	if err == nil && tell != nil {
		err = tell(d)
	}
	return errors.Join(err, d.Close())
}

func editTable(d kernel.Disk, create bool, change func(*gpt.Table) error) error {
	t, err := gpt.Read(d)
	if report.KindOf(err) == report.NotFound && create {
		t, err = newTable(d)
	}
	if err != nil {
		return err
	}
	if int64(t.SectorSize) != d.Geometry().SectorSize {
		return fmt.Errorf("the partition table is for sectors of %d bytes, and the disk has %d", t.SectorSize, d.Geometry().SectorSize)
	}
	if err := change(t); err != nil {
		return err
	}
	return writeTable(d, t)
}

// newTable is an empty one for a disk that is blank, which is looked at once more.
func newTable(d kernel.Disk) (*gpt.Table, error) {
	found, err := probe.Probe(d)
	if err != nil {
		return nil, err
	}
	if !found.Blank {
		return nil, fmt.Errorf("the disk is not blank, and is left alone")
	}
	return &gpt.Table{DiskGUID: randomGUID(), SectorSize: int(d.Geometry().SectorSize)}, nil
}

// writeTable writes a table for the size that the disk has, where it is not there yet: the backup first, then what says that
// there is a table, then the primary; each reaches the disk before the next is written. A master boot record that is there
// stays, for it may start the machine.
func writeTable(d kernel.Disk, t *gpt.Table) error {
	entries := 0
	for i, p := range t.Partitions {
		t.Partitions[i].Content = nil
		entries = max(entries, p.Number)
	}
	im, err := gpt.Format(t.Partitions, gpt.Options{Size: d.Size() / int64(t.SectorSize) * int64(t.SectorSize), SectorSize: t.SectorSize, DiskGUID: t.DiskGUID, Entries: max(entries, 128)})
	if err != nil {
		return err
	}
	for _, name := range []string{"gpt-backup", "mbr", "gpt"} {
		if name == "mbr" && t.MBR.Protective() {
			continue
		}
		i := slices.IndexFunc(im.Extents(), func(e blob.Extent) bool { return e.Name == name })
		if err := writeExtent(d, im.Extents()[i]); err != nil {
			return fmt.Errorf("write the partition table (%s): %w", name, err)
		}
	}
	return nil
}

// writeExtent writes what is not there yet, in whole sectors, and waits until it is on the disk.
func writeExtent(d kernel.Disk, e blob.Extent) error {
	sector := d.Geometry().SectorSize
	have, want := make([]byte, blob.Align(e.Blob.Size(), sector)), make([]byte, blob.Align(e.Blob.Size(), sector))
	if err := blob.ReadFull(e.Blob, want[:e.Blob.Size()], 0); err != nil {
		return err
	}
	if err := blob.ReadFull(d, have, e.Offset); err == nil && string(have) == string(want) {
		return nil
	}
	if _, err := d.WriteAt(want, e.Offset); err != nil {
		return err
	}
	return d.Sync()
}

// randomGUID is a GUID of version 4 (RFC 9562, 5.4).
func randomGUID() gpt.GUID {
	var g gpt.GUID
	rand.Read(g[:]) // never fails
	g[6], g[8] = g[6]&0x0F|0x40, g[8]&0x3F|0x80
	return g
}

// partition is the partition of that number.
func partition(t *gpt.Table, number int) (*gpt.Partition, error) {
	for i := range t.Partitions {
		if t.Partitions[i].Number == number {
			return &t.Partitions[i], nil
		}
	}
	return nil, fmt.Errorf("partition %d is not there any more", number)
}

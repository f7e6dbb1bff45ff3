package inspect

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/machine/meta"
)

// openVirtual looks into the disk that an image for virtual machines holds.
func openVirtual(read func(blob.Blob) (*blob.Image, error)) func(*opener, *Item, int) error {
	return func(o *opener, it *Item, depth int) error {
		disk, err := read(it.Blob)
		if err != nil {
			return err
		}
		it.fact("disk size", fmt.Sprint(disk.Size()))
		o.add(it, "disk", disk, depth)
		return nil
	}
}

// openMeta shows the values of a META partition, which are bytes of any kind.
func openMeta(_ *opener, it *Item, _ int) error {
	values, damaged, err := meta.Read(it.Blob)
	if err != nil {
		return err
	}
	for _, tag := range slices.Sorted(maps.Keys(values)) {
		it.fact(fmt.Sprintf("tag %#x", uint8(tag)), fmt.Sprintf("%.200q", values[tag]))
	}
	if damaged != nil {
		it.Note = damaged.Error()
	}
	return nil
}

func openFAT(o *opener, it *Item, depth int) error {
	v, err := fat.Read(it.Blob)
	if err != nil {
		return err
	}
	it.Type = fmt.Sprintf("fat%d", v.Bits)
	it.fact("label", v.Label)
	it.fact("serial", fmt.Sprintf("%04X-%04X", v.Serial>>16, v.Serial&0xffff))
	o.tree(it, v.Tree, depth)
	return nil
}

func openGPT(o *opener, it *Item, depth int) error {
	t, err := gpt.Read(it.Blob)
	if err != nil {
		return err
	}
	tableFacts(it, t)
	for _, p := range t.Partitions {
		child, ok := o.add(it, fmt.Sprintf("partition%d", p.Number), p.Content, depth)
		if !ok {
			return nil
		}
		child.Facts = append(partitionFacts(p), child.Facts...)
	}
	return nil
}

// openISO shows the files of an ISO, and its partition table where it has one too: the partitions are ranges of the same
// bytes and not looked into twice.
func openISO(o *opener, it *Item, depth int) error {
	v, err := iso9660.Read(it.Blob)
	if err != nil {
		return err
	}
	it.fact("label", v.VolumeID)
	for _, e := range v.Boot {
		it.fact("boot "+e.Platform.String(), bootImage(e))
	}
	if t, err := gpt.Read(it.Blob); err == nil {
		tableFacts(it, t)
		for _, p := range t.Partitions {
			it.fact(fmt.Sprintf("partition %d", p.Number), fmt.Sprintf("%s, %d bytes at %d, %s", p.Name, p.Size, p.Start, p.Type))
		}
	}
	o.tree(it, v.Tree, depth)
	return nil
}

// bootImage names the file that an El Torito entry loads, or says where it lies.
func bootImage(e iso9660.BootImage) string {
	if e.Path != "" {
		return "/" + e.Path
	}
	return fmt.Sprintf("at offset %d", e.Offset)
}

func tableFacts(it *Item, t *gpt.Table) {
	it.fact("disk guid", t.DiskGUID.String())
	if t.SectorSize != 512 {
		it.fact("sector size", fmt.Sprint(t.SectorSize))
	}
	if t.RecoveredFromBackup {
		it.fact("primary table", "damaged; read from the backup")
	}
	if t.BackupDamaged {
		it.fact("backup table", "damaged or missing")
	}
}

func partitionFacts(p gpt.Partition) Facts {
	return Facts{
		{"label", p.Name}, {"type guid", p.Type.String()}, {"guid", p.GUID.String()}, {"offset", fmt.Sprint(p.Start)},
	}
}

// Package disk lays out the disk of a machine with the system on it: the partitions of machine/layout that an image brings,
// their contents by reference, and the boot loaders. STATE and EPHEMERAL are made by the machine at its first boot, in the
// room behind, so that an image fits any disk that is large enough for it.
package disk

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// Spec is what the disk shall hold.
type Spec struct {
	Bootloader layout.Bootloader
	SectorSize int   // bytes: 512 (also 0) or 4096
	Size       int64 // of the disk in bytes; 0 is what its partitions need

	EFI        *tree.Tree // of the EFI system partition, where the boot loader starts on UEFI
	Boot       *tree.Tree // of the BOOT partition, where it starts on a BIOS
	BootSector blob.Blob  // GRUB's boot.img, for a BIOS
	Core       blob.Blob  // GRUB's core.img, for a BIOS

	Meta  meta.Values
	Epoch time.Time
	ID    func(name string) [16]byte // identifiers by name, derived from the plan
}

// gptTail is what the backup table at the end needs, and alignment.
const gptTail = layout.MiB

// Format lays the disk out. A size that is too small is an Invalid error that says how much it takes.
func Format(s Spec) (*blob.Image, error) {
	if s.SectorSize == 0 {
		s.SectorSize = 512
	}
	switch {
	case s.SectorSize != 512 && s.SectorSize != 4096:
		return nil, report.Errorf(report.Invalid, "sectors of %d bytes; disks have 512 or 4096", s.SectorSize)
	case s.SectorSize != 512 && s.Bootloader.BIOS():
		return nil, report.Errorf(report.Unsupported, "a disk with sectors of %d bytes does not start on a BIOS; use boot loader sd-boot", s.SectorSize)
	}
	parts, need, err := s.partitions()
	if err != nil {
		return nil, err
	}
	switch {
	case s.Size == 0:
		s.Size = need
	case s.Size < need:
		return nil, report.WithHint(report.Errorf(report.Invalid, "a disk of %d bytes is too small: its partitions take %d (%d MiB)", s.Size, need, need/layout.MiB),
			"set imageOptions.diskSize to %d or more, or leave it out", need)
	case s.Size%int64(s.SectorSize) != 0:
		return nil, report.Errorf(report.Invalid, "a disk of %d bytes, which is not whole sectors of %d", s.Size, s.SectorSize)
	}
	o := gpt.Options{Size: s.Size, SectorSize: s.SectorSize, DiskGUID: s.ID("disk")}
	if s.Bootloader.BIOS() {
		if o.BootCode, err = grub.BootCode(s.BootSector, biosStart(parts)); err != nil {
			return nil, err
		}
		o.ActiveRecord = true
	}
	return gpt.Format(parts, o)
}

// partitions are those that the image brings, placed one after another, and the size of the disk that they need.
func (s *Spec) partitions() ([]gpt.Partition, int64, error) {
	at := int64(layout.Align)
	var out []gpt.Partition
	for _, p := range layout.System(s.Bootloader) {
		if p.AtBoot {
			continue
		}
		content, err := s.content(p, at)
		if err != nil {
			return nil, 0, err
		}
		size := blob.Align(max(content.Size(), p.MinSize), layout.Align)
		out = append(out, gpt.Partition{
			Name: p.Label, Type: p.Type, GUID: s.ID("partition/" + p.Label), Attributes: p.Attributes, Start: at, Size: size, Content: content,
		})
		at += size
	}
	return out, at + gptTail, nil
}

func biosStart(parts []gpt.Partition) int64 {
	return parts[slices.IndexFunc(parts, func(p gpt.Partition) bool { return p.Name == layout.BIOS })].Start
}

// content is what the partition p holds, which starts at the byte at of the disk.
func (s *Spec) content(p layout.Partition, at int64) (blob.Blob, error) {
	switch p.Label {
	case layout.EFI:
		return s.volume(s.EFI, p.Label, at)
	case layout.Boot:
		return s.volume(s.Boot, p.Label, at)
	case layout.BIOS:
		return grub.Core(s.Core, at, layout.BIOSSize)
	case layout.Meta:
		if len(s.Meta) == 0 {
			return blob.Zeros(layout.MetaSize), nil
		}
		p, err := meta.Encode(s.Meta)
		return blob.Bytes(p), err
	}
	return nil, report.Errorf(report.Internal, "no content for partition %s", p.Label)
}

// volume is a FAT file system with room for what upgrades bring.
func (s *Spec) volume(t *tree.Tree, label string, at int64) (*blob.Image, error) {
	id := s.ID("filesystem/" + label)
	o := fat.Options{
		SectorSize: s.SectorSize, Hidden: uint32(at / int64(s.SectorSize)), Label: label, Epoch: s.Epoch, Align: 4096,
		Serial: binary.LittleEndian.Uint32(id[:]),
	}
	var content int64
	for _, n := range t.Nodes() {
		content += blob.Align(n.Size(), 4096)
	}
	o.Size = layout.Room(content)
	return fat.Format(t, o)
}

package builder

import (
	"encoding/binary"

	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/grub"
)

// makeISO is one file that boots from CD-ROM and, written as it is, from a disk or USB stick; on UEFI through systemd-boot
// and the UKI in the EFI system partition, on BIOS (amd64) through GRUB. The kernel and initramfs that GRUB reads are the
// UKI's own sections, and its archive of machine configurations is three files of the partition, of which systemd-stub reads the
// middle one: the ISO 9660 records point at the same sectors, so nothing is stored twice. Nor are the files from which a machine
// that booted from it installs itself (machine/bootassets).
func makeISO(k *kit) ([]File, error) {
	esp, err := k.isoESP()
	if err != nil {
		return nil, err
	}
	files, boot, err := k.isoTree(esp)
	if err != nil {
		return nil, err
	}
	iso, err := iso9660.Format(files, iso9660.Options{
		VolumeID: k.isoLabel(), Publisher: "bootwright", Application: "bootwright " + k.plan.Version,
		Epoch: k.plan.Time(), Boot: boot, Align: 4096,
	})
	if err != nil {
		return nil, err
	}
	hybrid, err := k.isoPartitions(iso)
	if err != nil {
		return nil, err
	}
	return []File{{k.target() + ".iso", "application/x-iso9660-image", hybrid}}, nil
}

// isoESP is the EFI system partition.
func (k *kit) isoESP() (*blob.Image, error) {
	t, err := k.efiTree()
	if err != nil {
		return nil, err
	}
	id := k.plan.ID("efi")
	return fat.Format(t, fat.Options{
		Label: "EFI", Serial: binary.LittleEndian.Uint32(id[:]), Epoch: k.plan.Time(), Align: 4096,
	})
}

// isoTree is what the ISO 9660 file system holds, and the El Torito entries that name the boot images in it.
func (k *kit) isoTree(esp *blob.Image) (*tree.Tree, []iso9660.BootEntry, error) {
	initramfs, err := k.initramfs()
	if err != nil {
		return nil, nil, err
	}
	var t tree.Tree
	t.File("boot/efi.img", 0o444, esp)
	t.File("boot/vmlinuz", 0o444, k.part(base.Kernel))
	t.File("boot/initramfs.img", 0o444, initramfs)
	config, err := k.config()
	if err != nil {
		return nil, nil, err
	}
	t.File(bake.ISOPath, 0o444, config.Whole())
	assets, err := k.assets()
	if err != nil {
		return nil, nil, err
	}
	assets.AddTo(&t)
	efi := iso9660.BootEntry{Platform: iso9660.EFI, Path: "boot/efi.img"}
	if k.plan.Arch != "amd64" {
		return &t, []iso9660.BootEntry{efi}, nil
	}
	t.File("boot/grub/grub.cfg", 0o444, blob.String(k.grubMenu()))
	t.File("boot/grub/eltorito.img", 0o444, k.part(base.GRUBElTorito))
	bios := iso9660.BootEntry{Platform: iso9660.BIOS, Path: "boot/grub/eltorito.img", LoadSectors: 4, InfoTable: true, GRUB2Info: true}
	return &t, []iso9660.BootEntry{bios, efi}, nil
}

// isoPartitions lays a partition table over the ISO's empty system area, for firmware that sees it as a disk.
func (k *kit) isoPartitions(iso *iso9660.Image) (*blob.Image, error) {
	at, size, ok := iso.Location("boot/efi.img")
	if !ok {
		return nil, report.Errorf(report.Internal, "the iso lost its efi system partition")
	}
	o := gpt.Options{DiskGUID: k.plan.ID("disk")}
	if image, _, ok := iso.Location("boot/grub/eltorito.img"); ok {
		code, err := grub.HybridCode(k.part(base.GRUBHybrid), image)
		if err != nil {
			return nil, err
		}
		o.BootCode = code
	}
	return gpt.Wrap(iso, []gpt.Partition{
		{Name: "EFI", Type: gpt.EFISystem(), GUID: k.plan.ID("partition/EFI"), Start: at, Size: blob.Align(size, 512)},
	}, o)
}

// isoLabel is the volume name, by which boot loaders and people find the ISO.
func (k *kit) isoLabel() string {
	if l := k.plan.Output.ISOOptions.Label; l != "" {
		return l
	}
	return "BOOTWRIGHT"
}

// Package layout is the one description of the partitions of a machine's system disk: what the builder writes into disk
// images, the installer onto disks, and what the init finds and makes at the first boot. Labels, types and order are those of
// the configuration guide's machines (sections 4 and 5), so that either system finds its way on a disk of the other.
package layout

import (
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/report"
)

// Labels of partitions.
const (
	EFI        = "EFI"        // the EFI system partition: boot loader and UKIs
	BIOS       = "BIOS"       // GRUB's core image
	Boot       = "BOOT"       // what GRUB reads: kernels and initramfs
	Meta       = "META"       // a few values (machine/meta); its disk is the system disk
	State      = "STATE"      // the machine configuration
	Ephemeral  = "EPHEMERAL"  // everything else, /var
	ImageCache = "IMAGECACHE" // container images that came with the asset
)

// Sizes in bytes.
const (
	MiB = 1 << 20
	GiB = 1 << 30

	Align = MiB // where partitions start

	BIOSSize         = MiB
	MetaSize         = MiB
	StateSize        = 100 * MiB
	EphemeralMinSize = 2 * GiB
)

// Filesystem of a partition.
type Filesystem string

// The file systems. None is a partition of raw bytes.
const (
	None Filesystem = ""
	VFAT Filesystem = "vfat"
	XFS  Filesystem = "xfs"
	Ext4 Filesystem = "ext4"
)

// Partition is one partition of the system disk.
type Partition struct {
	Label      string
	Type       gpt.GUID
	Attributes uint64
	Filesystem Filesystem
	MinSize    int64  // in bytes; where 0, Room of what it must hold
	MaxSize    int64  // in bytes; 0 is no limit, and equal to MinSize where the size is fixed
	Grow       bool   // with its disk, at every boot
	AtBoot     bool   // made by the machine at its first boot, not by the builder or installer
	Mount      string // where the machine mounts it; empty for nowhere
}

// Bootloader is what starts the kernel.
type Bootloader string

// The boot loaders.
const (
	SDBoot   Bootloader = "sd-boot"   // systemd-boot, UEFI
	GRUB     Bootloader = "grub"      // GRUB, BIOS
	DualBoot Bootloader = "dual-boot" // both
)

// ParseBootloader reads a name; an unknown one is Invalid.
func ParseBootloader(s string) (Bootloader, error) {
	switch b := Bootloader(s); b {
	case SDBoot, GRUB, DualBoot:
		return b, nil
	}
	return "", report.Errorf(report.Invalid, "unknown boot loader %.40q; there are sd-boot, grub and dual-boot", s)
}

// UEFI reports whether b starts on UEFI firmware, and BIOS whether it starts on a BIOS.
func (b Bootloader) UEFI() bool { return b != GRUB }

// BIOS follows UEFI.
func (b Bootloader) BIOS() bool { return b != SDBoot }

// System are the partitions of a system disk that b boots from, in their order.
func System(b Bootloader) []Partition {
	var p []Partition
	if b.UEFI() {
		p = append(p, Partition{Label: EFI, Type: gpt.EFISystem(), Filesystem: VFAT})
	}
	if b.BIOS() {
		p = append(p,
			Partition{Label: BIOS, Type: gpt.BIOSBoot(), Attributes: gpt.LegacyBootable, MinSize: BIOSSize, MaxSize: BIOSSize},
			Partition{Label: Boot, Type: gpt.LinuxFilesystem(), Filesystem: VFAT},
		)
	}
	return append(p, MetaPartition(), StatePartition(), EphemeralPartition())
}

// MetaPartition is META.
func MetaPartition() Partition {
	return Partition{Label: Meta, Type: gpt.LinuxFilesystem(), MinSize: MetaSize, MaxSize: MetaSize}
}

// StatePartition is STATE.
func StatePartition() Partition {
	return Partition{
		Label: State, Type: gpt.LinuxFilesystem(), Filesystem: XFS, MinSize: StateSize, MaxSize: StateSize, AtBoot: true, Mount: "/system/state",
	}
}

// EphemeralPartition is EPHEMERAL, as long as no VolumeConfig says otherwise.
func EphemeralPartition() Partition {
	return Partition{
		Label: Ephemeral, Type: gpt.LinuxFilesystem(), Filesystem: XFS, MinSize: EphemeralMinSize, Grow: true, AtBoot: true, Mount: "/var",
	}
}

// generations is how many systems a boot partition holds: the one that runs and the one that replaces it.
const generations = 2

// Room is the size of a partition for boot assets of which one generation takes content bytes: that of two, each with a
// quarter more for what later versions add, and for the file system.
func Room(content int64) int64 {
	const smallest = 64 * MiB // FAT32 needs 65,525 clusters
	need := content + content/4
	return max(smallest, (generations*need+16*MiB+MiB-1)/MiB*MiB)
}

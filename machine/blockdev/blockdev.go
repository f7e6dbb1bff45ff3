// Package blockdev is what a machine says of its disks and of what is on them: plain data that the init, its boot report
// and wrightctl share. Fields have the names of the configuration guide (section 5), which are also those of the
// expressions that select disks and volumes.
package blockdev

import (
	"fmt"
	"math"
)

// Kinds of a Volume.
const (
	TypeDisk      = "disk"
	TypePartition = "partition"
)

// Transports of a Disk.
const (
	Virtio = "virtio" // also SCSI disks of a virtio controller
	NVMe   = "nvme"
	SATA   = "sata"
	USB    = "usb"
	SCSI   = "scsi"
	MMC    = "mmc"
)

// Disk is a whole block device that is neither held in memory nor made of others. Sizes are in bytes; fields that the
// device does not have are empty.
type Disk struct {
	Name           string   `json:"name" yaml:"name"`         // vda
	DevPath        string   `json:"dev_path" yaml:"dev_path"` // /dev/vda
	Size           uint64   `json:"size" yaml:"size"`
	PrettySize     string   `json:"pretty_size" yaml:"pretty_size"` // Pretty(Size)
	IOSize         uint64   `json:"io_size" yaml:"io_size"`         // of the transfers that suit it best; at least SectorSize
	SectorSize     uint64   `json:"sector_size" yaml:"sector_size"` // logical
	ReadOnly       bool     `json:"readonly" yaml:"readonly"`
	CDROM          bool     `json:"cdrom" yaml:"cdrom"`
	Removable      bool     `json:"removable" yaml:"removable"`
	Rotational     bool     `json:"rotational" yaml:"rotational"`
	Model          string   `json:"model" yaml:"model"`
	Serial         string   `json:"serial" yaml:"serial"`
	WWID           string   `json:"wwid" yaml:"wwid"`
	UUID           string   `json:"uuid" yaml:"uuid"` // NVMe
	Modalias       string   `json:"modalias" yaml:"modalias"`
	BusPath        string   `json:"bus_path" yaml:"bus_path"`     // /pci0000:00/0000:00:09.0/nvme
	SubSystem      string   `json:"sub_system" yaml:"sub_system"` // /sys/class/block
	Transport      string   `json:"transport" yaml:"transport"`   // one of the above, or empty
	SecondaryDisks []string `json:"secondary_disks" yaml:"secondary_disks"`
	Symlinks       []string `json:"symlinks" yaml:"symlinks"` // /dev/disk/by-id/…, sorted
}

// Volume is a partition or whole block device and what was found on it. Every Disk that is no empty drive has one, and so
// have devices made of others, such as dm-0.
type Volume struct {
	ID         string `json:"id" yaml:"id"`             // vda1
	Type       string `json:"type" yaml:"type"`         // TypeDisk or TypePartition
	DevPath    string `json:"dev_path" yaml:"dev_path"` // /dev/vda1
	DevicePath string `json:"device_path" yaml:"device_path"`
	// Parent and ParentDevPath are the whole disk of a partition, vda and /dev/vda.
	Parent        string `json:"parent" yaml:"parent"`
	ParentDevPath string `json:"parent_dev_path" yaml:"parent_dev_path"`
	Size          uint64 `json:"size" yaml:"size"`
	PrettySize    string `json:"pretty_size" yaml:"pretty_size"`
	Offset        uint64 `json:"offset" yaml:"offset"` // on the disk, in bytes; 0 for whole disks
	SectorSize    uint64 `json:"sector_size" yaml:"sector_size"`
	IOSize        uint64 `json:"io_size" yaml:"io_size"`

	// What was found; Name is that of formats/probe, such as xfs, luks or gpt, and empty where nothing was recognized.
	Name                string `json:"name" yaml:"name"`
	UUID                string `json:"uuid" yaml:"uuid"`
	Label               string `json:"label" yaml:"label"`
	BlockSize           uint32 `json:"block_size" yaml:"block_size"`
	FilesystemBlockSize uint32 `json:"filesystem_block_size" yaml:"filesystem_block_size"`
	ProbedSize          uint64 `json:"probed_size" yaml:"probed_size"` // that the content says it has

	// Blank tells that all that probing looks at is zero. Where neither Blank nor Name is set, there is something that
	// nobody here knows, and it must not be overwritten.
	Blank bool `json:"blank" yaml:"blank"`
	// Error is why the content could not be read: nothing may be concluded from empty fields then.
	Error string `json:"error,omitempty" yaml:"error,omitempty"`
	// Damaged is what is wrong with content that is clearly of the type Name, such as one of two headers.
	Damaged string `json:"damaged,omitempty" yaml:"damaged,omitempty"`

	// Of a partition, from the table of its disk. UUIDs are in lower case.
	PartitionUUID  string `json:"partition_uuid" yaml:"partition_uuid"`
	PartitionType  string `json:"partition_type" yaml:"partition_type"`
	PartitionLabel string `json:"partition_label" yaml:"partition_label"`
	PartitionIndex uint32 `json:"partition_index" yaml:"partition_index"` // from 1

	// Table is the partition table of a disk with Name "gpt".
	Table *Table `json:"table,omitempty" yaml:"table,omitempty"`
	// Symlinks are its other names, /dev/disk/by-partlabel/…, sorted.
	Symlinks []string `json:"symlinks" yaml:"symlinks"`
}

// Table is the GUID partition table of a disk, in bytes.
type Table struct {
	FirstUsable uint64 `json:"first_usable" yaml:"first_usable"` // partitions lie from here …
	EndUsable   uint64 `json:"end_usable" yaml:"end_usable"`     // … to before here
	DiskSize    uint64 `json:"disk_size" yaml:"disk_size"`       // when the table was written; the disk may have grown
	// Recovered tells that the primary table is damaged and the backup was read; BackupDamaged, that the backup is no
	// equal of the primary.
	Recovered     bool `json:"recovered,omitempty" yaml:"recovered,omitempty"`
	BackupDamaged bool `json:"backup_damaged,omitempty" yaml:"backup_damaged,omitempty"`
}

// Pretty is n bytes for people, with decimal units: "10 GB", "1.0 MB".
func Pretty(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for ; v >= 1000 && unit < 6; unit++ {
		v /= 1000
	}
	if v = math.Floor(v*10+0.5) / 10; v >= 10 {
		return fmt.Sprintf("%.0f %cB", v, "BkMGTPE"[unit])
	}
	return fmt.Sprintf("%.1f %cB", v, "BkMGTPE"[unit])
}

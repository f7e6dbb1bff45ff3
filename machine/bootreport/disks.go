package bootreport

import "github.com/bootwright/bootwright/machine/blockdev"

// Disk is a whole block device that is neither held in memory nor made of others, in the columns of the configuration
// guide (section 5). Sizes are in bytes. What the fields mean is said at blockdev.Disk.
type Disk struct {
	Name       string   `json:"name"`                // vda
	Version    int      `json:"version,omitempty"`   // 1 at first, and one more for each change since
	Size       int64    `json:"size"`                // in bytes
	SectorSize int64    `json:"sectorSize"`          // logical, in bytes
	Transport  string   `json:"transport,omitempty"` // virtio, nvme, sata, usb, scsi or mmc
	Model      string   `json:"model,omitempty"`
	Serial     string   `json:"serial,omitempty"`
	ReadOnly   bool     `json:"readOnly,omitempty"`
	Rotational bool     `json:"rotational,omitempty"`
	Removable  bool     `json:"removable,omitempty"`
	CDROM      bool     `json:"cdrom,omitempty"`
	DevPath    string   `json:"devPath,omitempty"` // /dev/vda
	PrettySize string   `json:"prettySize,omitempty"`
	IOSize     int64    `json:"ioSize,omitempty"`
	WWID       string   `json:"wwid,omitempty"`
	UUID       string   `json:"uuid,omitempty"`
	Modalias   string   `json:"modalias,omitempty"`
	BusPath    string   `json:"busPath,omitempty"`
	SubSystem  string   `json:"subSystem,omitempty"`
	Secondary  []string `json:"secondaryDisks,omitempty"`
	Symlinks   []string `json:"symlinks,omitempty"`
}

// DiscoveredVolume is a partition or whole block device and what was found on it, in the columns of the guide and those
// that say where it is. What the fields mean is said at blockdev.Volume.
type DiscoveredVolume struct {
	ID                  string          `json:"id"`                // vda1
	Version             int             `json:"version,omitempty"` // as Disk.Version
	Type                string          `json:"type"`              // disk or partition
	Size                uint64          `json:"size"`              // in bytes
	PrettySize          string          `json:"prettySize"`
	Discovered          string          `json:"discovered,omitempty"` // xfs, luks, gpt …
	Label               string          `json:"label,omitempty"`
	PartitionLabel      string          `json:"partitionLabel,omitempty"`
	UUID                string          `json:"uuid,omitempty"`
	DevPath             string          `json:"devPath"`
	DevicePath          string          `json:"devicePath,omitempty"`
	Parent              string          `json:"parent,omitempty"`
	ParentDevPath       string          `json:"parentDevPath,omitempty"`
	Offset              uint64          `json:"offset,omitempty"`
	SectorSize          uint64          `json:"sectorSize,omitempty"`
	IOSize              uint64          `json:"ioSize,omitempty"`
	BlockSize           uint32          `json:"blockSize,omitempty"`
	FilesystemBlockSize uint32          `json:"filesystemBlockSize,omitempty"`
	ProbedSize          uint64          `json:"probedSize,omitempty"`
	Blank               bool            `json:"blank,omitempty"`
	Error               string          `json:"error,omitempty"` // why it could not be read
	Damaged             string          `json:"damaged,omitempty"`
	PartitionUUID       string          `json:"partitionUUID,omitempty"`
	PartitionType       string          `json:"partitionType,omitempty"`
	PartitionIndex      uint32          `json:"partitionIndex,omitempty"`
	Table               *blockdev.Table `json:"table,omitempty"`
	Symlinks            []string        `json:"symlinks,omitempty"`
}

// ReportDisk is d as it is reported.
func ReportDisk(d blockdev.Disk) Disk {
	return Disk{
		Name: d.Name, Size: int64(d.Size), SectorSize: int64(d.SectorSize), Transport: d.Transport, Model: d.Model, Serial: d.Serial,
		ReadOnly: d.ReadOnly, Rotational: d.Rotational, Removable: d.Removable, CDROM: d.CDROM, DevPath: d.DevPath, PrettySize: d.PrettySize,
		IOSize: int64(d.IOSize), WWID: d.WWID, UUID: d.UUID, Modalias: d.Modalias, BusPath: d.BusPath, SubSystem: d.SubSystem,
		Secondary: d.SecondaryDisks, Symlinks: d.Symlinks,
	}
}

// Device is the disk that was reported as d.
func (d Disk) Device() blockdev.Disk {
	return blockdev.Disk{
		Name: d.Name, Size: uint64(d.Size), SectorSize: uint64(d.SectorSize), Transport: d.Transport, Model: d.Model, Serial: d.Serial,
		ReadOnly: d.ReadOnly, Rotational: d.Rotational, Removable: d.Removable, CDROM: d.CDROM, DevPath: d.DevPath, PrettySize: d.PrettySize,
		IOSize: uint64(d.IOSize), WWID: d.WWID, UUID: d.UUID, Modalias: d.Modalias, BusPath: d.BusPath, SubSystem: d.SubSystem,
		SecondaryDisks: d.Secondary, Symlinks: d.Symlinks,
	}
}

// ReportVolume is v as it is reported.
func ReportVolume(v blockdev.Volume) DiscoveredVolume {
	return DiscoveredVolume{
		ID: v.ID, Type: v.Type, Size: v.Size, PrettySize: v.PrettySize, Discovered: v.Name, Label: v.Label, PartitionLabel: v.PartitionLabel,
		UUID: v.UUID, DevPath: v.DevPath, DevicePath: v.DevicePath, Parent: v.Parent, ParentDevPath: v.ParentDevPath, Offset: v.Offset,
		SectorSize: v.SectorSize, IOSize: v.IOSize, BlockSize: v.BlockSize, FilesystemBlockSize: v.FilesystemBlockSize, ProbedSize: v.ProbedSize,
		Blank: v.Blank, Error: v.Error, Damaged: v.Damaged, PartitionUUID: v.PartitionUUID, PartitionType: v.PartitionType,
		PartitionIndex: v.PartitionIndex, Table: v.Table, Symlinks: v.Symlinks,
	}
}

// Volume is the volume that was reported as v.
func (v DiscoveredVolume) Volume() blockdev.Volume {
	return blockdev.Volume{
		ID: v.ID, Type: v.Type, Size: v.Size, PrettySize: v.PrettySize, Name: v.Discovered, Label: v.Label, PartitionLabel: v.PartitionLabel,
		UUID: v.UUID, DevPath: v.DevPath, DevicePath: v.DevicePath, Parent: v.Parent, ParentDevPath: v.ParentDevPath, Offset: v.Offset,
		SectorSize: v.SectorSize, IOSize: v.IOSize, BlockSize: v.BlockSize, FilesystemBlockSize: v.FilesystemBlockSize, ProbedSize: v.ProbedSize,
		Blank: v.Blank, Error: v.Error, Damaged: v.Damaged, PartitionUUID: v.PartitionUUID, PartitionType: v.PartitionType,
		PartitionIndex: v.PartitionIndex, Table: v.Table, Symlinks: v.Symlinks,
	}
}

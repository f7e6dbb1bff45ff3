package kernel

import (
	"context"
	"errors"
	"io"
)

// Disks are block devices, opened by the path of their node.
type Disks interface {
	// OpenDisk opens the whole disk or partition at path (/dev/vda). For Write it waits until no other program has locked
	// it, as long as ctx lasts, and fails with ErrBusy then.
	OpenDisk(ctx context.Context, path string, a Access) (Disk, error)
	// Remove removes a file, a symbolic link or an empty folder.
	Remove(name string) error
}

// Access is what a disk is opened for.
type Access int

// The accesses. Write locks the device against others that lock it too (flock(2)), as udev and systemd ask for.
const (
	Read Access = iota
	Write
)

// ErrBusy is that another program holds the lock of a disk.
var ErrBusy = errors.New("another program has locked the disk")

// Disk is an open block device, a blob.Blob. All positions are bytes. What is written is in the kernel's memory until
// Sync. The cache of a partition is not that of its disk: what belongs to a partition is read and written through it.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	Size() int64
	Geometry() Geometry
	Sync() error
	// Zero makes n bytes from off read as zero, and may free what they took. Both are multiples of the sector size.
	Zero(off, n int64) error
	// Discard tells the device that n bytes from off are not needed, whatever they read as. The error is
	// errors.ErrUnsupported where it cannot be told.
	Discard(off, n int64) error
	// AddPartition, ResizePartition and DeletePartition change what the kernel takes for the partitions of a disk, not the
	// table on it. They work while other partitions are in use.
	AddPartition(number int, off, n int64) error
	ResizePartition(number int, off, n int64) error
	DeletePartition(number int) error
	// RereadPartitions lets the kernel read the table on the disk. It fails while a partition is in use.
	RereadPartitions() error
	Close() error
}

// Geometry is how a block device is used best; sizes are in bytes.
type Geometry struct {
	SectorSize int64 // logical, the unit of reads and writes
	IOSize     int64 // of the transfers that suit it best; 0 where it does not say
	ReadOnly   bool
}

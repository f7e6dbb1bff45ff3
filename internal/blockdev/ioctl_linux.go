package blockdev

import (
	"os"

	"golang.org/x/sys/unix"
)

func sectorSize(f *os.File) (int, error) { return unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET) }

func forget(f *os.File) { unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// discard gives a range back to the device, so that it reads as zero; false where the device cannot promise that. On a block
// device the kernel takes this for zeroing, by the device's own means or not at all (BLKDEV_ZERO_NOFALLBACK).
func discard(f *os.File, off, size int64) bool {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, size) == nil
}

func reread(f *os.File) error {
	return unix.IoctlSetInt(int(f.Fd()), unix.BLKRRPART, 0)
}

package blob

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// block is what file systems share, and what the kernel moves as a whole: no file system has smaller ones today.
const block = 4096

// copyInKernel copies up to n bytes with copy_file_range, which shares blocks on file systems that can. It copies
// nothing, without an error, where b is no file or the two file systems cannot do it together; nor where the bytes lie
// differently in their blocks, because the kernel then takes half as long again as a copy through memory.
func copyInKernel(dst *os.File, at int64, b Blob, off, n int64) (int64, error) {
	src, pos, ok := fileRange(b, off)
	if !ok || (pos-at)%block != 0 {
		return 0, nil
	}
	done, err := unix.CopyFileRange(int(src.Fd()), &pos, int(dst.Fd()), &at, int(n), 0)
	switch {
	case err == unix.ENOSPC || err == unix.EIO || err == unix.EDQUOT || err == unix.EFBIG:
		return 0, &os.PathError{Op: "write", Path: dst.Name(), Err: err}
	case err != nil:
		return 0, nil
	case done == 0:
		return 0, fmt.Errorf("%s is now shorter than it was: %w", src.Name(), io.ErrUnexpectedEOF)
	}
	return int64(done), nil
}

// discard gives the range back to the device, so that it reads as zero; false where the device cannot promise that.
// On a block device the kernel takes this for zeroing, by the device's own means or not at all (BLKDEV_ZERO_NOFALLBACK).
func discard(dev *os.File, r Range) bool {
	return unix.Fallocate(int(dev.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, r.Offset, r.Length) == nil
}

// dropCache makes the next reads come from the device, not from memory. It can only try.
func dropCache(dev *os.File) { unix.Fadvise(int(dev.Fd()), 0, 0, unix.FADV_DONTNEED) }

// startWriteback asks for a range to be written out without waiting for it.
func startWriteback(f *os.File, r Range) {
	unix.SyncFileRange(int(f.Fd()), r.Offset, r.Length, unix.SYNC_FILE_RANGE_WRITE)
}

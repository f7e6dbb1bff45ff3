package blob

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyInKernel copies up to n bytes with copy_file_range, which shares blocks on file systems that can. It copies
// nothing, without an error, where b is no file or the two file systems cannot do it together.
func copyInKernel(dst *os.File, at int64, b Blob, off, n int64) (int64, error) {
	src, pos, ok := fileRange(b, off)
	if !ok {
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
func discard(dev *os.File, r Range) bool {
	// BLKZEROOUT uses the device's own write-zeroes, with unmapping where that reads back as zero; plain files punch.
	if punch := unix.Fallocate(int(dev.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, r.Offset, r.Length); punch == nil {
		return true
	}
	return false
}

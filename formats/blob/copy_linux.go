package blob

import (
	"os"

	"golang.org/x/sys/unix"
)

// block is what file systems share: the largest of theirs on today's machines.
const block = 4096

// clone lets dst share the blocks of the file behind b, from at on, and returns how many bytes that saved copying: none
// where b is no file, lies differently in its blocks, or the file systems cannot share.
func clone(dst *os.File, at int64, b Blob) int64 {
	src, off, ok := fileRange(b, 0)
	n := b.Size() / block * block
	if !ok || n == 0 {
		return 0
	}
	r := unix.FileCloneRange{Src_fd: int64(src.Fd()), Src_offset: uint64(off), Src_length: uint64(n), Dest_offset: uint64(at)}
	if unix.IoctlFileCloneRange(int(dst.Fd()), &r) != nil {
		return 0
	}
	return n
}

// reserve asks for room in one go, which is quicker than piece by piece and leaves the file in one run. It is advice: the
// writes find out whether there is room.
func reserve(f *os.File, r Range) {
	_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, r.Offset, r.Length)
}

// startWriteback asks for a range to be written out without waiting for it.
func startWriteback(f *os.File, r Range) {
	unix.SyncFileRange(int(f.Fd()), r.Offset, r.Length, unix.SYNC_FILE_RANGE_WRITE)
}

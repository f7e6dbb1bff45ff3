package store

import (
	"io/fs"
	"syscall"
	"time"
)

// identity is the inode and the time of the last change of content or metadata, which only the kernel sets.
func identity(info fs.FileInfo) (inode uint64, ctime time.Time) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, info.ModTime()
	}
	return st.Ino, time.Unix(st.Ctimespec.Unix())
}

// bootID is not asked for here: what is entered is synced instead.
func bootID() string { return "" }

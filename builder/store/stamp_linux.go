package store

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// identity is the inode and the time of the last change of content or metadata, which only the kernel sets.
func identity(info fs.FileInfo) (inode uint64, ctime time.Time) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, info.ModTime()
	}
	return st.Ino, time.Unix(st.Ctim.Unix())
}

// bootID is which start of the system this is.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

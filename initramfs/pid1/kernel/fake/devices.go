package fake

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/disktest"
)

// Disk is a disk in memory.
type Disk = disktest.Disk

// Op is what is done to a Disk.
type Op = disktest.Op

// The operations that Disk.Fail sees.
const (
	OpRead  = disktest.OpRead
	OpWrite = disktest.OpWrite
	OpSync  = disktest.OpSync
	OpTable = disktest.OpTable
)

// host is a Machine as its disks see it.
type host struct{ *Machine }

// Put follows disktest.Host, and so on: what is put there before /sys and /dev are mounted appears with the mount.
func (h host) Put(name, content string) {
	os.Remove(h.path(name))
	h.fill("/", map[string]string{name: content})
	fs := "devtmpfs"
	name, below := strings.CutPrefix(name, "/sys/")
	if below {
		fs = "sysfs"
	}
	if h.Contents[fs] == nil {
		h.Contents[fs] = map[string]string{}
	}
	h.Contents[fs][strings.TrimPrefix(name, "/dev/")] = content
}

func (h host) Delete(name string) { os.RemoveAll(h.path(name)) }

func (h host) Resolve(name string) (string, error) {
	p, err := filepath.EvalSymlinks(h.path(name))
	return p, h.clean(err)
}

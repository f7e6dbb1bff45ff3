package linux

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// ReplaceFile follows Replacing, and so on.
func (Machine) ReplaceFile(root, name string, data []byte, mode fs.FileMode) error {
	return kernel.Replace(root, name, data, mode)
}
func (Machine) Rename(from, to string) error              { return os.Rename(from, to) }
func (Machine) RemoveAll(name string) error               { return os.RemoveAll(name) }
func (Machine) Chmod(name string, mode fs.FileMode) error { return os.Chmod(name, mode) }
func (Machine) Chown(name string, user, group int) error  { return os.Chown(name, user, group) }

// Unmount follows Replacing.
func (Machine) Unmount(target string) error {
	if err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("unmount %s: %w", target, err)
	}
	return nil
}

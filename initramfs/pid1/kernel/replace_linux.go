package kernel

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ReplaceFile follows Replacing, and so on.
func (Linux) ReplaceFile(root, name string, data []byte, mode fs.FileMode) error {
	return Replace(root, name, data, mode)
}
func (Linux) Chmod(name string, mode fs.FileMode) error { return os.Chmod(name, mode) }
func (Linux) Chown(name string, user, group int) error  { return os.Chown(name, user, group) }

// Unmount follows Replacing.
func (Linux) Unmount(target string) error {
	if err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("unmount %s: %w", target, err)
	}
	return nil
}

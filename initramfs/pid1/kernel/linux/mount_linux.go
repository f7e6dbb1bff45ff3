package linux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Mount follows Mounts.
func (Machine) Mount(m kernel.Mount) error {
	if _, err := os.Stat(m.Target); err != nil {
		if err := os.MkdirAll(m.Target, 0o755); err != nil {
			return fmt.Errorf("mount on %s: make the folder: %w", m.Target, err)
		}
	}
	source, flags := m.Source, uintptr(m.Flags)
	if source == "" {
		source = m.Type
	}
	if m.Type == "" {
		flags |= unix.MS_BIND
	}
	err := unix.Mount(source, m.Target, m.Type, flags, m.Data)
	if errors.Is(err, unix.EBUSY) {
		return nil
	}
	if err == nil && m.Type == "" && m.Flags != 0 { // a bind takes no flags at first
		err = unix.Mount("", m.Target, "", flags|unix.MS_REMOUNT, "")
	}
	if err != nil {
		return fmt.Errorf("mount %s %s on %s: %w", m.Type, source, m.Target, err)
	}
	return nil
}

// MoveMount follows Mounts.
func (Machine) MoveMount(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the mount %s to %s: %w", from, to, err)
	}
	return nil
}

// AttachLoop follows Mounts.
func (Machine) AttachLoop(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return "", fmt.Errorf("find a free loop device: %w", err)
		}
		device := fmt.Sprintf("/dev/loop%d", n)
		err = configureLoop(device, f)
		if !errors.Is(err, unix.EBUSY) { // EBUSY: somebody else was quicker
			return device, err
		}
	}
}

func configureLoop(device string, f *os.File) error {
	d, err := os.OpenFile(device, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	c := unix.LoopConfig{Fd: uint32(f.Fd())}
	c.Info.Flags = unix.LO_FLAGS_READ_ONLY
	copy(c.Info.File_name[:], f.Name())
	if err := unix.IoctlLoopConfigure(int(d.Fd()), &c); err != nil {
		return fmt.Errorf("attach %s to %s: %w", f.Name(), device, err)
	}
	return nil
}

// isInitramfs tells whether the root is memory that came with the kernel, and not a disk that must not be emptied.
func isInitramfs() error {
	var st unix.Statfs_t
	if err := unix.Statfs("/", &st); err != nil {
		return os.NewSyscallError("statfs", err)
	}
	if st.Type != unix.TMPFS_MAGIC && st.Type != unix.RAMFS_MAGIC {
		return fmt.Errorf("the root is a file system of type %#x, not an initramfs", st.Type)
	}
	return nil
}

// SwitchRoot follows Mounts. Threads of a process share one root, and PID 1 shares it with the kernel thread that starts
// modprobe, so that chroot(2) here is enough.
func (Machine) SwitchRoot(dir string) error {
	if err := isInitramfs(); err != nil {
		return err
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if p := filepath.Join("/", e.Name()); !strings.HasPrefix(dir+"/", p+"/") {
			os.RemoveAll(p) // what stays only takes memory
		}
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Chroot("."); err != nil {
		return os.NewSyscallError("chroot", err)
	}
	return os.Chdir("/")
}

package pid1

import (
	"errors"
	"io/fs"
	"runtime"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// restricted is for file systems that hold neither programs nor devices.
const restricted = kernel.NoSUID | kernel.NoDev | kernel.NoExec

// kernelMounts are the file systems of the kernel, and the one for what lives as long as the machine. They are mounted
// in the initramfs and move to the root.
func kernelMounts() []kernel.Mount {
	return []kernel.Mount{
		{Type: "devtmpfs", Target: "/dev", Flags: kernel.NoSUID, Data: "mode=0755"},
		{Type: "proc", Target: "/proc", Flags: restricted},
		{Type: "sysfs", Target: "/sys", Flags: restricted},
		{Type: "tmpfs", Target: "/run", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=0755"},
	}
}

// subMounts are inside those of kernelMounts and move with them. A machine without one of them is not much worse.
func subMounts() []kernel.Mount {
	return []kernel.Mount{
		{Type: "devpts", Target: "/dev/pts", Flags: kernel.NoSUID | kernel.NoExec, Data: "gid=5,mode=0620,ptmxmode=0666"},
		{Type: "tmpfs", Target: "/dev/shm", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=1777"},
		{Type: "securityfs", Target: "/sys/kernel/security", Flags: restricted},
		{Type: "cgroup2", Target: "/sys/fs/cgroup", Flags: restricted},
	}
}

func (b *boot) mountKernelFileSystems() error {
	for _, m := range kernelMounts() {
		if err := b.m.Mount(m); err != nil {
			return err
		}
	}
	b.report.Kernel, b.report.Arch = b.release(), runtime.GOARCH
	return nil
}

func (b *boot) mountSub() error {
	var faults []error
	for _, m := range subMounts() {
		faults = append(faults, b.m.Mount(m))
	}
	return errors.Join(faults...)
}

// setKernel makes settings that every machine needs.
func (b *boot) setKernel() error {
	args, err := readArguments(b.m)
	faults := []error{err}
	set := func(name, value string) {
		faults = append(faults, b.m.WriteFile("/proc/sys/kernel/"+name, []byte(value), 0))
	}
	if _, given := args.Get("panic"); !given {
		set("panic", "10") // the kernel panics when init dies of what it cannot catch, and then starts the machine anew
	}
	set("ctrl-alt-del", "0") // a signal to init
	return errors.Join(faults...)
}

// release is that of the kernel, as uname -r.
func (b *boot) release() string {
	p, _ := b.m.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(p))
}

// offerModprobe lets the kernel ask for modules before the root is there: it runs /sbin/modprobe.
func (b *boot) offerModprobe() error {
	err := b.m.MkdirAll("/sbin", 0o755)
	if err == nil {
		err = b.m.Symlink("/init", "/sbin/modprobe")
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

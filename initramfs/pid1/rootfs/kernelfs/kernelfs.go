// Package kernelfs lists the file systems that the kernel itself fills, and those in memory for what lives as long as the machine:
// where they are mounted, and how.
package kernelfs

import "github.com/bootwright/bootwright/initramfs/pid1/kernel"

// Restricted is for file systems that hold neither programs nor devices.
const Restricted = kernel.NoSUID | kernel.NoDev | kernel.NoExec

// Mounts are the file systems of the kernel, and the one for what lives as long as the machine. They are mounted
// in the initramfs and move to the root.
func Mounts() []kernel.Mount {
	return []kernel.Mount{
		{Type: "devtmpfs", Target: "/dev", Flags: kernel.NoSUID, Data: "mode=0755"},
		{Type: "proc", Target: "/proc", Flags: Restricted},
		{Type: "sysfs", Target: "/sys", Flags: Restricted},
		{Type: "tmpfs", Target: "/run", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=0755"},
	}
}

// SubMounts are inside those of Mounts and move with them. A machine without one of them is not much worse.
func SubMounts() []kernel.Mount {
	return []kernel.Mount{
		{Type: "devpts", Target: "/dev/pts", Flags: kernel.NoSUID | kernel.NoExec, Data: "gid=5,mode=0620,ptmxmode=0666"},
		{Type: "tmpfs", Target: "/dev/shm", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=1777"},
		{Type: "securityfs", Target: "/sys/kernel/security", Flags: Restricted},
		{Type: "cgroup2", Target: "/sys/fs/cgroup", Flags: Restricted},
	}
}

package vm

import (
	"bytes"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// kvmWorks reports whether KVM runs machines here. That /dev/kvm opens is not enough: over a hypervisor in software,
// without the processor's own virtualization, a machine passes its BIOS and then hangs.
func kvmWorks() bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	const getAPIVersion, version = 0xae00, 12 // KVM_GET_API_VERSION of linux/kvm.h
	if v, err := unix.IoctlRetInt(int(f.Fd()), getAPIVersion); err != nil || v != version {
		return false
	}
	if runtime.GOARCH != "amd64" {
		return true
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && (bytes.Contains(info, []byte(" vmx ")) || bytes.Contains(info, []byte(" svm ")))
}

// ownGroup starts a process in its own group, so that Ctrl-C reaches only us, and lets it die with us.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

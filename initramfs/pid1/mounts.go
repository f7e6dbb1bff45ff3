package pid1

import (
	"errors"
	"runtime"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/rootfs/kernelfs"
	"github.com/bootwright/bootwright/machine/bootreport"
)

func (b *boot) mountKernelFileSystems() error {
	for _, m := range kernelfs.Mounts() {
		if err := b.m.Mount(m); err != nil {
			return err
		}
	}
	b.report.Change(func(r *bootreport.Report) { r.Kernel, r.Arch = b.release(), runtime.GOARCH })
	return nil
}

func (b *boot) mountSub() error {
	var faults []error
	for _, m := range kernelfs.SubMounts() {
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

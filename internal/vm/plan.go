package vm

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// host is what plan asks of the computer it runs on.
type host struct {
	arch string                       // as Go names it
	look func(string) (string, error) // finds a program
	has  func(string) bool            // whether there is a file at a path
	kvm  func() bool                  // whether KVM runs machines of the host's architecture
}

func thisHost() host {
	has := func(path string) bool { _, err := os.Stat(path); return err == nil }
	return host{arch: runtime.GOARCH, look: exec.LookPath, has: has, kvm: kvmWorks}
}

// machine is a set of Options in which nothing is left open.
type machine struct {
	Options
	qemu       string
	accel      string
	code, vars string // UEFI firmware and its blank variables; "" for none
}

// plan settles what o leaves open and finds QEMU and the firmware.
func plan(o Options, h host) (machine, error) {
	if err := settle(&o); err != nil {
		return machine{}, err
	}
	m := machine{Options: o}
	for _, path := range []string{o.Image, o.Kernel, o.Initrd, o.WriteLog} {
		if path != "" && !h.has(path) {
			return m, report.Errorf(report.NotFound, "%s: %w", path, fs.ErrNotExist)
		}
	}
	t := targets[o.Arch]
	var err error
	if m.qemu, err = h.look(t.qemu); err != nil {
		return m, missing("QEMU for "+o.Arch+" ("+t.qemu+")", t.qemuPackage)
	}
	if o.Firmware == UEFI {
		if m.code, m.vars = findUEFI(t, m.qemu, h.has); m.code == "" {
			return m, missing("UEFI firmware for "+o.Arch, t.uefiPackage)
		}
	}
	m.accel, err = accelerator(o, h)
	return m, err
}

// settle fills o's zero fields and refuses what makes no machine.
func settle(o *Options) error {
	if o.Arch == "" {
		o.Arch = "amd64"
	}
	if o.As == "" {
		o.As = Disk
	}
	if o.MemoryMiB == 0 {
		o.MemoryMiB = 1024
	}
	if o.Firmware == "" && o.Kernel == "" {
		o.Firmware = UEFI
	}
	_, known := targets[o.Arch]
	switch {
	case o.Image == "" && o.Kernel == "":
		return report.Errorf(report.Invalid, "no image and no kernel to boot")
	case !known:
		return report.Errorf(report.Unsupported, "no machine of architecture %q; there are amd64 and arm64", o.Arch)
	case o.As != CDROM && o.As != Disk && o.As != USB:
		return report.Errorf(report.Invalid, "an image cannot be a %q; it can be a cdrom, disk or usb", o.As)
	case o.Firmware != "" && o.Firmware != UEFI && o.Firmware != BIOS:
		return report.Errorf(report.Invalid, "no firmware %q; there are uefi and bios", o.Firmware)
	case o.Firmware == BIOS && o.Arch == "arm64":
		return report.Errorf(report.Unsupported, "an arm64 machine has no BIOS; boot it with uefi")
	case o.Initrd != "" && o.Kernel == "", o.Append != "" && o.Kernel == "":
		return report.Errorf(report.Invalid, "an initrd or a command line needs a kernel to give it to")
	case o.WriteLog != "" && (!o.Writable || o.As == CDROM || cmp.Or(o.Format, "raw") != "raw"):
		return report.Errorf(report.Invalid, "only what is written to a raw image that is writable can be recorded")
	case o.MemoryMiB < 64:
		return report.Errorf(report.Invalid, "a machine with %d MiB of memory is too small; 512 is enough for most images", o.MemoryMiB)
	}
	return nil
}

// accelerator chooses between KVM and TCG, QEMU's interpreter, which is there always and some ten times slower.
func accelerator(o Options, h host) (string, error) {
	works := o.Arch == h.arch && o.Accel != "tcg" && h.kvm()
	switch {
	case o.Accel != "" && o.Accel != "kvm" && o.Accel != "tcg":
		return "", report.Errorf(report.Invalid, "no accelerator %q; there are kvm and tcg", o.Accel)
	case works:
		return "kvm", nil
	case o.Accel == "kvm":
		return "", report.WithHint(report.Errorf(report.Unavailable, "KVM does not run %s machines here", o.Arch),
			"leave the accelerator out to use TCG, QEMU's interpreter")
	}
	return "tcg", nil
}

func missing(what, pkg string) error {
	return report.WithHint(report.Errorf(report.NotFound, "%s is not installed", what), "on Debian and Ubuntu: apt-get install %s", pkg)
}

// args is QEMU's command line; vars is the machine's own copy of the UEFI variables.
func (m machine) args(vars string) []string {
	t := targets[m.Arch]
	args := []string{"-machine", t.machine, "-accel", m.accel, "-m", strconv.Itoa(m.MemoryMiB),
		"-display", "none", "-nodefaults", "-no-user-config", "-serial", "stdio",
		"-device", "virtio-rng-pci"} // without it the kernel's random numbers take a second or, with some clients, for ever
	if !m.Reboots {
		args = append(args, "-no-reboot")
	}
	switch {
	case m.accel == "kvm":
		args = append(args, "-cpu", "host")
	case t.cpu != "":
		args = append(args, "-cpu", t.cpu)
	}
	if m.Firmware == UEFI {
		args = append(args,
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+quote(m.code),
			"-drive", "if=pflash,unit=1,format=raw,file="+quote(vars))
	}
	if m.Kernel != "" {
		args = append(args, "-kernel", m.Kernel)
	}
	if m.Initrd != "" {
		args = append(args, "-initrd", m.Initrd)
	}
	if m.Append != "" {
		args = append(args, "-append", m.Append)
	}
	if m.Image != "" {
		args = append(args, m.medium()...)
	}
	return append(args, m.ExtraArgs...)
}

// medium is the image as the machine sees it, first in the firmware's boot order.
func (m machine) medium() []string {
	drive := "if=none,id=boot,format=" + cmp.Or(m.Format, "raw") + ",file=" + quote(m.Image)
	if m.As == CDROM {
		return []string{"-drive", drive + ",media=cdrom,readonly=on",
			"-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=boot,bootindex=1"}
	}
	if m.WriteLog != "" {
		drive = "if=none,id=boot," + Recorded(m.Image, m.WriteLog)
	}
	if !m.Writable {
		drive += ",snapshot=on"
	}
	if m.As == USB {
		return []string{"-drive", drive, "-device", "qemu-xhci", "-device", "usb-storage,drive=boot,removable=on,bootindex=1"}
	}
	device := "virtio-blk-pci,drive=boot,bootindex=1"
	if m.SectorSize != 0 {
		device += fmt.Sprintf(",logical_block_size=%d,physical_block_size=%[1]d", m.SectorSize)
	}
	return []string{"-drive", drive, "-device", device}
}

// Recorded is what QEMU's -drive takes, besides "if" and "id", for a raw disk each write of which goes into the file log too, for
// crashlog.
func Recorded(disk, log string) string {
	return "discard=unmap,driver=blklogwrites,log-super-update-interval=1,file.driver=file,file.filename=" + quote(disk) +
		",log.driver=file,log.filename=" + quote(log)
}

// quote makes path safe inside a comma-separated option of QEMU.
func quote(path string) string { return strings.ReplaceAll(path, ",", ",,") }

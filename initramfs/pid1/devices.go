package pid1

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Devices have settled when nothing has happened for quiet. A USB disk may take a second to appear; nothing here waits for
// it, and the task goes on seeing to what appears.
const (
	quiet = 100 * time.Millisecond
	limit = 10 * time.Second
)

// loadDeviceModules loads the modules of the devices there are, and from now on those of devices that appear.
func (b *boot) loadDeviceModules() error {
	err := b.modules.Use(modules.Dir(b.release()))
	b.group.Run("devices", b.modules.Watch)
	if !b.modules.Settle(quiet, limit) {
		err = errors.Join(err, fmt.Errorf("devices have not settled within %s", limit))
	}
	loaded := b.modules.Report()
	for _, f := range loaded.Failed {
		b.say().Warnf("kernel module %s: %s", f.Name, f.Reason)
	}
	b.say().Infof("loaded %d kernel modules in %d ms", len(loaded.Loaded), loaded.TookMS)
	return err
}

// inspectHardware puts into the report what the machine is.
func (b *boot) inspectHardware() error {
	err := b.mountFirmwareVariables()
	b.inspect()
	for _, d := range b.report.Disks {
		b.say().Infof("disk %s: %s", d.Name, strings.TrimSpace(fmt.Sprintf("%d MiB %s %s", d.Size>>20, d.Transport, d.Model)))
	}
	return err
}

// inspect is for a boot that fails too.
func (b *boot) inspect() {
	firmware, machine := hardware.Firmware(b.m), hardware.Machine(b.m)
	cpus, memory, disks := hardware.CPUs(b.m), hardware.Memory(b.m), hardware.Disks(b.m)
	b.change(func(r *bootreport.Report) {
		r.Firmware, r.Machine, r.CPUs, r.Memory, r.Disks = firmware, machine, cpus, memory, disks
		b.showClock(r)
	})
}

func (b *boot) mountFirmwareVariables() error {
	if !hardware.HasUEFI(b.m) {
		return nil
	}
	err := b.modules.Load("efivarfs")
	return errors.Join(err, b.m.Mount(kernel.Mount{Type: "efivarfs", Target: "/sys/firmware/efi/efivars", Flags: restricted}))
}

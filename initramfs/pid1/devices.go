package pid1

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/disks"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs/kernelfs"
	"github.com/bootwright/bootwright/machine/blockdev"
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

// watchDisks looks at the disks, now that their drivers are there, and from now on whenever one changes.
func (b *boot) watchDisks() error {
	b.disks = disks.New(b.m, b.say())
	err := b.disks.Refresh(context.Background())
	b.showDisks()
	b.group.Run("disks", b.disks.Run)
	b.group.Run("disks-report", func(ctx context.Context) error {
		return b.disks.Disks.Each(ctx, func([]blockdev.Disk) { b.showDisks() })
	})
	b.group.Run("volumes-report", func(ctx context.Context) error {
		return b.disks.Volumes.Each(ctx, func([]blockdev.Volume) { b.showDisks() })
	})
	return err
}

// showDisks puts the disks and what is on them into the report.
func (b *boot) showDisks() {
	disks, volumes := b.disks.Found()
	there, found := make([]bootreport.Disk, 0, len(disks)), []bootreport.DiscoveredVolume(nil)
	for _, d := range disks {
		there = append(there, bootreport.ReportDisk(d))
	}
	for _, v := range volumes {
		found = append(found, bootreport.ReportVolume(v))
	}
	b.report.Change(func(r *bootreport.Report) { r.SetDisks(there, found) })
}

// inspectHardware puts into the report what the machine is.
func (b *boot) inspectHardware() error {
	b.inspect()
	return nil
}

// inspect is for a boot that fails too.
func (b *boot) inspect() {
	firmware, machine := hardware.Firmware(b.m), hardware.Machine(b.m)
	cpus, memory := hardware.CPUs(b.m), hardware.Memory(b.m)
	b.report.Change(func(r *bootreport.Report) {
		r.Firmware, r.Machine, r.CPUs, r.Memory = firmware, machine, cpus, memory
		if r.Disks == nil { // the boot has not come to them
			r.Disks = []bootreport.Disk{}
		}
		b.showClock(r)
	})
}

func (b *boot) mountFirmwareVariables() error {
	if !hardware.HasUEFI(b.m) {
		return nil
	}
	err := b.modules.Load("efivarfs")
	return errors.Join(err, b.m.Mount(kernel.Mount{Type: "efivarfs", Target: "/sys/firmware/efi/efivars", Flags: kernelfs.Restricted}))
}

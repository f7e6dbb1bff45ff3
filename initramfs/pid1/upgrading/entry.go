package upgrading

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/install"
	"github.com/bootwright/bootwright/machine/layout"
)

// started is what a boot loader has started.
type started struct {
	id      string
	counted bool   // by systemd-boot
	left    int    // tries, where it is counted
	from    string // the label of the partition
	uuid    string // of the partition, where that is known
}

// disk are the boot partitions of the system disk, by device.
type disk struct {
	label     string            // of the one that the machine was started from
	whole     string            // /dev/vda
	partition map[string]string // by label
}

// find waits for the system disk. It is not found where the machine was started from another.
func (s *System) find(ctx context.Context, by started) (disk, bool) {
	volumes, err := s.Volumes.Wait(ctx, func(v []blockdev.Volume) bool { return systemDisk(v) != "" })
	if err != nil {
		return disk{}, false
	}
	d, system := disk{label: by.from, partition: map[string]string{}}, systemDisk(volumes)
	for _, v := range volumes {
		if v.Type != blockdev.TypePartition || v.Parent != system || v.PartitionLabel != layout.EFI && v.PartitionLabel != layout.Boot {
			continue
		}
		if v.PartitionLabel == by.from && by.uuid != "" && !strings.EqualFold(by.uuid, v.PartitionUUID) {
			return disk{}, false
		}
		d.partition[v.PartitionLabel], d.whole = v.DevPath, v.ParentDevPath
	}
	return d, d.partition[by.from] != ""
}

// systemDisk is the name of the only disk with META; empty where there is none, or where there are two.
func systemDisk(volumes []blockdev.Volume) (name string) {
	for _, v := range volumes {
		if v.Type != blockdev.TypePartition || v.PartitionLabel != layout.Meta || v.Size != layout.MetaSize {
			continue
		}
		if name != "" {
			return ""
		}
		name = v.Parent
	}
	return name
}

// byFirmware is what the boot loader says: with systemd-boot also which partition it is on.
func (s *System) byFirmware() (b started, found bool, err error) {
	if image, ok := s.Args.Get("BOOT_IMAGE"); ok {
		b.id, found = bootentry.ParseKernel(image)
		b.from = layout.Boot
		return b, found, nil
	}
	var said [3]string
	for i, name := range []string{"LoaderBootCountPath", "LoaderEntrySelected", "LoaderDevicePartUUID"} {
		if said[i], err = s.loaderVariable(name); err != nil {
			return b, false, err
		}
	}
	counted, name, uuid := said[0], said[1], said[2]
	if counted != "" {
		name = path.Base(strings.ReplaceAll(counted, `\`, "/"))
	}
	e, found := bootentry.Parse(name)
	return started{id: e.ID, counted: counted != "" && e.Left >= 0, left: max(e.Left, 0), from: layout.EFI, uuid: uuid}, found && uuid != "", nil
}

// loaderVariable is a variable of systemd-boot, without the NUL at its end; empty where there is none. Its file has 4 bytes of attributes first.
func (s *System) loaderVariable(name string) (string, error) {
	p, err := s.M.ReadFile("/sys/firmware/efi/efivars/" + name + "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(p) < 4 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var units []uint16
	for p = p[4:]; len(p) >= 2; p = p[2:] {
		units = append(units, binary.LittleEndian.Uint16(p))
	}
	return strings.TrimRight(string(utf16.Decode(units)), "\x00"), nil
}

// mountsAt is below where boot partitions are mounted, each as long as it is needed: a power cut then finds them whole.
const mountsAt = "/run/bootwright/boot"

// with mounts the partition that the machine was started from, and hands it to do.
func (d disk) with(m Machine, flags kernel.Flags, do func(install.System) error) error {
	return d.mounted(m, flags, []string{d.label}, do)
}

// both does so with all boot partitions of the disk.
func (d disk) both(m Machine, flags kernel.Flags, do func(install.System) error) error {
	return d.mounted(m, flags, []string{layout.EFI, layout.Boot}, do)
}

func (d disk) mounted(m Machine, flags kernel.Flags, labels []string, do func(install.System) error) (err error) {
	var on install.System
	for _, label := range labels {
		device := d.partition[label]
		if device == "" {
			continue
		}
		at := path.Join(mountsAt, label)
		mt := kernel.Mount{Source: device, Target: at, Type: string(layout.VFAT), Flags: flags | kernel.NoSUID | kernel.NoDev | kernel.NoExec}
		if err := m.Mount(mt); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.Unmount(at)) }()
		if label == layout.EFI {
			on.EFI = m.Folder(at)
		} else {
			on.Boot = m.Folder(at)
		}
	}
	return do(on)
}

package disks

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/blockdev"
)

// device is a block device in /sys.
type device struct {
	m      kernel.Files
	name   string // vda1
	path   string // below /sys: /devices/pci0000:00/…/block/vda/vda1
	parent string // the disk of a partition

	partition uint64 // the number of a partition; 0 is the whole disk

	// What tells the device from one that had its name before.
	sequence, start, sectors uint64
}

// devices are the block devices that count, a disk and behind it its partitions, by the disk's name.
func devices(m kernel.Files) map[string][]device {
	found := map[string][]device{}
	entries, _ := m.ReadDir("/sys/class/block")
	for _, e := range entries {
		link, err := m.ReadLink("/sys/class/block/" + e.Name())
		if err != nil {
			continue
		}
		d := device{m: m, name: e.Name(), path: path.Join("/class/block", link)}
		d.sequence, d.sectors = d.number("diskseq"), d.number("size")
		if d.partition = d.number("partition"); d.partition != 0 {
			d.parent, d.start = parentOf(d.path), d.number("start")
		}
		if d.counts() {
			whole := cmp.Or(d.parent, d.name)
			found[whole] = append(found[whole], d)
		}
	}
	for name, members := range found {
		slices.SortStableFunc(members, func(a, b device) int { return cmp.Compare(a.partition, b.partition) })
		if members[0].parent != "" {
			delete(found, name) // the disk has just gone
		}
	}
	return found
}

// parentOf is the name of the disk of the partition whose place in /sys is device.
func parentOf(device string) string { return path.Base(path.Dir(device)) }

// counts tells whether the device can hold anything that lasts. Disks in memory, network block devices and floppy disks do
// not count, nor do loop devices without a file and the single paths of an NVMe disk.
func (d device) counts() bool {
	name := cmp.Or(d.parent, d.name)
	switch {
	case strings.HasPrefix(name, "fd"), d.text("hidden") == "1":
		return false
	case strings.HasPrefix(name, "loop"):
		return d.size() > 0
	}
	return !d.isVirtual() || strings.HasPrefix(name, "dm-") || strings.HasPrefix(name, "md")
}

func (d device) isVirtual() bool {
	return strings.HasPrefix(d.path, "/devices/virtual/") && !strings.HasPrefix(d.path, "/devices/virtual/nvme-subsystem/")
}

// isDisk tells whether the whole device is a disk, and not made of others.
func (d device) isDisk() bool { return !d.isVirtual() || strings.HasPrefix(d.name, "loop") }

func (d device) isCDROM() bool { return strings.HasPrefix(cmp.Or(d.parent, d.name), "sr") }

// node is its file. A "!" in names of /sys is a "/".
func (d device) node() string { return "/dev/" + strings.ReplaceAll(d.name, "!", "/") }

// size is in bytes; /sys has it in this unit whatever the sector size.
func (d device) size() uint64 { return d.sectors * 512 }

// text is an attribute's value, or "" where it has none.
func (d device) text(name string) string {
	p, err := d.m.ReadFile(path.Join("/sys", d.path, name))
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(strings.Trim(string(p), " \t\n\x00"), "\uFFFD")
}

func (d device) number(name string) uint64 {
	n, _ := strconv.ParseUint(d.text(name), 10, 64)
	return n
}

// disk describes the whole device, but for its symbolic links.
func (d device) disk() blockdev.Disk {
	sector := cmp.Or(d.number("queue/logical_block_size"), 512)
	return blockdev.Disk{
		Name: d.name, DevPath: d.node(), Size: d.size(), PrettySize: blockdev.Pretty(d.size()),
		IOSize: cmp.Or(d.number("queue/optimal_io_size"), d.number("queue/minimum_io_size"), sector), SectorSize: sector,
		ReadOnly: d.number("ro") == 1, CDROM: d.isCDROM(), Removable: d.number("removable") == 1, Rotational: d.number("queue/rotational") == 1,
		Model: cmp.Or(d.text("device/model"), d.text("device/name")), Serial: d.serial(),
		WWID: cmp.Or(d.text("wwid"), d.text("device/wwid")), UUID: d.text("uuid"), Modalias: d.text("device/modalias"),
		BusPath: d.busPath(), SubSystem: "/sys/class/block", Transport: d.transport(), SecondaryDisks: d.secondary(),
	}
}

func (d device) serial() string {
	page, _ := d.m.ReadFile(path.Join("/sys", d.path, "device/vpd_pg80")) // a SCSI disk's, behind a header of 4 bytes
	scsi := strings.Trim(string(page[min(4, len(page)):]), " \x00")
	return cmp.Or(d.text("serial"), d.text("device/serial"), strings.ToValidUTF8(scsi, "\uFFFD"), d.usb("serial"))
}

// busPath is where the device hangs, without what is its own: /pci0000:00/0000:00:09.0/nvme of …/nvme/nvme0/nvme0n1.
func (d device) busPath() string { return path.Dir(path.Dir(strings.TrimPrefix(d.path, "/devices"))) }

// transport is read from the path through the buses. A USB disk hangs on a SCSI host too, and a SCSI host may be a virtio
// device, whose disks the guide calls virtio.
func (d device) transport() string {
	for _, t := range []struct{ in, name string }{
		{"/usb", blockdev.USB}, {"/nvme", blockdev.NVMe}, {"/mmc_host/", blockdev.MMC}, {"/ata", blockdev.SATA},
		{"/virtio", blockdev.Virtio}, {"/host", blockdev.SCSI},
	} {
		if strings.Contains(d.path, t.in) {
			return t.name
		}
	}
	return ""
}

// secondary are the devices that this one is made of.
func (d device) secondary() []string {
	entries, _ := d.m.ReadDir(path.Join("/sys", d.path, "slaves"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

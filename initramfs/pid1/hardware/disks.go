// Package hardware reads what the kernel says of the machine in /sys and /proc.
package hardware

import (
	"cmp"
	"path"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Disks are the machine's block devices by name: whole ones, and neither loop devices, RAM disks nor others that exist
// only in memory or are made of others.
func Disks(m kernel.Files) []bootreport.Disk {
	disks := []bootreport.Disk{}
	entries, _ := m.ReadDir("/sys/block")
	for _, e := range entries {
		device, err := m.ReadLink("/sys/block/" + e.Name())
		if err != nil || strings.Contains(device, "/devices/virtual/") {
			continue
		}
		disks = append(disks, disk(attributes{m, "/sys/block/" + e.Name()}, e.Name(), device))
	}
	return disks
}

// disk describes the disk with these attributes, whose place among the devices is device.
func disk(a attributes, name, device string) bootreport.Disk {
	return bootreport.Disk{
		Name:       name,
		Size:       a.number("size") * 512, // in this unit whatever the sector size
		SectorSize: a.number("queue/logical_block_size"),
		Transport:  transport(device),
		Model:      join(a.text("device/vendor"), a.text("device/model")),
		Serial:     cmp.Or(a.text("serial"), a.text("device/serial"), a.scsiSerial(), a.text("device/wwid")),
		ReadOnly:   a.number("ro") == 1,
		Rotational: a.number("queue/rotational") == 1,
		Removable:  a.number("removable") == 1,
		CDROM:      strings.HasPrefix(name, "sr"),
	}
}

// transport is read from the path of the device through the buses that it hangs on. A USB disk hangs on a SCSI host too,
// and a virtual SCSI disk on virtio, so that the order matters.
func transport(device string) string {
	for _, t := range []struct{ in, name string }{
		{"/usb", "usb"}, {"/nvme", "nvme"}, {"/mmc_host/", "mmc"}, {"/ata", "sata"}, {"/host", "scsi"}, {"/virtio", "virtio"},
	} {
		if strings.Contains(device, t.in) {
			return t.name
		}
	}
	return ""
}

// attributes are the files of one device in /sys.
type attributes struct {
	m   kernel.Files
	dir string
}

// text is the attribute's value, or "" where it has none.
func (a attributes) text(name string) string {
	p, err := a.m.ReadFile(path.Join(a.dir, name))
	if err != nil {
		return ""
	}
	return strings.Trim(string(p), " \t\n\x00")
}

func (a attributes) number(name string) int64 {
	n, _ := strconv.ParseInt(a.text(name), 10, 64)
	return n
}

// scsiSerial is the serial number of a SCSI or SATA disk: page 0x80 of its vital product data, behind a header of 4 bytes.
func (a attributes) scsiSerial() string {
	page, _ := a.m.ReadFile(path.Join(a.dir, "device/vpd_pg80"))
	return strings.Trim(string(page[min(4, len(page)):]), " \x00")
}

// join puts vendor and model together. SATA disks all call themselves of vendor "ATA", and virtio ones have a number.
func join(vendor, model string) string {
	if vendor == "ATA" || strings.HasPrefix(vendor, "0x") {
		vendor = ""
	}
	return strings.TrimSpace(vendor + " " + model)
}

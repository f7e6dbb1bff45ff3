package installation

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// server has the disks of one: the medium, a CD-ROM, and some to install to.
func server() []blockdev.Disk {
	return []blockdev.Disk{
		{Name: "mmcblk0", DevPath: "/dev/mmcblk0", Size: 32e9, PrettySize: "32 GB", Transport: blockdev.MMC},
		{Name: "nvme0n1", DevPath: "/dev/nvme0n1", Size: 960e9, PrettySize: "960 GB", Transport: blockdev.NVMe, Model: "FAST 960", UUID: "u-1", WWID: "eui.00", BusPath: "/pci0000:00/0000:01:00.0/nvme"},
		{Name: "sda", DevPath: "/dev/sda", Size: 4e12, PrettySize: "4.0 TB", Transport: blockdev.SATA, Rotational: true, Model: "SPIN", Serial: "S-1", Modalias: "scsi:t-0x00"},
		{Name: "sdb", DevPath: "/dev/sdb", Size: 4.001e12, PrettySize: "4.0 TB", Transport: blockdev.SATA, Rotational: true, Model: "SPIN", Serial: "S-2"},
		{Name: "sdc", DevPath: "/dev/sdc", Size: 500e9, PrettySize: "500 GB", Transport: blockdev.SATA, Symlinks: []string{"/dev/disk/by-id/ata-ssd"}},
		{Name: "sdd", DevPath: "/dev/sdd", Size: 16e9, PrettySize: "16 GB", Transport: blockdev.USB},
		{Name: "sde", DevPath: "/dev/sde", Size: 16e9, PrettySize: "16 GB", ReadOnly: true},
		{Name: "sdf", DevPath: "/dev/sdf", PrettySize: "0 B", Transport: blockdev.USB},
		{Name: "sr0", DevPath: "/dev/sr0", Size: 1e9, PrettySize: "1.0 GB", CDROM: true, ReadOnly: true},
	}
}

// section is machine.install.
func section(t *testing.T, text string) *v1alpha1.Install {
	t.Helper()
	c, err := config.Load("test", []byte("version: v1alpha1\nmachine:\n  install: "+text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Main().Machine.Install
}

func TestPick(t *testing.T) {
	for text, want := range map[string]string{
		"{disk: /dev/sdc}":                                      "sdc: machine.install.disk names it",
		"{disk: /dev/disk/by-id/ata-ssd}":                       "sdc: machine.install.disk names it",
		"{disk: /dev/sda, diskSelector: {type: nvme}}":          "nvme0n1: machine.install.diskSelector selects it",
		"{diskSelector: {type: sd}}":                            "mmcblk0",
		"{diskSelector: {type: ssd}}":                           "sdc",
		"{diskSelector: {type: hdd}}":                           "sda: machine.install.diskSelector selects /dev/sda, /dev/sdb, and this is the first",
		"{diskSelector: {size: 4TB, serial: S-2}}":              "sdb",
		"{diskSelector: {size: \"== 4TB\"}}":                    "sda: machine.install.diskSelector selects it",
		"{diskSelector: {size: \"> 4TB\"}}":                     "sdb",
		"{diskSelector: {size: \"< 100GB\"}}":                   "mmcblk0",
		"{diskSelector: {size: \"<= 32GB\", type: ssd}}":        "no: selects no disk",
		"{diskSelector: {size: \">= 500GB\", name: sd*}}":       "sda",
		"{diskSelector: {model: \"FAST ?60\", uuid: u-1}}":      "nvme0n1",
		"{diskSelector: {wwid: eui.*, busPath: /pci0000:00/*}}": "nvme0n1",
		"{diskSelector: {modalias: scsi:*}}":                    "sda",
		"{diskSelector: {}}":                                    "mmcblk0",
		"{diskSelector: {name: sdd}}":                           "no: selects no disk",
		"{disk: /dev/sdd}":                                      "no: is what the machine was started from",
		"{disk: /dev/sde}":                                      "no: is read-only",
		"{disk: /dev/sdf}":                                      "no: has no medium",
		"{disk: /dev/sr0}":                                      "no: is a CD-ROM",
		"{disk: /dev/vda}":                                      "no: there is no disk /dev/vda, which machine.install.disk names; the machine has /dev/mmcblk0 32 GB mmc, /dev/nvme0n1 960 GB nvme FAST 960,",
		"{image: a}":                                            "no: names neither disk nor diskSelector; the machine has",
	} {
		d, why, err := pick(section(t, text), server(), "sdd")
		got := d.Name + ": " + why
		if err != nil {
			got = "no: " + err.Error()
		}
		name, detail, _ := strings.Cut(want, ": ")
		if !strings.HasPrefix(got, name+": ") || !strings.Contains(got, detail) || err != nil && report.KindOf(err) != report.Invalid {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
	if _, _, err := pick(section(t, "{disk: /dev/sda}"), nil, ""); err == nil || !strings.Contains(err.Error(), "the machine has no disks") {
		t.Error(err)
	}
}

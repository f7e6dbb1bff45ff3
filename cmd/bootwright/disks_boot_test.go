package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// madeBy is a file of so many MiB that a program made something of; FILE in args is the file, KEY one with a passphrase.
func madeBy(t *testing.T, mib int64, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	file, key := filepath.Join(dir, "disk"), filepath.Join(dir, "key")
	if err := blob.WriteFile(t.Context(), file, blob.Zeros(mib<<20), blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		args[i] = strings.NewReplacer("FILE", file, "KEY", key).Replace(a)
	}
	oracle.Run(t, args[0], args[1:]...)
	return file
}

// systemDisk is a disk with a partition table and the partitions of a machine that runs.
func systemDisk(t *testing.T) string {
	t.Helper()
	content := func(file string) blob.Blob {
		f, err := blob.OpenFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	values, err := meta.Encode(meta.Values{meta.UserReserved1: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	image, err := gpt.Format([]gpt.Partition{
		{Name: layout.EFI, Type: gpt.EFISystem(), Content: content(madeBy(t, 8, "mkfs.fat", "-n", "ESP", "FILE"))},
		{Name: layout.BIOS, Type: gpt.BIOSBoot(), Size: layout.BIOSSize},
		{Name: layout.Meta, Type: gpt.LinuxFilesystem(), Size: layout.MetaSize, Content: blob.Bytes(values)},
		{Name: layout.State, Type: gpt.LinuxFilesystem(), Content: content(madeBy(t, 32, strings.Fields("cryptsetup luksFormat -q --label STATE --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file KEY FILE")...))},
		{Name: layout.Ephemeral, Type: gpt.LinuxFilesystem(), Content: content(madeBy(t, 320, "mkfs.xfs", "-q", "-L", "EPHEMERAL", "FILE"))},
	}, gpt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return oracle.File(t, image)
}

// drive is a disk of QEMU.
func drive(file, device string) []string {
	id := strings.NewReplacer(",", "-", "=", "-").Replace(device)
	return []string{"-drive", "if=none,format=raw,snapshot=on,id=" + id + ",file=" + file, "-device", device + ",drive=" + id}
}

// TestBootDisks: a machine with disks of every kind that its base has drivers for says what they are and what is on them.
func TestBootDisks(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	index, err := os.ReadFile(filepath.Join(strings.TrimPrefix(vmtest.Base(t), "oci:"), "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	hasAll, last := strings.Contains(string(index), `"generic"`), "ISODISC"
	if hasAll {
		last = "USBSTICK" // appears a second or two after the others
	}
	args := slices.Concat(
		drive(systemDisk(t), "virtio-blk-pci,serial=SYS1"),
		drive(madeBy(t, 16, "mke2fs", "-q", "-t", "ext4", "-L", "nvme data", "FILE"), "nvme,serial=deadbeef"),
		[]string{"-device", "virtio-scsi-pci,id=scsi"},
		drive(madeBy(t, 128, "mkfs.btrfs", "-q", "-L", "pool", "FILE"), "scsi-hd,bus=scsi.0,serial=SCSI1"),
		drive(madeBy(t, 1, "xorriso", "-as", "mkisofs", "-quiet", "-V", "ISODISC", "-o", "FILE", t.TempDir()), "scsi-cd,bus=scsi.0"),
		[]string{"-device", "ich9-ahci,id=ahci", "-device", "qemu-xhci,id=usb"},
		drive(madeBy(t, 4, "mkswap", "-q", "-L", "swap", "FILE"), "ide-hd,bus=ahci.0,serial=QM00013"),
		drive(madeBy(t, 64, "mkfs.fat", "-F", "32", "-n", "USBSTICK", "FILE"), "usb-storage,bus=usb.0,serial=USB1,removable=on"),
	)
	console := vmtest.Boot(t, vm.Options{
		Kernel: built(t, "kernel", "amd64"), Initrd: built(t, "initramfs", "amd64"), Append: "console=ttyS0 talos.platform=metal", ExtraArgs: args,
		Until: regexp.MustCompile(last + `.*"readyMs":\d+\}`),
	})
	r, err := bootreport.Find([]byte(console + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", table(r))
	checkDisks(t, r, hasAll)
}

// table is what the guide shows of disks and discovered volumes.
func table(r *bootreport.Report) string {
	var b strings.Builder
	for _, d := range r.Disks {
		fmt.Fprintf(&b, "%-8s %-7s %-5v %-6s %-5v %-50s %-15s %-9s %s\n", d.Name, d.PrettySize, d.ReadOnly, d.Transport, d.Rotational, d.WWID, d.Model, d.Serial, strings.Join(d.Symlinks, " "))
	}
	for _, v := range r.Discovered {
		fmt.Fprintf(&b, "%-9s %-9s %-7s %-9s %-10s %-10s %s%s\n", v.ID, v.Type, v.PrettySize, v.Discovered, v.Label, v.PartitionLabel, v.Error, v.Damaged)
	}
	return "\n" + b.String()
}

func checkDisks(t *testing.T, r *bootreport.Report, hasAll bool) {
	t.Helper()
	type row struct{ transport, model, volume, link string }
	want := map[string]row{ // by serial number
		"SYS1":     {"virtio", "", "gpt ", "/dev/disk/by-id/virtio-SYS1"},
		"deadbeef": {"nvme", "QEMU NVMe Ctrl", "ext4 nvme data", "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_deadbeef"},
		"SCSI1":    {"virtio", "QEMU HARDDISK", "btrfs pool", "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_SCSI1"},
	}
	if hasAll {
		want["QM00013"] = row{"sata", "QEMU HARDDISK", "swap swap", "/dev/disk/by-id/ata-QEMU_HARDDISK_QM00013"}
		want["USB1"] = row{"usb", "QEMU HARDDISK", "vfat USBSTICK", "/dev/disk/by-id/usb-QEMU_QEMU_HARDDISK_USB1-0:0"}
	}
	content := map[string]string{}
	var partitions []string
	for _, v := range r.Discovered {
		content[v.ID] = v.Discovered + " " + v.Label
		if v.Type == "partition" {
			partitions = append(partitions, strings.Join([]string{v.ID, v.Discovered, v.Label, v.PartitionLabel}, ","))
		}
		if v.Error != "" || v.Damaged != "" {
			t.Errorf("%s: %s%s", v.ID, v.Error, v.Damaged)
		}
	}
	discs := 0
	for _, d := range r.Disks {
		if d.CDROM && content[d.Name] == "iso9660 ISODISC" {
			discs++
		}
		w, known := want[d.Serial]
		if got := (row{d.Transport, d.Model, content[d.Name], w.link}); known && (got != w || !slices.Contains(d.Symlinks, w.link)) {
			t.Errorf("%s: %+v, names %q; want %+v", d.Name, got, d.Symlinks, w)
		}
		delete(want, d.Serial)
	}
	if len(want) > 0 || discs != 1 {
		t.Errorf("%d discs with their file system; not there: %v", discs, want)
	}
	if got := strings.Join(partitions, " "); got != "vda1,vfat,ESP,EFI vda2,,,BIOS vda3,talosmeta,,META vda4,luks,STATE,STATE vda5,xfs,EPHEMERAL,EPHEMERAL" {
		t.Errorf("partitions %s", got)
	}
	if len(r.Errors)+len(r.Modules.Failed) > 0 {
		t.Errorf("errors %+v, modules that failed %+v", r.Errors, r.Modules.Failed)
	}
}

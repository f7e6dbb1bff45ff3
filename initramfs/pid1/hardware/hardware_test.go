package hardware

import (
	"path"
	"reflect"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
)

func TestDisks(t *testing.T) {
	files := map[string]string{}
	add := func(name, device string, attributes map[string]string) {
		files["sys/block/"+name] = "-> .." + device
		files[path.Join("sys", device)+"/"] = ""
		for k, v := range attributes {
			files[path.Join("sys", device, k)] = v
		}
	}
	const pci = "/devices/pci0000:00/0000:00:01.0"
	add("vda", pci+"/virtio0/block/vda", map[string]string{
		"size": "8\n", "queue/logical_block_size": "4096\n", "serial": "V1\n", "device/vendor": "0x1af4\n", "queue/rotational": "1\n",
	})
	add("nvme0n1", pci+"/nvme/nvme0/nvme0n1", map[string]string{"size": "2\n", "device/model": "Fast Disk   \n", "device/serial": "N1  \n", "ro": "1\n"})
	add("sda", pci+"/ata1/host0/target0:0:0/0:0:0:0/block/sda", map[string]string{
		"device/vendor": "ATA     \n", "device/model": "HARDDISK\n", "device/vpd_pg80": "\x00\x80\x00\x08  QM0001", "device/wwid": "t10.x\n",
	})
	add("sdb", pci+"/usb1/1-1/1-1:1.0/host2/target2:0:0/2:0:0:0/block/sdb", map[string]string{"removable": "1\n", "device/wwid": "naa.5\n", "device/vpd_pg80": "\x00"})
	add("sdc", pci+"/virtio1/host3/target3:0:0/3:0:0:0/block/sdc", nil)
	add("sr0", pci+"/ata2/host1/target1:0:0/1:0:0:0/block/sr0", map[string]string{"device/vendor": "QEMU\n", "device/model": "CD-ROM\n"})
	add("mmcblk0", "/devices/platform/soc/mmc_host/mmc0/mmc0:0001/block/mmcblk0", map[string]string{"size": "nonsense"})
	for _, name := range []string{"loop0", "ram0", "zram0", "dm-0", "md0"} {
		add(name, "/devices/virtual/block/"+name, nil)
	}
	want := []bootreport.Disk{
		{Name: "mmcblk0", Transport: "mmc"},
		{Name: "nvme0n1", Size: 1024, Transport: "nvme", Model: "Fast Disk", Serial: "N1", ReadOnly: true},
		{Name: "sda", Transport: "sata", Model: "HARDDISK", Serial: "QM0001"},
		{Name: "sdb", Transport: "usb", Serial: "naa.5", Removable: true},
		{Name: "sdc", Transport: "scsi"},
		{Name: "sr0", Transport: "sata", Model: "QEMU CD-ROM", CDROM: true},
		{Name: "vda", Size: 4096, SectorSize: 4096, Transport: "virtio", Serial: "V1", Rotational: true},
	}
	if got := Disks(fake.New(t, files)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := Disks(fake.New(t, nil)); got == nil || len(got) != 0 {
		t.Errorf("of no disks: %#v", got)
	}
}

func TestMachine(t *testing.T) {
	pc := fake.New(t, map[string]string{
		"sys/class/dmi/id/sys_vendor": "V\n", "sys/class/dmi/id/product_name": "P\n", "sys/class/dmi/id/product_serial": "S\n",
		"sys/class/dmi/id/product_uuid": "U\n", "sys/devices/system/cpu/online": "0-2,4\n", "proc/meminfo": "MemTotal:  3 kB\n",
	})
	if got, want := Machine(pc), (bootreport.Machine{Vendor: "V", Product: "P", UUID: "U", Serial: "S"}); got != want {
		t.Errorf("%+v", got)
	}
	if got := CPUs(pc); got != 4 {
		t.Errorf("%d CPUs", got)
	}
	if got, want := Memory(pc), (bootreport.Memory{Total: 3072}); got != want {
		t.Errorf("%+v", got)
	}
	board := fake.New(t, map[string]string{"sys/firmware/devicetree/base/model": "Board\x00", "sys/firmware/devicetree/base/serial-number": "7\x00"})
	if got, want := Machine(board), (bootreport.Machine{Product: "Board", Serial: "7"}); got != want {
		t.Errorf("%+v", got)
	}
	nothing := fake.New(t, nil)
	if CPUs(nothing) != 0 || Memory(nothing) != (bootreport.Memory{}) || Machine(nothing) != (bootreport.Machine{}) {
		t.Error("something of nothing")
	}
}

func TestFirmware(t *testing.T) {
	const vars = "sys/firmware/efi/efivars/"
	const global = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	yes, no := true, false
	for name, c := range map[string]struct {
		files map[string]string
		want  bootreport.Firmware
	}{
		"bios":       {nil, bootreport.Firmware{Type: "bios"}},
		"devicetree": {map[string]string{"sys/firmware/devicetree/base/x": ""}, bootreport.Firmware{Type: "devicetree"}},
		"uefi":       {map[string]string{"sys/firmware/efi/x": "", vars + "SecureBoot" + global: "short"[:4]}, bootreport.Firmware{Type: "uefi"}},
		"secure boot": {map[string]string{vars + "SecureBoot" + global: "\x06\x00\x00\x00\x01", vars + "SetupMode" + global: "\x06\x00\x00\x00\x00"},
			bootreport.Firmware{Type: "uefi", SecureBoot: &yes, SetupMode: &no}},
	} {
		if got := Firmware(fake.New(t, c.files)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

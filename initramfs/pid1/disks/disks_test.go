package disks

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/blockdev"
)

const pci = "/devices/pci0000:00/0000:00:01.0"

type said []string

func (s *said) Infof(format string, args ...any) { *s = append(*s, fmt.Sprintf(format, args...)) }
func (s *said) Warnf(format string, args ...any) {
	*s = append(*s, "warning: "+fmt.Sprintf(format, args...))
}

// page83 is a page of one designator.
func page83(codeset, kind byte, id string) string {
	return "\x00\x83\x00\x00" + string([]byte{codeset, kind, 0, byte(len(id))}) + id
}

// page89 is what a SATA disk says of itself.
func page89(serial, model string) string {
	p := []byte(strings.Repeat(" ", 60+512))
	put := func(word, n int, s string) {
		s += strings.Repeat(" ", n-len(s))
		for i := 0; i < n; i += 2 {
			p[60+2*word+i], p[60+2*word+i+1] = s[i+1], s[i]
		}
	}
	put(10, 20, serial)
	put(27, 40, model)
	return string(p)
}

// TestDisks has a disk of each kind, with the fields that the guide shows of them and the names that udev gives them.
func TestDisks(t *testing.T) {
	scsi := map[string]string{
		"queue/rotational": "1\n", "device/vendor": "QEMU    \n", "device/model": "QEMU HARDDISK   \n", "device/modalias": "scsi:t-0x00\n",
		"device/vpd_pg83": page83(2, 0, "drive-scsi0"),
	}
	for _, c := range []struct {
		disk  *fake.Disk
		want  blockdev.Disk // besides the fields that all have
		links string
	}{
		{&fake.Disk{Name: "vda", Device: pci + "/virtio0/block/vda", SectorSize: 4096, Attributes: map[string]string{
			"serial": "V 1\n", "device/vendor": "0x1af4\n", "device/modalias": "virtio:d00000002v00001AF4\n"}},
			blockdev.Disk{Transport: "virtio", Serial: "V 1", BusPath: "/pci0000:00/0000:00:01.0/virtio0", Modalias: "virtio:d00000002v00001AF4", SectorSize: 4096, IOSize: 4096},
			"by-id/virtio-V_1 by-path/pci-0000:00:01.0 by-path/virtio-pci-0000:00:01.0"},
		{&fake.Disk{Name: "nvme0n1", Device: pci + "/nvme/nvme0/nvme0n1", ReadOnly: true, Attributes: map[string]string{
			"device/model": "QEMU NVMe Ctrl    \n", "device/serial": "deadbeef  \n", "wwid": "nvme.1b36-6465\n", "nsid": "1\n", "uuid": "u\n", "queue/optimal_io_size": "8192\n"}},
			blockdev.Disk{Transport: "nvme", Model: "QEMU NVMe Ctrl", Serial: "deadbeef", WWID: "nvme.1b36-6465", UUID: "u", ReadOnly: true, IOSize: 8192, BusPath: "/pci0000:00/0000:00:01.0/nvme"},
			"by-id/nvme-QEMU_NVMe_Ctrl_deadbeef by-id/nvme-QEMU_NVMe_Ctrl_deadbeef_1 by-id/nvme-nvme.1b36-6465 by-path/pci-0000:00:01.0-nvme-1"},
		{&fake.Disk{Name: "sda", Device: pci + "/virtio4/host1/target1:0:0/1:0:2:0/block/sda", Attributes: scsi},
			blockdev.Disk{Transport: "virtio", Model: "QEMU HARDDISK", Rotational: true, Modalias: "scsi:t-0x00", BusPath: "/pci0000:00/0000:00:01.0/virtio4/host1/target1:0:0/1:0:2:0"},
			"by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0 by-path/pci-0000:00:01.0-scsi-0:0:2:0"},
		{&fake.Disk{Name: "sda", Device: pci + "/host1/target1:0:0/1:0:0:1/block/sda", Attributes: map[string]string{
			"device/wwid": "naa.5000c500\n", "device/vpd_pg83": page83(1, 3, "\x50\x00\xc5\x00") + "\x02\x01\x00\x04MAKE"}},
			blockdev.Disk{Transport: "scsi", WWID: "naa.5000c500", BusPath: "/pci0000:00/0000:00:01.0/host1/target1:0:0/1:0:0:1"},
			"by-id/scsi-35000c500 by-id/wwn-0x5000c500 by-path/pci-0000:00:01.0-scsi-0:0:0:1"},
		{&fake.Disk{Name: "sda", Device: pci + "/ata1/host0/target0:0:0/0:0:0:0/block/sda", Attributes: map[string]string{
			"device/vendor": "ATA     \n", "device/model": "A DISK OF SIXTEE\n", "device/vpd_pg80": "\x00\x80\x00\x08  QM0001", "device/wwid": "naa.5\n", "device/vpd_pg89": page89("QM0001", "A DISK OF SIXTEEN")}},
			blockdev.Disk{Transport: "sata", Model: "A DISK OF SIXTEE", Serial: "QM0001", WWID: "naa.5", BusPath: "/pci0000:00/0000:00:01.0/ata1/host0/target0:0:0/0:0:0:0"},
			"by-id/ata-A_DISK_OF_SIXTEEN_QM0001 by-id/wwn-0x5 by-path/pci-0000:00:01.0-ata-3 by-path/pci-0000:00:01.0-ata-3.0"},
		{&fake.Disk{Name: "sda", Device: pci + "/usb1/1-1/1-1:1.0/host2/target2:0:0/2:0:0:0/block/sda", Attributes: map[string]string{
			"removable": "1\n", "device/vendor": "Maker\n", "device/model": "Stick\n"}},
			blockdev.Disk{Transport: "usb", Model: "Stick", Serial: "S1", Removable: true, BusPath: "/pci0000:00/0000:00:01.0/usb1/1-1/1-1:1.0/host2/target2:0:0/2:0:0:0"},
			"by-id/usb-Maker_Stick_S1-0:0 by-path/pci-0000:00:01.0-usb-0:1:1.0-scsi-0:0:0:0"},
		{&fake.Disk{Name: "mmcblk0", Device: "/devices/platform/soc/mmc_host/mmc0/mmc0:0001/block/mmcblk0", Attributes: map[string]string{"device/name": "CARD\n", "device/serial": "0x1\n"}},
			blockdev.Disk{Transport: "mmc", Model: "CARD", Serial: "0x1", BusPath: "/platform/soc/mmc_host/mmc0/mmc0:0001"}, "by-id/mmc-CARD_0x1"},
		{&fake.Disk{Name: "loop0", Device: "/devices/virtual/block/loop0"}, blockdev.Disk{BusPath: "/virtual"}, ""},
	} {
		t.Run(c.disk.Name+" "+c.want.Transport, func(t *testing.T) {
			m := fake.New(t, map[string]string{
				"sys" + pci + "/usb1/1-1/serial": "S1\n", "sys" + pci + "/ata1/ata_port/ata1/port_no": "3\n",
			})
			c.disk.Bytes = 10_485_760_000
			m.AddDisk(c.disk)
			w := New(m, &said{})
			if err := w.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			var links []string
			for l := range strings.FieldsSeq(c.links) {
				links = append(links, "/dev/disk/"+l)
			}
			want := c.want
			want.Name, want.DevPath, want.Size, want.PrettySize, want.SubSystem, want.Symlinks = c.disk.Name, "/dev/"+c.disk.Name, 10_485_760_000, "10 GB", "/sys/class/block", links
			want.SectorSize, want.IOSize = max(want.SectorSize, 512), max(want.IOSize, 512)
			if got, _ := w.Disks.Get(); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			for _, l := range links {
				if target, err := m.ReadLink(l); target != "../../"+c.disk.Name {
					t.Errorf("%s is a link to %q, %v", l, target, err)
				}
			}
		})
	}
}

// ext4 is the superblock of a file system with that label.
func ext4(label string) []byte {
	p := make([]byte, 2048)
	binary.LittleEndian.PutUint16(p[1024+56:], 0xEF53)
	binary.LittleEndian.PutUint32(p[1024+96:], 0x40)
	copy(p[1024+104:], "0123456789abcdef")
	copy(p[1024+120:], label)
	return p
}

// parted is a disk of 8 MiB with two partitions, the first an ext4.
func parted(t *testing.T, name string) *fake.Disk {
	t.Helper()
	image, err := gpt.Format([]gpt.Partition{
		{Name: "a/b", Type: gpt.LinuxFilesystem(), Size: 1 << 20}, {Name: "EPHEMERAL", Type: gpt.LinuxFilesystem(), Size: 2 << 20},
	}, gpt.Options{Size: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	d := &fake.Disk{Name: name, Bytes: 8 << 20, Attributes: map[string]string{"serial": name}}
	if err := d.Fill(image); err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteAt(ext4("my data"), 1<<20); err != nil {
		t.Fatal(err)
	}
	return d
}

func ids(w *Watcher) string {
	volumes, _ := w.Volumes.Get()
	var s []string
	for _, v := range volumes {
		s = append(s, strings.TrimSuffix(v.ID+":"+v.Name, ":"))
	}
	return strings.Join(s, " ")
}

func TestVolumes(t *testing.T) {
	m := fake.New(t, nil)
	m.AddDisk(parted(t, "vda"))
	m.AddDisk(&fake.Disk{Name: "ram0", Bytes: 1 << 20, Device: "/devices/virtual/block/ram0"})
	m.AddDisk(&fake.Disk{Name: "loop0", Device: "/devices/virtual/block/loop0"})
	m.AddDisk(&fake.Disk{Name: "fd0", Bytes: 1 << 20, Device: "/devices/platform/floppy.0/block/fd0"})
	m.AddDisk(&fake.Disk{Name: "dm-0", Bytes: 1 << 20, Device: "/devices/virtual/block/dm-0", Attributes: map[string]string{"dm/name": "luks state", "dm/uuid": "CRYPT-1"}})
	m.AddDisk(&fake.Disk{Name: "sr0", Bytes: 1 << 20, Device: pci + "/ata1/host0/target0:0:0/0:0:0:0/block/sr0", Fail: func(fake.Op, int64, int64) error { return syscall.EIO }})
	w := New(m, &said{})
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ids(w); got != "dm-0 vda:gpt vda1:ext4 vda2" {
		t.Errorf("volumes %s", got)
	}
	disks, _ := w.Disks.Get()
	if len(disks) != 2 || disks[0].Name != "sr0" || !disks[0].CDROM || disks[1].Name != "vda" {
		t.Errorf("disks %+v", disks)
	}
	volumes, _ := w.Volumes.Get()
	if !volumes[0].Blank || !slices.Contains(volumes[0].Symlinks, "/dev/disk/by-id/dm-name-luks_state") || volumes[0].Type != "disk" {
		t.Errorf("%+v", volumes[0])
	}
	if table := volumes[1].Table; table == nil || table.DiskSize != 8<<20 || table.FirstUsable != 34*512 || table.EndUsable != 8<<20-33*512 {
		t.Errorf("table %+v", table)
	}
	one := volumes[2]
	one.Symlinks, one.PartitionUUID, one.UUID = nil, strings.Repeat("x", len(one.PartitionUUID)), one.UUID[:8]
	want := blockdev.Volume{
		ID: "vda1", Type: "partition", DevPath: "/dev/vda1", DevicePath: "/devices/pci0000:00/vda/virtio0/block/vda/vda1", Parent: "vda", ParentDevPath: "/dev/vda",
		Size: 1 << 20, PrettySize: "1.0 MB", Offset: 1 << 20, SectorSize: 512, IOSize: 512, Name: "ext4", Label: "my data", UUID: "30313233",
		BlockSize: 1024, FilesystemBlockSize: 1024, PartitionUUID: strings.Repeat("x", 36), PartitionType: "0fc63daf-8483-4772-8e79-3d69d8477de4",
		PartitionLabel: "a/b", PartitionIndex: 1,
	}
	if !reflect.DeepEqual(one, want) {
		t.Errorf("got  %+v\nwant %+v", one, want)
	}
	for link, target := range map[string]string{
		"by-label/my\\x20data": "vda1", "by-partlabel/a\\x2fb": "vda1", "by-partlabel/EPHEMERAL": "vda2", "by-id/virtio-vda-part2": "vda2",
		"by-uuid/30313233-3435-3637-3839-616263646566": "vda1", "by-partuuid/" + volumes[3].PartitionUUID: "vda2", "by-id/dm-uuid-CRYPT-1": "dm-0",
	} {
		if got, err := m.ReadLink("/dev/disk/" + link); got != "../../"+target {
			t.Errorf("%s is a link to %q, %v; want %s", link, got, err, target)
		}
	}
}

// TestFaults: one disk's faults are its own.
func TestFaults(t *testing.T) {
	m := fake.New(t, nil)
	m.AddDisk(parted(t, "vda"))
	bad, clone, lost, torn := parted(t, "vdb"), parted(t, "vdc"), parted(t, "vdd"), parted(t, "vde")
	bad.Fail = func(op fake.Op, off, n int64) error {
		if op == fake.OpRead && off >= 2<<20 && off < 4<<20 {
			return syscall.EIO
		}
		return nil
	}
	torn.WriteAt(make([]byte, 512), 1024) // entries of the primary
	torn.WriteAt([]byte{1}, 8<<20-33*512) // and of the backup
	for _, d := range []*fake.Disk{bad, clone, lost, torn} {
		m.AddDisk(d)
	}
	lost.WriteAt(make([]byte, 4096), 0) // after the kernel has read it
	var log said
	w := New(m, &log)
	for range 2 { // what is wrong is said once
		if err := w.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(w); got != "vda:gpt vda1:ext4 vda2 vdb:gpt vdb1:ext4 vdb2 vdc:gpt vdc1:ext4 vdc2 vdd:gpt vdd1:ext4 vdd2 vde:gpt" {
		t.Errorf("volumes %s", got)
	}
	volumes, _ := w.Volumes.Get()
	if v := volumes[5]; v.Blank || !strings.HasPrefix(v.Error, "read ") || !strings.HasSuffix(v.Error, syscall.EIO.Error()) {
		t.Errorf("%+v", v)
	}
	if v := volumes[9]; v.Damaged == "" || v.Error != "" || !v.Table.Recovered {
		t.Errorf("%+v", v)
	}
	if v := volumes[12]; v.Table != nil || !strings.Contains(v.Error, "its partition table: GPT entries at offset") {
		t.Errorf("%+v", v)
	}
	if target, _ := m.ReadLink("/dev/disk/by-label/my\\x20data"); target != "../../vda1" {
		t.Errorf("of three that ask for a name %s has it", target)
	}
	if n := strings.Count(strings.Join(log, "\n"), "warning: /dev/vdb2: "); n != 1 {
		t.Errorf("%q", log)
	}
}

// TestLive: what comes and goes is seen, and named.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, nil)
		m.AddDisk(parted(t, "vda"))
		w := New(m, &said{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		expect := func(want string) {
			t.Helper()
			time.Sleep(time.Second)
			if got := ids(w); got != want {
				t.Errorf("volumes %s, want %s", got, want)
			}
		}
		expect("vda:gpt vda1:ext4 vda2")
		blank := &fake.Disk{Name: "vdb", Bytes: 8 << 20, Attributes: map[string]string{"serial": "B"}}
		m.AddDisk(blank)
		expect("vda:gpt vda1:ext4 vda2 vdb")
		d, err := m.OpenDisk(ctx, "/dev/disk/by-id/virtio-B", kernel.Write)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.AddPartition(1, 1<<20, 1<<20); err != nil {
			t.Error(err)
		}
		d.WriteAt(ext4("new"), 1<<20)
		d.Close()
		expect("vda:gpt vda1:ext4 vda2 vdb vdb1:ext4")
		m.RemoveDisk("vda")
		expect("vdb vdb1:ext4")
		if _, err := m.ReadLink("/dev/disk/by-partlabel/EPHEMERAL"); err == nil {
			t.Error("a name of a disk that has gone")
		}
		m.AddDisk(parted(t, "vda"))
		m.Plug(nil)
		expect("vda:gpt vda1:ext4 vda2 vdb vdb1:ext4")
		// What nobody tells of is found by asking.
		blank.WriteAt(make([]byte, 4096), 1<<20)
		expect("vda:gpt vda1:ext4 vda2 vdb vdb1:ext4")
		if err := w.Refresh(ctx); err != nil {
			t.Error(err)
		}
		expect("vda:gpt vda1:ext4 vda2 vdb vdb1")
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestLook: only what is named is read, and what nobody has seen since it changed.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, map[string]string{"sys/kernel/uevent_seqnum": "7\n"})
		d := parted(t, "vda")
		read := map[string]bool{}
		d.Fail = func(op fake.Op, off, n int64) error {
			if name := map[int64]string{0: "vda", 1 << 20: "vda1", 2 << 20: "vda2"}[off]; op == fake.OpRead && n > 4096 && name != "" { // its start
				read[name] = true
			}
			return nil
		}
		m.AddDisk(d)
		m.AddDisk(&fake.Disk{Name: "dm-0", Bytes: 1 << 20, Device: "/devices/virtual/block/dm-0", Attributes: map[string]string{"slaves/vda2/": ""}})
		w := New(m, &said{})
		expect := func(what, want string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if got := strings.Join(slices.Sorted(maps.Keys(read)), " "); got != want {
				t.Errorf("%s: read %q, want %q", what, got, want)
			}
			clear(read)
		}
		look := func(names ...string) {
			t.Helper()
			if err := w.Look(t.Context(), names...); err != nil {
				t.Error(err)
			}
		}
		look()
		expect("the first look", "vda vda1 vda2")
		go w.Run(t.Context())
		expect("the task, which is told of a new disk", "vda vda1 vda2") // the fake's events have no number
		d.WriteAt(ext4("two"), 2<<20)
		look("vda1")
		expect("a partition", "vda vda1")
		if got := ids(w); got != "dm-0 vda:gpt vda1:ext4 vda2" {
			t.Errorf("volumes %s", got)
		}
		look("vda2")
		expect("another", "vda vda2")
		if v, _ := w.Volumes.Get(); ids(w) != "dm-0 vda:gpt vda1:ext4 vda2:ext4" || v[2].PartitionLabel != "a/b" || v[3].Label != "two" {
			t.Errorf("volumes %s, %+v", ids(w), v)
		}
		event := func(name, number string) {
			m.Plug(kernel.Uevent{"SUBSYSTEM": "block", "DEVTYPE": "partition", "DEVNAME": name, "SEQNUM": number})
		}
		event("vda1", "7")
		expect("an event that was seen", "")
		event("vda1", "8")
		expect("one that was not", "vda vda1")
		event("vda", "9")
		expect("one of the disk", "vda vda1 vda2")
	})
}

// TestHung: a disk that does not answer holds up nobody for long, and is seen when it does.
func TestHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, nil)
		answer := make(chan struct{})
		hung := parted(t, "vdb")
		hung.Fail = func(fake.Op, int64, int64) error { <-answer; return nil }
		m.AddDisk(parted(t, "vda"))
		m.AddDisk(hung)
		w := New(m, &said{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 2 {
			if err := w.Refresh(ctx); err != nil {
				t.Error(err)
			}
		}
		if got := ids(w); got != "vda:gpt vda1:ext4 vda2 vdb vdb1 vdb2" {
			t.Errorf("volumes %s", got)
		}
		if v, _ := w.Volumes.Get(); v[4].Error != "/dev/vdb has not answered for 15s" || v[4].Blank {
			t.Errorf("%+v", v[4])
		}
		go w.Run(ctx)
		time.Sleep(time.Minute)
		close(answer)
		time.Sleep(time.Second)
		if got := ids(w); got != "vda:gpt vda1:ext4 vda2 vdb:gpt vdb1:ext4 vdb2" {
			t.Errorf("volumes %s", got)
		}
		short, end := context.WithTimeout(ctx, time.Second)
		defer end()
		hung.Fail = func(fake.Op, int64, int64) error { time.Sleep(10 * time.Second); return nil }
		if err := w.Refresh(short); err == nil {
			t.Error("a look was not ended")
		}
		cancel()
		time.Sleep(24 * time.Hour)
	})
}

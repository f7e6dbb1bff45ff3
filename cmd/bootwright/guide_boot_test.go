package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/cmd/wrightctl/reportcmd"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/volumes/volumestest"
)

// guideDisks are those of the configuration guide's machine (section 5): virtio, NVMe, SATA and USB.
const guideDisks = `disks:
  - name: vda
    size: 6GiB
    partitions:
      - {label: EFI, size: 64MiB, holds: vfat}
      - {label: META, size: 1MiB, holds: talosmeta}
  - {name: nvme0n1, size: 4GiB, transport: nvme, serial: deadbeef}
  - {name: sda, size: 2100MB, transport: sata, serial: QM00001}
  - {name: sdb, size: 1GB, transport: usb, serial: USB1}
`

// guideConfig is the guide's configuration: STATE with a key of the node, user disks. FIRST and SECOND are the disks' names.
const guideConfig = `version: v1alpha1
machine:
  type: worker
  disks:
    - device: /dev/disk/by-id/FIRST
      partitions:
        - {size: 957MB, mountpoint: /var/mnt/one}
        - {size: 957MB, mountpoint: /var/mnt/two}
    - device: /dev/disk/by-id/SECOND
      partitions:
        - {mountpoint: /var/mnt/three}
cluster:
  controlPlane:
    endpoint: https://10.0.0.1:6443
`

const guideEncryption = `  type: worker
  systemDiskEncryption:
    state: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}
    ephemeral: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}
`

const guideEphemeral = `---
apiVersion: v1alpha1
kind: VolumeConfig
name: EPHEMERAL
provisioning:
  diskSelector:
    match: disk.transport == 'nvme'
  minSize: 2GB
  maxSize: 3GB
  grow: false
`

// TestBootGuide takes a machine through the guide's sections 4 and 5: user disks, first plain; then a wipe of STATE and EPHEMERAL
// that makes them anew encrypted, the latter on the NVMe disk; then a boot whose configuration is in STATE alone; at last a
// wipe of the system disk. What is on the user disks stays what it is.
func TestBootGuide(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	index, err := os.ReadFile(filepath.Join(strings.TrimPrefix(vmtest.Base(t), "oci:"), "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	disks, names := guideDisks, [2]string{"ata-QEMU_HARDDISK_QM00001", "usb-QEMU_QEMU_HARDDISK_USB1-0:0"}
	if !strings.Contains(string(index), `"generic"`) { // it has no drivers for SATA and USB
		disks = strings.NewReplacer("transport: sata, ", "", "transport: usb, ", "").Replace(disks)
		names = [2]string{"scsi-0QEMU_QEMU_HARDDISK_QM00001", "scsi-0QEMU_QEMU_HARDDISK_USB1"}
	}
	plain := strings.NewReplacer("FIRST", names[0], "SECOND", names[1]).Replace(guideConfig)
	encrypted := strings.Replace(plain, "  type: worker\n", guideEncryption, 1) + guideEphemeral
	kernel, initrd := built(t, "kernel", "amd64"), built(t, "initramfs", "amd64")
	l := newTableMachine(t, volumestest.Case{Name: "guide", Disks: []byte(disks)})
	l.make(t)
	boot := func(config, wipe, system string, until ...string) *bootreport.Report {
		t.Helper()
		l.Config, l.Wipe = []byte(config), wipe
		if config == "" {
			l.Config = nil
		}
		want := ""
		for _, v := range until {
			want += `"id":"` + v + `","version":\d+,"phase":"ready".*`
		}
		console := l.start(t, kernel, initrd, regexp.MustCompile(`"volumes":\[.*`+want+`"readyMs":\d+.*\}`))
		r, err := bootreport.Find(console)
		if err != nil {
			t.Fatalf("%v\n%s", err, console)
		}
		t.Log("\n" + tables(t, console))
		checkTables(t, tables(t, console), system, names)
		if t.Failed() {
			t.Logf("%s", console)
		}
		return r
	}
	all := []string{"META", "STATE", "EPHEMERAL", ".*-1", ".*-2", ".*-1"}
	boot(plain, "", "STATE ready /dev/vda3 105 MB, EPHEMERAL ready /dev/vda4 6.3 GB", all...)
	kept := l.userFilesystems(t)
	const afterwards = "STATE ready /dev/vda3 88 MB, EPHEMERAL ready /dev/nvme0n1p1 3.0 GB"
	boot(encrypted, "system:EPHEMERAL,STATE", afterwards, all...)
	if r := boot("", "", afterwards, all...); r.Config.Source != bootreport.SourceState || len(r.Encryption) != 2 {
		t.Errorf("configuration %+v, encryption %+v", r.Config, r.Encryption)
	}
	boot(plain, "system", "STATE waiting, EPHEMERAL waiting") // for the system to be installed
	if now := l.userFilesystems(t); len(kept) != 3 || !maps.Equal(kept, now) {
		t.Errorf("user disks held %v and hold %v", kept, now)
	}
	for _, v := range l.probed(t).Volumes {
		if v.ID == "vda" && !v.Blank || v.ID == "nvme0n1p1" && (v.Name != "luks" || v.PartitionLabel != "EPHEMERAL") {
			t.Errorf("after the wipe of the system disk: %+v", v)
		}
	}
}

// userFilesystems are the UUIDs of what the user disks hold, by partition.
func (l *tableMachine) userFilesystems(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, v := range l.probed(t).Volumes {
		if strings.HasPrefix(v.Parent, "sd") {
			found[v.ID] = v.Name + " " + v.UUID
		}
	}
	return found
}

// tables are what wrightctl prints of a console.
func tables(t *testing.T, console []byte) string {
	t.Helper()
	var out bytes.Buffer
	cmd := reportcmd.NewCommand(reportcmd.Env{Stdout: &out, Read: func(context.Context, string) ([]byte, error) { return console, nil }})
	cmd.SetArgs([]string{"console"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// checkTables looks for the lines of the tables, whatever the versions are.
func checkTables(t *testing.T, text, system string, names [2]string) {
	t.Helper()
	text = regexp.MustCompile(` +`).ReplaceAllString(text, " ")
	want := []string{
		"NODE NAMESPACE TYPE ID VERSION SIZE READ ONLY TRANSPORT ROTATIONAL WWID MODEL SERIAL",
		"guide runtime Disk nvme0n1 1 4.3 GB false nvme nvme.1b36-6465616462656566-51454d55204e564d65204374726c-00000001 QEMU NVMe Ctrl deadbeef",
		`guide runtime Disk sd[ab] \d 2.1 GB false (sata|virtio) true .*QEMU HARDDISK QM00001`,
		`guide runtime Disk sd[ab] \d 1.0 GB false (usb|virtio) .*QEMU HARDDISK USB1`,
		`guide runtime Disk vda \d 6.4 GB false virtio true disk-vda`,
		"NODE NAMESPACE TYPE ID VERSION TYPE SIZE DISCOVERED LABEL PARTITIONLABEL",
		`guide runtime DiscoveredVolume sd[ab]1 \d+ partition 957 MB xfs`,
		"NODE NAMESPACE TYPE ID VERSION",
		`guide runtime VolumeConfig /dev/disk/by-id/` + names[0] + `-1 \d+`,
		`guide runtime VolumeConfig EPHEMERAL \d+`,
		"NODE NAMESPACE TYPE ID VERSION PHASE LOCATION SIZE",
	}
	for _, s := range strings.Split(system, ", ") {
		id, status, _ := strings.Cut(s, " ")
		want = append(want, fmt.Sprintf(`guide runtime VolumeStatus %s \d+ %s`, id, status))
	}
	for _, line := range want {
		if !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(text) {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

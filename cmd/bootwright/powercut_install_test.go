package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/layout"
)

// What a machine says while it installs itself.
const (
	tableBegun  = "write the table's entries"
	isInstalled = "the system is installed on"
	restarts    = "the machine restarts"
)

// TestBootPowerCutsInstall cuts the power while a machine that was started from an ISO installs itself. What a cut leaves is
// plainly no table, and the machine, which has the ISO behind its disk in its boot order, installs itself again; or it is the whole
// system, and the machine starts from its disk.
func TestBootPowerCutsInstall(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	iso := built(t, "iso", "amd64", "--config", installConfig(t, "    disk: /dev/vda\n", ""))
	disk, _ := emptyDisk(t)
	s := &scenario{
		name: "install", disk: disk, blank: true, most: 24, says: []string{tableBegun, isInstalled}, until: restarts,
		kept: installationKept, judge: judgeFATs, booted: installationReady,
		machine: func(disk, log string) vm.Options {
			return vm.Options{
				Image: disk, Writable: true, WriteLog: log, Firmware: vm.UEFI, Reboots: true, Timeout: bootTwice, Until: installedReport,
				ExtraArgs: []string{"-drive", "if=none,id=iso,format=raw,readonly=on,media=cdrom,file=" + iso, "-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=iso,bootindex=2"},
			}
		},
	}
	s.run(t)
}

// installationKept wants all that was to be installed where there is a table, and a table when the machine has said so.
func installationKept(s *scenario, at int, disk blob.Blob, got seen) error {
	if len(got.parts) == 0 {
		if at >= s.since[isInstalled] {
			return errors.New("the table is lost")
		}
		return nil
	}
	if got.meta == nil != (s.after.meta == nil) {
		return fmt.Errorf("META has %v", got.meta)
	}
	for _, label := range []string{layout.EFI, layout.Boot} {
		if err := sameFiles(s.final, disk, label); err != nil {
			return err
		}
	}
	return nil
}

// sameFiles compares the names and sizes of the files of a partition of a disk with those that there were without a cut.
func sameFiles(final string, disk blob.Blob, label string) error {
	f, err := blob.OpenFile(final)
	if err != nil {
		return err
	}
	defer f.Close()
	want, err := listed(f, label)
	if err != nil {
		return err
	}
	if got, err := listed(disk, label); err != nil || got != want {
		return errors.Join(fmt.Errorf("%s has\n%swant\n%s", label, got, want), err)
	}
	return nil
}

// volume is the FAT file system of a partition.
func volume(disk blob.Blob, label string) (*fat.Volume, error) {
	for _, p := range partitions(disk) {
		if p.Name == label {
			return salvage(p.Content)
		}
	}
	return nil, fmt.Errorf("%s: %w", label, fs.ErrNotExist)
}

// salvage reads a FAT file system without the files that a power cut has left incomplete. Nothing reads those; where something would, they
// are missed.
func salvage(b blob.Blob) (*fat.Volume, error) { return fat.Salvage(b, func(string, error) {}) }

// listed are the files of a partition.
func listed(disk blob.Blob, label string) (string, error) {
	v, err := volume(disk, label)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, n := range v.Tree.Nodes() {
		fmt.Fprintln(&b, n.Path, n.Size())
	}
	return b.String(), nil
}

// judgeFATs has fsck.fat look at the boot partitions of a disk, if it has them, and sgdisk at its table.
func judgeFATs(t *testing.T, disk blob.Blob) int {
	t.Helper()
	n := judgeTable(t, disk)
	for _, p := range partitions(disk) {
		if p.Name == layout.EFI || p.Name == layout.Boot {
			file := filepath.Join(t.TempDir(), p.Name)
			if err := blob.WriteFile(t.Context(), file, p.Content, blob.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			oracle.Run(t, "fsck.fat", "-n", file)
			os.Remove(file)
			n++
		}
	}
	return n
}

// judgeTable has sgdisk print the partition table of a disk, if it has one.
func judgeTable(t *testing.T, disk blob.Blob) int {
	t.Helper()
	parts := partitions(disk)
	if len(parts) == 0 {
		return 0
	}
	file := filepath.Join(t.TempDir(), "tables")
	ends := []blob.Extent{
		{Blob: blob.Slice(disk, 0, layout.MiB)},
		{Offset: disk.Size() - layout.MiB, Blob: blob.Slice(disk, disk.Size()-layout.MiB, layout.MiB)},
	}
	image, err := blob.NewImage(disk.Size(), ends...)
	if err == nil {
		err = blob.WriteFile(t.Context(), file, image, blob.WriteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	out := oracle.Run(t, "sgdisk", "-p", file)
	for _, p := range parts {
		if !strings.Contains(out, p.Name) {
			t.Errorf("sgdisk does not find %s:\n%s", p.Name, out)
		}
	}
	return 1
}

// installationReady wants a machine that started from its disk, and that had installed itself anew only where it had to.
func installationReady(t *testing.T, s *scenario, at int, console, _ string) {
	t.Helper()
	if again := strings.Contains(console, isInstalled); again && at >= s.since[isInstalled] {
		t.Error("the machine was installed, and installed itself again")
	}
	checkOnDisk(t, lastReport(t, console))
}

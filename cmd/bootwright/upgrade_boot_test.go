package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/layout"
)

// volumeAt is a partition of a disk, as mtools call it.
func volumeAt(t *testing.T, disk, label string) string {
	t.Helper()
	f, err := blob.OpenFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Partitions {
		if p.Name == label {
			return fmt.Sprintf("%s@@%d", disk, p.Start)
		}
	}
	t.Fatalf("%s has no partition %s", disk, label)
	return ""
}

// upgradeOffline lets the program of the installer in root upgrade a disk of which the boot partitions are unpacked and packed again.
func upgradeOffline(t *testing.T, root, disk string, flags ...string) {
	t.Helper()
	args := []string{"upgrade", "--assets", filepath.Join(root, bootassets.Folder, "amd64")}
	dirs := map[string]string{}
	for _, label := range []string{layout.EFI, layout.Boot} {
		dirs[label] = t.TempDir()
		oracle.Run(t, "mcopy", "-s", "-i", volumeAt(t, disk, label), "::*", dirs[label])
		args = append(args, "--"+strings.ToLower(label), dirs[label])
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(root, "bin/installer"), append(args, flags...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for label, dir := range dirs {
		at := volumeAt(t, disk, label)
		folders, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			oracle.Run(t, "mdeltree", "-i", at, "::"+f.Name())
			oracle.Run(t, "mcopy", "-s", "-i", at, filepath.Join(dir, f.Name()), "::")
		}
	}
}

// TestBootUpgradeBroken puts a system that never starts beside an installed one. Without anybody's help either firmware's boot loader gives it its
// tries, and then starts the one before.
func TestBootUpgradeBroken(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	oracle.Need(t, "mcopy")
	root := installerRoot(t)
	disk := installedDisk(t, root)
	upgradeOffline(t, root, disk, "--extra-kernel-arg", "rdinit=/none", "--extra-kernel-arg", "panic=1")
	for _, firmware := range []vm.Firmware{vm.UEFI, vm.BIOS} {
		console := vmtest.Boot(t, vm.Options{Image: disk, As: vm.Disk, Firmware: firmware, Writable: true, Reboots: true, MemoryMiB: 1024})
		if n := strings.Count(console, "Kernel panic - not syncing"); n != bootentry.Tries {
			t.Errorf("%s: the new system was tried %d times", firmware, n)
		}
		if _, err := bootreport.Find([]byte(console)); err != nil {
			t.Error(err)
		}
	}
	if names := oracle.Run(t, "mdir", "-b", "-i", volumeAt(t, disk, layout.EFI), "::EFI/Linux"); !regexp.MustCompile(`bootwright-[0-9a-f]{12}\+0-3\.efi`).MatchString(names) {
		t.Errorf("the menu has %s", names)
	}
	if env, err := grub.ParseEnvironment(oracle.Run(t, "mtype", "-i", volumeAt(t, disk, layout.Boot), "::"+bootentry.GRUBEnv)); err != nil || env.Tries != 0 || env.Trial == "" {
		t.Errorf("GRUB counted to %+v, %v", env, err)
	}
}

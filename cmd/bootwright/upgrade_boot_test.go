package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
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

// isGood is what a new system says at the end of its trial.
func isGood() *regexp.Regexp { return regexp.MustCompile(`the system bootwright-[0-9a-f]{12} is good`) }

// upgradeConfig is a file with the configuration of a machine of that name, for which the registry at host stands in for registry.example, and
// which asks for a kernel argument.
func upgradeConfig(t *testing.T, name, host string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "node.yaml")
	text := strings.Replace(configareatest.Worker(name), "machine:\n", "machine:\n  time: {disabled: true}\n"+
		"  registries: {mirrors: {registry.example: {endpoints: [\"http://10.0.2.2:"+port+"\"], skipFallback: true}}}\n", 1)
	text = strings.Replace(text, "  install:\n", "  install:\n    extraKernelArgs: [bootwright.marker=upgraded]\n", 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestBootUpgrade does an upgrade that META asks for: the machine pulls the installer, and its system with another kernel argument starts and is found
// good. A second one, from outside, is found good by the other firmware.
func TestBootUpgrade(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	oracle.Need(t, "mcopy")
	host := registrytest.Start(t, registrytest.Options{}).Host
	bootwright(t, "build", "installer", "--arch", "amd64", "--base", vmtest.Base(t), "--cache-dir", t.TempDir(), "--push", "http://"+host+"/acme/installer:v2")
	config := upgradeConfig(t, "upgraded", host)
	root := installerRoot(t)
	disk := installedDisk(t, root, "--config", config, "--meta", "7=registry.example/acme/installer:v2", "--meta", `8={"Force":true}`, "--meta", "0xc=mine")
	o := vm.Options{
		Image: disk, As: vm.Disk, Firmware: vm.UEFI, Writable: true, Reboots: true, Until: isGood(), Timeout: 8 * time.Minute,
		ExtraArgs: []string{"-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0"},
	}
	console := vmtest.Boot(t, o)
	if !strings.Contains(console, "bootwright.marker=upgraded") || strings.Count(console, bootreport.Ready) != 2 {
		t.Errorf("the upgrade was not one restart into what the configuration asks for:\n%s", console)
	}
	checkUpgraded(t, disk, console)

	upgradeOffline(t, root, disk, "--extra-kernel-arg", "bootwright.marker=again")
	o.Firmware = vm.BIOS
	checkUpgraded(t, disk, vmtest.Boot(t, o))
}

// checkUpgraded compares the disk of a machine with what its last report says: the new system is good for both firmwares, and META holds what was there.
func checkUpgraded(t *testing.T, disk, console string) {
	t.Helper()
	r, err := bootreport.Find([]byte(console))
	if err != nil {
		t.Fatal(err)
	}
	if r.Entry == nil || r.Entry.State != bootreport.EntryTrial || r.Entry.Tries != bootentry.Tries-1 || r.Entry.Other == "" || r.Config.Source != bootreport.SourceState || len(r.Errors) > 0 {
		t.Fatalf("entry %+v, configuration %+v, errors %v", r.Entry, r.Config, r.Errors)
	}
	names := strings.Fields(oracle.Run(t, "mdir", "-b", "-i", volumeAt(t, disk, layout.EFI), "::EFI/Linux/*.efi"))
	for _, name := range []string{r.Entry.Name, r.Entry.Other} {
		if !slices.Contains(names, "::/EFI/Linux/"+name+".efi") {
			t.Errorf("the menu has %s, and not %s", names, name)
		}
	}
	if env, err := grub.ParseEnvironment(oracle.Run(t, "mtype", "-i", volumeAt(t, disk, layout.Boot), "::"+bootentry.GRUBEnv)); err != nil || env != (grub.Environment{}) {
		t.Errorf("GRUB counts %+v, %v", env, err)
	}
	f, err := blob.OpenFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(table.Partitions, func(p gpt.Partition) bool { return p.Name == layout.Meta })
	values, _, err := meta.Read(table.Partitions[i].Content)
	if err != nil || len(values) > 2 || string(values[meta.UserReserved1]) != "mine" || values[meta.StagedUpgradeImage] != nil {
		t.Errorf("META has %q, %v", values, err)
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
		console := vmtest.Boot(t, vm.Options{Image: disk, As: vm.Disk, Firmware: firmware, Writable: true, Reboots: true, Timeout: 8 * time.Minute,
			Until: regexp.MustCompile("did not become ready; this is bootwright-")})
		if n := strings.Count(console, "Kernel panic - not syncing"); n != bootentry.Tries {
			t.Errorf("%s: the new system was tried %d times", firmware, n)
		}
	}
	if names := oracle.Run(t, "mdir", "-b", "-i", volumeAt(t, disk, layout.EFI), "::EFI/Linux"); !regexp.MustCompile(`bootwright-[0-9a-f]{12}\+0-3\.efi`).MatchString(names) {
		t.Errorf("the menu has %s", names)
	}
	if env, err := grub.ParseEnvironment(oracle.Run(t, "mtype", "-i", volumeAt(t, disk, layout.Boot), "::"+bootentry.GRUBEnv)); err != nil || env.Tries != 0 || env.Trial == "" {
		t.Errorf("GRUB counted to %+v, %v", env, err)
	}
}

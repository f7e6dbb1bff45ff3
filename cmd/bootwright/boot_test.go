package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/inspect"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
)

func TestChooseMedium(t *testing.T) {
	t.Parallel()
	loader := func(arch string) *inspect.Item {
		return &inspect.Item{Name: "EFI/BOOT/BOOT.EFI", Type: "pe", Facts: inspect.Facts{{Name: "arch", Value: arch}}}
	}
	for _, tt := range []struct {
		it   inspect.Item
		as   vm.Medium
		arch string
	}{
		{inspect.Item{Type: "iso9660", Items: []*inspect.Item{{Items: []*inspect.Item{loader("i386"), loader("arm64")}}}}, vm.CDROM, "arm64"},
		{inspect.Item{Type: "gpt", Items: []*inspect.Item{loader("amd64"), loader("arm64")}}, vm.Disk, "amd64"},
		{inspect.Item{Type: "fat16"}, vm.Disk, ""},
		{inspect.Item{Type: "uki", Facts: inspect.Facts{{Name: "arch", Value: "arm64"}}}, "", "arm64"},
	} {
		var o vm.Options
		if err := chooseMedium(&o, &tt.it); err != nil || o.As != tt.as {
			t.Errorf("%s becomes %q, %v; want %q", tt.it.Type, o.As, err, tt.as)
		}
		if got := bootArch(&tt.it); got != tt.arch {
			t.Errorf("%s is for %q, want %q", tt.it.Type, got, tt.arch)
		}
	}
}

// TestBoot builds from the base for tests and boots the results, every way that they are meant for.
func TestBoot(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	iso, isoARM := built(t, "iso", "amd64"), built(t, "iso", "arm64")
	for _, tt := range []struct {
		name string
		o    vm.Options
	}{
		{"uefi cdrom", vm.Options{Image: iso, As: vm.CDROM, Firmware: vm.UEFI}},
		{"uefi disk", vm.Options{Image: iso, As: vm.Disk, Firmware: vm.UEFI}},
		{"uefi usb", vm.Options{Image: iso, As: vm.USB, Firmware: vm.UEFI}},
		{"bios cdrom", vm.Options{Image: iso, As: vm.CDROM, Firmware: vm.BIOS}},
		{"bios disk", vm.Options{Image: iso, As: vm.Disk, Firmware: vm.BIOS}},
		{"bios usb", vm.Options{Image: iso, As: vm.USB, Firmware: vm.BIOS}},
		{"uefi uki", vm.Options{Kernel: built(t, "metal-uki", "amd64"), Firmware: vm.UEFI}},
		{"bios kernel", withoutLoader(t)},
		{"uefi arm64 cdrom", vm.Options{Arch: "arm64", Image: isoARM, As: vm.CDROM}},
		{"uefi arm64 disk", vm.Options{Arch: "arm64", Image: isoARM, As: vm.Disk}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			firmware, _, _ := strings.Cut(tt.name, " ")
			checkReport(t, vmtest.Report(t, vmtest.Boot(t, tt.o)), firmware, cmp.Or(tt.o.Arch, "amd64"))
		})
	}
}

// checkReport checks what a machine says of itself that a good boot on QEMU has.
func checkReport(t *testing.T, r *bootreport.Report, firmware, arch string) {
	t.Helper()
	if r.Firmware.Type != firmware || r.Arch != arch || r.Platform != "metal" {
		t.Errorf("the machine is %s, %s, %s; want %s, %s, metal", r.Firmware.Type, r.Arch, r.Platform, firmware, arch)
	}
	if !strings.Contains(r.Kernel, "cloud-"+arch) || r.Base == "" || r.Epoch == 0 || r.Clock.BeforeBuild {
		t.Errorf("kernel %q, base %q, epoch %d, clock %+v", r.Kernel, r.Base, r.Epoch, r.Clock)
	}
	if len(r.Errors)+len(r.Modules.Failed) > 0 {
		t.Errorf("errors %+v, modules that failed %+v", r.Errors, r.Modules.Failed)
	}
	if len(r.Modules.Loaded) == 0 || r.Root.Size == 0 || len(r.Root.Layers) != 1 || r.ReadyMS <= 0 {
		t.Errorf("%d modules, root %+v, ready after %d ms", len(r.Modules.Loaded), r.Root, r.ReadyMS)
	}
	for i, p := range r.Phases[1:] {
		if p.StartMS < r.Phases[i].StartMS {
			t.Errorf("phase %s starts before %s", p.Name, r.Phases[i].Name)
		}
	}
}

// withoutLoader is a machine that QEMU gives kernel and initramfs, the latter built with more arguments: for tests of what comes after a boot
// loader. Under TCG loading an ISO takes GRUB four times as long as all the rest of a boot, and systemd-boot twice as long.
func withoutLoader(t *testing.T, more ...string) vm.Options {
	t.Helper()
	cmdline, err := os.ReadFile(built(t, "cmdline", "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	return vm.Options{
		Kernel: built(t, "kernel", "amd64"), Initrd: built(t, "initramfs", "amd64", more...), Append: strings.TrimSpace(string(cmdline)),
	}
}

// baked are the arguments for an initramfs with a machine configuration, besides more.
func baked(file string, more ...string) []string {
	return append(more, "--config", file, "--set", "customization.machineConfig.embed=initramfs")
}

// built is the one file that a profile gives, made by the command line from the base for tests.
func built(t *testing.T, profile, arch string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	bootwright(t, append([]string{"build", profile, "--arch", arch, "--base", vmtest.Base(t), "--cache-dir", t.TempDir(), "-o", dir}, more...)...)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s gave %q, %v; want one file", profile, files, err)
	}
	return files[0]
}

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/profiles"
)

// TestBootDisk boots disk images of every format, from the firmware that each is for.
func TestBootDisk(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	image := func(more ...string) string {
		return built(t, "metal", "amd64", append(more, "--set", "output.outFormat=raw")...)
	}
	format := func(name string) string { return image("--set", "output.imageOptions.diskFormat="+name) }
	raw := image()
	for _, tt := range []struct {
		name string
		o    vm.Options
	}{
		{"uefi raw", vm.Options{Image: raw, Firmware: vm.UEFI}},
		{"bios raw", vm.Options{Image: raw, Firmware: vm.BIOS}},
		{"bios raw grub alone", vm.Options{Image: image("--set", "output.imageOptions.bootloader=grub"), Firmware: vm.BIOS}},
		{"uefi 4096 bytes a sector", vm.Options{Image: built(t, "metal-4k", "amd64", "--set", "output.outFormat=raw"), SectorSize: 4096}},
		{"uefi qcow2 of a containerDisk", vm.Options{Image: containerDisk(t), Format: "qcow2"}},
		{"bios vhd", vm.Options{Image: format("vhd"), Format: "vpc", Firmware: vm.BIOS}},
		{"uefi vhdx", vm.Options{Image: format("vhdx"), Format: "vhdx"}},
		{"uefi vmdk of an ova", vm.Options{Image: diskOfOVA(t), Format: "vmdk"}},
		{"uefi arm64 raw", vm.Options{Arch: "arm64", Image: built(t, "metal", "arm64", "--set", "output.outFormat=raw")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			firmware, _, _ := strings.Cut(tt.name, " ")
			r, err := bootreport.Find([]byte(vmtest.Boot(t, tt.o)))
			if err != nil {
				t.Fatal(err)
			}
			if r.Firmware.Type != firmware || r.ReadyMS == 0 {
				t.Errorf("firmware %s, ready after %d ms, errors %+v", r.Firmware.Type, r.ReadyMS, r.Errors)
			}
		})
	}
}

// diskOfOVA is the disk that an OVA holds, as VMware takes it out of the archive.
func diskOfOVA(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	oracle.Run(t, "tar", "-C", dir, "-xf", built(t, "metal", "amd64", "--set", "output.imageOptions.diskFormat=ova", "--set", "output.outFormat=raw"))
	return filepath.Join(dir, "metal-amd64.vmdk")
}

// containerDisk is the disk that a container image for KubeVirt holds: pulled by skopeo and unpacked by umoci, it is the one file in /disk.
func containerDisk(t *testing.T) string {
	t.Helper()
	layout, bundle := filepath.Join(t.TempDir(), "layout"), filepath.Join(t.TempDir(), "bundle")
	archive := built(t, "metal", "amd64", "--set", "output.imageOptions.diskFormat=qcow2", "--set", "output.outFormat=.oci.tar")
	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "oci-archive:"+archive, "oci:"+layout+":v1")
	oracle.Run(t, "umoci", "unpack", "--rootless", "--image", layout+":v1", bundle)
	files, err := filepath.Glob(filepath.Join(bundle, "rootfs", "disk", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v; want one disk", files, err)
	}
	return files[0]
}

// TestDiskImages builds the disk image of every built-in profile; qemu-img finds each sound and, where it is another format of
// a raw disk, equal to it.
func TestDiskImages(t *testing.T) {
	vmtest.Need(t) // for the base
	oracle.Need(t, "qemu-img")
	cache := t.TempDir()
	for _, name := range profiles.Names() {
		p, err := profiles.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Output.Kind != "image" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			build := func(profile string, more ...string) string {
				out := filepath.Join(dir, profile+strings.Join(more, ""))
				bootwright(t, append([]string{"build", profile, "--base", vmtest.Base(t), "--cache-dir", cache, "-o", out}, more...)...)
				files, err := filepath.Glob(filepath.Join(out, "*"))
				if err != nil || len(files) != 1 {
					t.Fatalf("%q, %v", files, err)
				}
				return files[0]
			}
			asset := build(name)
			if o := p.Output; !strings.HasSuffix(asset, "."+o.ImageOptions.DiskFormat+strings.TrimPrefix(o.OutFormat, "raw")) {
				t.Errorf("it is called %s", filepath.Base(asset))
			}
			format := map[string]string{"qcow2": "qcow2", "vhd": "vpc"}[p.Output.ImageOptions.DiskFormat]
			if format == "" {
				return
			}
			image := build(name, "--set", "output.outFormat=raw")
			raw := build("metal", "--set", "output.outFormat=raw", "--platform", p.Platform, "--set", fmt.Sprint("output.imageOptions.diskSize=", p.Output.ImageOptions.DiskSize))
			if format == "qcow2" {
				oracle.Run(t, "qemu-img", "check", "-f", format, image)
			}
			oracle.Run(t, "qemu-img", "compare", "-f", format, "-F", "raw", image, raw)
		})
	}
}

// TestOVA: the files of an OVA are in their order, and the manifest has their digests.
func TestOVA(t *testing.T) {
	vmtest.Need(t) // for the base
	oracle.Need(t, "tar")
	oracle.Need(t, "qemu-img")
	ova := built(t, "vmware", "amd64")
	if got := oracle.Run(t, "tar", "-tf", ova); got != "vmware-amd64.ovf\nvmware-amd64.mf\nvmware-amd64.vmdk\n" {
		t.Errorf("%q", got)
	}
	dir := t.TempDir()
	oracle.Run(t, "tar", "-C", dir, "-xf", ova)
	manifest := oracle.Run(t, "cat", filepath.Join(dir, "vmware-amd64.mf"))
	for _, name := range []string{"vmware-amd64.ovf", "vmware-amd64.vmdk"} {
		f, err := blob.OpenFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sum, err := blob.Sum(t.Context(), f)
		if err != nil || !strings.Contains(manifest, "SHA256("+name+")= "+sum.Hex()+"\n") {
			t.Errorf("%s: %v, manifest\n%s", name, err, manifest)
		}
	}
	if out := oracle.Run(t, "qemu-img", "info", filepath.Join(dir, "vmware-amd64.vmdk")); !strings.Contains(out, "streamOptimized") || !strings.Contains(out, "8 GiB") {
		t.Error(out)
	}
}

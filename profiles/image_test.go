package profiles

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

// TestImageProfiles has the disks of the field's clouds: format, size and what is around them. A size of 0 is what the content
// needs; the field has 1246 MiB there.
func TestImageProfiles(t *testing.T) {
	for name, want := range map[string]string{
		"metal": "raw 0 .zst", "metal-4k": "raw 0 .zst", "akamai": "raw 0 .gz", "alibabacloud": "qcow2 0 raw", "aws": "raw 8192 .zst",
		"azure": "vhd 8192 .zst", "cloudstack": "raw 8192 .zst", "digital-ocean": "raw 8192 .gz", "exoscale": "qcow2 10240 .zst",
		"gcp": "raw 8192 .tar.gz", "hcloud": "raw 0 .zst", "kubevirt": "qcow2 0 .oci.tar", "nocloud": "raw 0 .zst", "opennebula": "raw 0 .zst", "openstack": "raw 0 .zst",
		"oracle": "qcow2 8192 .zst", "scaleway": "raw 0 .zst", "upcloud": "raw 8192 .zst", "vmware": "ova 8192 raw", "vultr": "raw 8192 .zst",
	} {
		for _, arch := range Arches() {
			p, err := Resolve(&Profile{BaseProfileName: name, Arch: arch})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			o := p.Output.ImageOptions
			if got := fmt.Sprint(o.DiskFormat, " ", o.DiskSize>>20, " ", p.Output.OutFormat); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
			loader := "dual-boot"
			if arch == "arm64" || name == "metal-4k" {
				loader = "sd-boot"
			}
			if o.Bootloader != loader {
				t.Errorf("%s for %s starts by %s", name, arch, o.Bootloader)
			}
		}
	}
}

func TestImageFaults(t *testing.T) {
	for text, want := range map[string]string{
		"{bootloader: grub2}":                               `unknown boot loader "grub2" (did you mean grub?)`,
		"{diskFormat: qcow}":                                `unknown disk format "qcow" (did you mean qcow2?)`,
		"{diskSectorSize: 1024}":                            "sectors of 1024 bytes (512 or 4096)",
		"{diskSize: 1000}":                                  "a disk of 1000 bytes (whole MiB",
		"{diskSize: -1048576}":                              "a disk of -1048576 bytes",
		"{diskFormat: raw, diskFormatOptions: fast}":        `unknown option "fast"`,
		"{diskFormatOptions: cluster_size=5k}":              `"5k" is no size of clusters`,
		"{diskFormatOptions: cluster_size=8k}":              "cluster_size is of qcow2",
		"{diskFormatOptions: subformat=monolithicFlat}":     "subformat=monolithicFlat are of vmdk",
		"{diskFormatOptions: subformat=twoGbMaxExtentFlat}": `unknown option "subformat=twoGbMaxExtentFlat"`,
		"{diskFormatOptions: force_size}":                   "of vhd",
		"{bootloader: grub, diskSectorSize: 4096}":          "reads sectors of 512 bytes only (use sd-boot)",
		"{diskFormat: qcow2}, outFormat: .tar.gz":           "a .tar.gz holds a raw disk",
		"{diskFormat: vhd}, outFormat: .oci.tar":            "an .oci.tar holds a qcow2",
		"{diskFormat: raw}, isoOptions: {label: A}":         "output.isoOptions: not used for image output",
	} {
		p, err := Load("p", []byte("arch: amd64\nplatform: metal\noutput: {kind: image, imageOptions: "+text+"}"))
		if err == nil {
			_, err = Resolve(p)
		}
		if report.KindOf(err) != report.Invalid || !strings.Contains(said(err), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, size := range []string{"0", "~"} { // what the content needs, as where nothing is said
		p, err := Load("p", []byte("baseProfileName: metal\noutput: {imageOptions: {diskSize: "+size+"}}"))
		if err == nil {
			p, err = Resolve(p)
		}
		if err != nil || p.Output.ImageOptions.DiskSize != 0 {
			t.Errorf("a size of %s: %v", size, err)
		}
	}
	if _, err := Resolve(&Profile{BaseProfileName: "metal", Arch: "arm64", Output: Output{ImageOptions: ImageOptions{Bootloader: "grub"}}}); err == nil || !strings.Contains(err.Error(), "which arm64 machines lack") {
		t.Error(err)
	}
}

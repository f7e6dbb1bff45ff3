package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/layout"
)

// DiskFormats are the formats of a disk image. An ova holds a vmdk and its description.
func DiskFormats() []string { return []string{"raw", "qcow2", "vhd", "vhdx", "vmdk", "ova"} }

// OutFormats are what can be around a disk image: raw is nothing, the others are suffixes. ".tar.gz" holds the image as
// disk.raw, which is what Google's cloud takes.
func OutFormats() []string { return []string{"raw", ".zst", ".gz", ".xz", ".tar.gz", OCIArchive} }

// OCIArchive around a qcow2 is KubeVirt's containerDisk.
const OCIArchive = ".oci.tar"

func bootloaders() []string {
	return []string{string(layout.SDBoot), string(layout.GRUB), string(layout.DualBoot)}
}

// imageFaults are those of values that are looked at by themselves.
func imageFaults(o ImageOptions) []fault {
	var out []fault
	at := func(field, message, hint string) {
		out = append(out, fault{"output.imageOptions." + field, message, hint})
	}
	if o.DiskFormat != "" && !slices.Contains(DiskFormats(), o.DiskFormat) {
		at("diskFormat", fmt.Sprintf("unknown disk format %.100q", o.DiskFormat), nearest(o.DiskFormat, DiskFormats()))
	}
	if o.Bootloader != "" && !slices.Contains(bootloaders(), o.Bootloader) {
		at("bootloader", fmt.Sprintf("unknown boot loader %.100q", o.Bootloader), nearest(o.Bootloader, bootloaders()))
	}
	if o.DiskSectorSize != 0 && o.DiskSectorSize != 512 && o.DiskSectorSize != 4096 {
		at("diskSectorSize", fmt.Sprintf("sectors of %d bytes", o.DiskSectorSize), "512 or 4096")
	}
	if o.DiskSize < 0 || o.DiskSize%layout.MiB != 0 {
		at("diskSize", fmt.Sprintf("a disk of %d bytes", o.DiskSize), "whole MiB, in bytes, or leave it out for what the content needs")
	}
	if _, err := ParseDiskOptions(o.DiskFormatOptions); err != nil {
		at("diskFormatOptions", err.Error(), report.HintOf(err))
	}
	return out
}

// imageWholeFaults are options that do not go together.
func (p *Profile) imageWholeFaults() []fault {
	var out []fault
	o := p.Output.ImageOptions
	refuse := func(when bool, field, message, hint string) {
		if when {
			out = append(out, fault{"output.imageOptions." + field, message, hint})
		}
	}
	bios := o.Bootloader == string(layout.GRUB) || o.Bootloader == string(layout.DualBoot)
	refuse(bios && p.Arch == "arm64", "bootloader", o.Bootloader+" starts on a BIOS, which arm64 machines lack", "use sd-boot")
	refuse(bios && o.DiskSectorSize == 4096, "bootloader", o.Bootloader+" starts on a BIOS, which reads sectors of 512 bytes only", "use sd-boot")
	options, _ := ParseDiskOptions(o.DiskFormatOptions) // was checked by itself
	refuse(options.ClusterSize != 0 && o.DiskFormat != "qcow2", "diskFormatOptions", "cluster_size is of qcow2", "")
	refuse(options.forVHD && o.DiskFormat != "vhd", "diskFormatOptions", "subformat=fixed and force_size are of vhd", "")
	refuse(options.forVMDK && o.DiskFormat != "vmdk", "diskFormatOptions", "subformat=streamOptimized and subformat=monolithicFlat are of vmdk", "")
	refuse(options.Flat && p.Output.OutFormat != "" && p.Output.OutFormat != "raw", "outFormat", "a monolithicFlat vmdk is two files, which "+p.Output.OutFormat+" cannot hold", "outFormat: raw")
	refuse(p.Output.OutFormat == ".tar.gz" && o.DiskFormat != "" && o.DiskFormat != "raw", "diskFormat", "a .tar.gz holds a raw disk", "")
	refuse(p.Output.OutFormat == OCIArchive && o.DiskFormat != "qcow2", "diskFormat", "an .oci.tar holds a qcow2", "diskFormat: qcow2")
	return out
}

// DiskOptions are ImageOptions.DiskFormatOptions, read.
type DiskOptions struct {
	ClusterSize int64 // of a qcow2, in bytes; 0 is its default
	Flat        bool  // a vmdk in two files, descriptor and disk

	forVHD, forVMDK bool
}

// ParseDiskOptions reads NAME=VALUE,… of those options of qemu-img -o that change something here: cluster_size for qcow2,
// subformat=streamOptimized, which is the default, or monolithicFlat for vmdk, and for vhd subformat=fixed and force_size, which
// hold for all. Any other is Invalid.
func ParseDiskOptions(s string) (DiskOptions, error) {
	var o DiskOptions
	for option := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(option, "=")
		switch {
		case option == "":
		case option == "subformat=fixed", option == "force_size", option == "force_size=on":
			o.forVHD = true
		case option == "subformat=streamOptimized", option == "subformat=monolithicFlat":
			o.forVMDK, o.Flat = true, value == "monolithicFlat"
		case name == "cluster_size":
			n, err := parseSize(value)
			if err != nil || n < 512 || n > 2<<20 || n&(n-1) != 0 {
				return o, report.WithHint(report.Errorf(report.Invalid, "%.40q is no size of clusters", value), "a power of two from 512 to 2M")
			}
			o.ClusterSize = n
		default:
			return o, report.WithHint(report.Errorf(report.Invalid, "unknown option %.40q", option), "one of cluster_size=SIZE, subformat=fixed, subformat=streamOptimized, subformat=monolithicFlat, force_size")
		}
	}
	return o, nil
}

// parseSize reads bytes with a suffix as qemu-img has them.
func parseSize(s string) (int64, error) {
	var n int64
	var unit string
	if _, err := fmt.Sscanf(s+" ", "%d%s", &n, &unit); err != nil && unit == "" && fmt.Sprint(n) != s {
		return 0, err
	}
	shift, ok := map[string]int{"": 0, "k": 10, "K": 10, "m": 20, "M": 20}[unit]
	if !ok || n < 0 || n > 1<<40 {
		return 0, report.Errorf(report.Invalid, "%.40q is no size", s)
	}
	return n << shift, nil
}

// setImageDefaults fills in what an image was not given: a BIOS finds a boot loader too where there can be one.
func (p *Profile) setImageDefaults() {
	o := &p.Output.ImageOptions
	if o.DiskFormat == "" {
		o.DiskFormat = "raw"
	}
	if o.DiskSectorSize == 0 {
		o.DiskSectorSize = 512
	}
	if o.Bootloader == "" {
		o.Bootloader = string(layout.DualBoot)
		if p.Arch == "arm64" || o.DiskSectorSize != 512 {
			o.Bootloader = string(layout.SDBoot)
		}
	}
}

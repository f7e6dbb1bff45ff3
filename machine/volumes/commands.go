package volumes

import (
	"fmt"

	"github.com/bootwright/bootwright/machine/layout"
)

// unsupportedBelow is the size of file systems that mkfs.xfs makes only when it is told that they are not supported.
const unsupportedBelow = 300 * layout.MiB

// MkfsArgs are the arguments of mkfs.xfs (xfsprogs 5.19 or later) for a volume of size bytes on a device. It overwrites
// what is there.
func MkfsArgs(s Spec, device string, size uint64) []string {
	args := []string{"-f", "-q"}
	if size < unsupportedBelow {
		args = append(args, "--unsupported")
	}
	if s.Label != "" {
		args = append(args, "-L", xfsLabel(s.Label))
	}
	return append(args, device)
}

// xfsLabel is as much of a label as XFS has room for.
func xfsLabel(label string) string { return label[:min(len(label), 12)] }

// Commands are what a person would type for a step; the init has its own code for all but mkfs and cryptsetup.
func Commands(m Machine, s Step) []string {
	disk := "/dev/" + s.Disk
	entry := func(name string) string { return fmt.Sprintf("sgdisk -c %d:%q %s", s.Number, name, disk) }
	switch s.Action {
	case Repair:
		return []string{"sgdisk -e " + disk}
	case Clear:
		if s.Volume == "" {
			return []string{"sgdisk -Z " + disk}
		}
		return []string{"blkdiscard -z " + s.Device}
	case Erase:
		return []string{fmt.Sprintf("sgdisk -d %d %s", s.Number, disk)}
	case Claim:
		return []string{entry(s.Name)}
	case Create:
		return []string{fmt.Sprintf("sgdisk -a 1 -n %d:%dK:+%dK -t %d:8300 -c %d:%q %s", s.Number, s.Start/1024, s.Size/1024, s.Number, s.Number, s.Name, disk)}
	case Grow:
		return []string{fmt.Sprintf("parted -s %s unit B resizepart %d %d", disk, s.Number, s.Start+s.Size-1)}
	case Open:
		return []string{fmt.Sprintf("cryptsetup open %s luks2-%s", s.Device, s.Volume)}
	}
	return append(makeCommands(m, s), entry(s.Name))
}

// makeCommands are those of Make, before the partition gets its name.
func makeCommands(m Machine, s Step) []string {
	var out []string
	for _, spec := range Specs(m) {
		if spec.ID != s.Volume {
			continue
		}
		device := s.Device
		if spec.Encryption != nil {
			mapped := "luks2-" + spec.ID
			out = append(out, "cryptsetup luksFormat --type luks2 "+device, "cryptsetup open "+device+" "+mapped)
			device = "/dev/mapper/" + mapped
		}
		line := "mkfs." + spec.Filesystem
		for _, a := range MkfsArgs(spec, device, s.Size) {
			line += " " + a
		}
		out = append(out, line)
	}
	return out
}

package volumes

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/kinds"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/layout"
)

// The waves.
const (
	systemWave   = -1
	userDiskWave = 1_000_000
)

// smallest is the least that mkfs.xfs makes a file system in, with --unsupported.
const smallest = 16 * layout.MiB

// Specs are the volumes that a machine is to have, in the order in which they are made.
func Specs(m Machine) []Spec {
	specs := []Spec{meta(), state(m), ephemeral(m)}
	if main := mainOf(m.Config); main != nil {
		for _, d := range main.Machine.Disks {
			specs = append(specs, userDisk(d, m.Disks)...)
		}
	}
	slices.SortStableFunc(specs, func(a, b Spec) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(number(a.Grow), number(b.Grow)), cmp.Compare(unlimited(a.MaxSize), unlimited(b.MaxSize)))
	})
	return specs
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func unlimited(size uint64) uint64 {
	if size == 0 {
		return math.MaxUint64
	}
	return size
}

func mainOf(c *config.Config) *v1alpha1.Config {
	if c == nil {
		return nil
	}
	return c.Main()
}

// labelled is the locator of a system volume.
func labelled(label string) string { return fmt.Sprintf("volume.partition_label == %q", label) }

func meta() Spec {
	p := layout.MetaPartition()
	return Spec{
		ID: layout.Meta, Wave: systemWave, Label: layout.Meta, Type: p.Type, MinSize: uint64(p.MinSize), MaxSize: uint64(p.MaxSize),
		Locator: labelled(layout.Meta) + " && volume.name in ['', 'talosmeta'] && volume.size == 1048576u",
		Why:     "it comes with the system, which is on none of the disks",
		content: []string{"", "talosmeta"},
	}
}

// system is what the layout says of a partition.
func system(p layout.Partition) Spec {
	return Spec{
		ID: p.Label, Wave: systemWave, Locator: labelled(p.Label), Selector: "system_disk", Label: p.Label, Type: p.Type,
		MinSize: uint64(p.MinSize), MaxSize: uint64(p.MaxSize), Grow: p.Grow, Filesystem: string(p.Filesystem), Mount: p.Mount,
	}
}

func state(m Machine) Spec {
	s := system(layout.StatePartition())
	s.Encryption = m.StateEncryption
	if m.Config == nil {
		s.Locator += " && volume.name != ''"
		s.Selector, s.Why = "", "there is no machine configuration to keep in it"
	}
	if main := mainOf(m.Config); main != nil {
		s.Encryption = main.Machine.SystemDiskEncryption.State
	}
	return s
}

func ephemeral(m Machine) Spec {
	s := system(layout.EphemeralPartition())
	if m.Config == nil {
		s.Selector, s.Grow, s.Why = "", false, "there is no machine configuration yet"
		return s
	}
	if main := mainOf(m.Config); main != nil {
		s.Encryption = main.Machine.SystemDiskEncryption.Ephemeral
	}
	for _, v := range config.All[*kinds.VolumeConfig](m.Config) {
		if v.Name != s.ID {
			continue
		}
		p := v.Provisioning
		s.Selector = cmp.Or(p.DiskSelector.Match, s.Selector)
		s.MinSize = cmp.Or(uint64(p.MinSize), s.MinSize)
		s.MaxSize = uint64(p.MaxSize)
		if p.Grow != nil {
			s.Grow = *p.Grow
		}
	}
	return s
}

// userDisk are the partitions of a disk of machine.disks, which may be named by any of its names.
func userDisk(d v1alpha1.Disk, disks []blockdev.Disk) (specs []Spec) {
	device := path.Clean(d.Device)
	for _, known := range disks {
		if slices.Contains(known.Symlinks, device) {
			device = known.DevPath
		}
	}
	for i, p := range d.Partitions {
		size := uint64(p.Size)
		specs = append(specs, Spec{
			ID: fmt.Sprintf("%s-%d", strings.TrimSpace(d.Device), i+1), Wave: userDiskWave, Disk: device, Number: i + 1,
			Locator:  fmt.Sprintf("volume.parent_dev_path == %q && volume.partition_index == %du", device, i+1),
			Selector: fmt.Sprintf("disk.dev_path == %q", device),
			Type:     gpt.LinuxFilesystem(), MinSize: size, MaxSize: size, Filesystem: string(layout.XFS), Mount: p.Mountpoint,
		})
	}
	return specs
}

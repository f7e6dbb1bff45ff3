package volumes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/layout"
)

// PartitionName is the kernel's name of a partition of a disk: vda5, nvme0n1p5.
func PartitionName(disk string, number int) string {
	if disk != "" && disk[len(disk)-1] >= '0' && disk[len(disk)-1] <= '9' {
		disk += "p"
	}
	return fmt.Sprint(disk, number)
}

// Simulate carries steps out in mind until nothing is left to be done, and returns the steps, the machine afterwards, and the
// last plan, in which volumes that were made have their verdicts too.
func Simulate(m Machine) (steps []Step, after Machine, last Plan) {
	verdicts := map[string][]Verdict{}
	for {
		last = New(m)
		for i, v := range last.Volumes {
			if v.Verdicts == nil {
				last.Volumes[i].Verdicts = verdicts[v.ID]
			}
			verdicts[v.ID] = last.Volumes[i].Verdicts
		}
		if len(last.Next) == 0 && m.Wipe.none() {
			return steps, m, last
		}
		m.Wipe = Wipe{}
		for _, s := range last.Next {
			steps, m = append(steps, s), Apply(m, s)
		}
	}
}

func (w Wipe) none() bool { return !w.System && len(w.Labels) == 0 }

// Apply is m after a step that succeeds. It changes nothing of m.
func Apply(m Machine, s Step) Machine {
	m.Volumes = slices.Clone(m.Volumes)
	m.Opened = maps.Clone(m.Opened)
	if m.Opened == nil {
		m.Opened = map[string]blockdev.Volume{}
	}
	switch s.Action {
	case Create, Repair, Erase, Clear, Grow, Claim:
		m.applyTable(s)
	}
	for i := range m.Volumes {
		v := &m.Volumes[i]
		if v.Type != blockdev.TypePartition || v.Parent != s.Disk || int(v.PartitionIndex) != s.Number {
			continue
		}
		switch s.Action {
		case Grow:
			v.Size, v.PrettySize, v.ProbedSize = s.Size, blockdev.Pretty(s.Size), 0
		case Claim:
			v.PartitionLabel = s.Name
		case Make, Open:
			m.applyMake(v, s)
		case Clear:
			v.Name, v.Blank = "", true
		}
	}
	return m
}

// applyTable is what a step does to tables, and to which partitions there are.
func (m *Machine) applyTable(s Step) {
	i := slices.IndexFunc(m.Volumes, func(v blockdev.Volume) bool { return v.Type == blockdev.TypeDisk && v.ID == s.Disk })
	d := slices.IndexFunc(m.Disks, func(d blockdev.Disk) bool { return d.Name == s.Disk })
	if i < 0 || d < 0 {
		return
	}
	whole, disk := &m.Volumes[i], m.Disks[d]
	if s.Action == Clear && s.Volume == "" {
		whole.Name, whole.Blank, whole.Table = "", true, nil
	} else {
		first, end := usable(disk, whole.Table)
		if whole.Table == nil {
			first = 2*disk.SectorSize + entriesSize
		}
		whole.Name, whole.Blank = "gpt", false
		whole.Table = &blockdev.Table{FirstUsable: first, EndUsable: end, DiskSize: disk.Size}
	}
	m.Volumes = slices.DeleteFunc(m.Volumes, func(v blockdev.Volume) bool {
		gone := s.Action == Clear && s.Volume == "" || s.Action == Erase && int(v.PartitionIndex) == s.Number
		return gone && v.Type == blockdev.TypePartition && v.Parent == s.Disk
	})
	if s.Action == Create {
		m.Volumes = append(m.Volumes, newPartition(disk, s))
	}
}

func newPartition(d blockdev.Disk, s Step) blockdev.Volume {
	id := PartitionName(d.Name, s.Number)
	return blockdev.Volume{
		ID: id, Type: blockdev.TypePartition, DevPath: "/dev/" + id, Parent: d.Name, ParentDevPath: d.DevPath, Size: s.Size,
		PrettySize: blockdev.Pretty(s.Size), Offset: s.Start, SectorSize: d.SectorSize, IOSize: d.IOSize, Blank: true,
		PartitionLabel: s.Name, PartitionIndex: uint32(s.Number), PartitionType: strings.ToLower(gpt.LinuxFilesystem().String()),
	}
}

// luksHeader is what the header of an encrypted partition takes.
const luksHeader = 16 * layout.MiB

// applyMake is what making or opening a volume leaves in its partition.
func (m *Machine) applyMake(v *blockdev.Volume, s Step) {
	for _, spec := range Specs(*m) {
		if spec.ID != s.Volume {
			continue
		}
		if s.Action == Make {
			v.PartitionLabel, v.Blank, v.Name, v.Label = s.Name, false, spec.Filesystem, spec.Label
		}
		if spec.Encryption != nil {
			inside := blockdev.Volume{Type: blockdev.TypeDisk, Name: spec.Filesystem, Label: spec.Label, Size: v.Size - min(luksHeader, v.Size)}
			v.Name, v.Label, m.Opened[s.Volume] = luks, "", inside
		}
	}
}

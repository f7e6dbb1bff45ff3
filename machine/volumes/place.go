package volumes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/layout"
)

// A new table has 128 entries of 128 bytes behind a header of a sector.
const entriesSize = 128 * 128

// tableSize is what a table takes at the end of a disk, for disks with sectors of that size.
func tableSize(sector uint64) uint64 { return entriesSize + sector }

// unit is that of sizes of partitions: whole sectors of any disk, and of what encrypts it.
const unit = 4096

// gap is free room on a disk, from a multiple of layout.Align to another.
type gap struct{ start, end uint64 }

func (g gap) size() uint64 { return g.end - g.start }

// gaps are the free rooms of a disk with the table and with partitions in their order.
func gaps(disk blockdev.Disk, table *blockdev.Table, parts []blockdev.Volume) (free []gap) {
	at, end := usable(disk, table)
	for _, p := range append(parts[:len(parts):len(parts)], blockdev.Volume{Offset: end}) {
		g := gap{(at + layout.Align - 1) / layout.Align * layout.Align, p.Offset / layout.Align * layout.Align}
		if g.end > g.start {
			free = append(free, g)
		}
		at = max(at, p.Offset+p.Size)
	}
	return free
}

// usable is the room for partitions, once the table has been written for the size that the disk has.
func usable(disk blockdev.Disk, table *blockdev.Table) (first, end uint64) {
	tail, first := tableSize(disk.SectorSize), uint64(layout.Align)
	if table != nil {
		first, tail = table.FirstUsable, table.DiskSize-min(table.EndUsable, table.DiskSize)
	}
	return first, disk.Size - min(tail, disk.Size)
}

// provision is what becomes of a volume that has to be made.
func (p *planner) provision(v Volume) Volume {
	program, err := compile(v.Selector, selectorEnv())
	if err != nil {
		return v.failed("%v", err)
	}
	for _, d := range p.Disks {
		if v.Disk != "" && d.DevPath != v.Disk || strings.HasPrefix(d.Name, "loop") { // the machine's own root is one
			continue
		}
		reason := ""
		switch ok, err := program.Match(p.diskValues(d)); {
		case d.ReadOnly:
			reason = "it is read-only"
		case err != nil && p.system == "" && !ok:
			reason = fmt.Sprintf("the selector %s cannot be evaluated: %v (%s)", v.Selector, err, p.noDisk)
		case err != nil:
			reason = fmt.Sprintf("the selector %s cannot be evaluated: %v", v.Selector, err)
		case !ok:
			reason = fmt.Sprintf("the selector %s is false for it", v.Selector)
		}
		if reason == "" {
			var step Step
			if step, reason = p.fit(v.Spec, d); reason == "" {
				v.Verdicts = append(v.Verdicts, Verdict{Disk: d.Name})
				return p.place(v, d, step)
			}
		}
		v.Verdicts = append(v.Verdicts, Verdict{d.Name, reason})
	}
	return p.nowhere(v)
}

// place makes the volume on a disk, or waits until that has been changed for another.
func (p *planner) place(v Volume, d blockdev.Disk, step Step) Volume {
	v.Phase = Waiting
	if p.changed[d.Name] {
		v.Reason = d.DevPath + " is to be changed for another volume first"
		return v
	}
	v.Reason = fmt.Sprintf("it is to be made on %s, with %s", d.DevPath, blockdev.Pretty(step.Size))
	return p.do(v, step)
}

// nowhere says why no disk gets the volume.
func (p *planner) nowhere(v Volume) Volume {
	if p.system == "" && v.Selector == "system_disk" {
		v.Phase, v.Reason, v.Verdicts = Waiting, p.noDisk, nil
		return v
	}
	switch {
	case v.Disk != "" && len(v.Verdicts) == 0:
		return v.failed("there is no disk %s", v.Disk)
	case len(v.Verdicts) == 0:
		return v.failed("no disks matched for volume: there are none")
	case len(v.Verdicts) == 1:
		return v.failed("no disks matched for volume: /dev/%s: %s", v.Verdicts[0].Disk, v.Verdicts[0].Reason)
	}
	return v.failed("no disks matched for volume: each of the %d disks has its reason", len(v.Verdicts))
}

// fit finds room for a volume on a disk, or says why there is none.
func (p *planner) fit(s Spec, d blockdev.Disk) (Step, string) {
	step := Step{Action: Create, Volume: s.ID, Disk: d.Name, Name: s.Unfinished(), Number: s.Number}
	whole := p.whole(d.Name)
	switch {
	case whole == nil:
		return step, "it has no medium, or what is on it is not known"
	case whole.Error != "":
		return step, "it cannot be read: " + whole.Error
	case whole.Name == "" && !whole.Blank:
		return step, "it holds something that is not known here, and is left alone"
	case whole.Name != "" && (whole.Name != "gpt" || whole.Table == nil):
		return step, fmt.Sprintf("it holds %s and not partitions in a GPT, and is left alone", whole.Name)
	case whole.Table != nil && whole.Table.DiskSize > d.Size:
		return step, fmt.Sprintf("its partition table is that of a larger disk, of %s", blockdev.Pretty(whole.Table.DiskSize))
	}
	parts := p.partitions(d.Name)
	if step.Number == 0 {
		for _, part := range parts {
			step.Number = max(step.Number, int(part.PartitionIndex))
		}
		step.Number++
	}
	return largest(step, s, gaps(d, whole.Table, parts))
}

// largest places the step in the largest of the gaps, or says that it is too small.
func largest(step Step, s Spec, free []gap) (Step, string) {
	var room gap
	for _, g := range free {
		if g.size() > room.size() {
			room = g
		}
	}
	need := align(max(s.MinSize, smallest))
	if s.Filesystem == "" {
		need = align(s.MinSize)
	}
	if room.size() < need {
		return step, fmt.Sprintf("too small: it has room for %s (%d bytes), and %s (%d bytes) are needed",
			blockdev.Pretty(room.size()), room.size(), blockdev.Pretty(need), need)
	}
	step.Start, step.Size = room.start, room.size()
	if s.MaxSize != 0 {
		step.Size = min(step.Size, s.limit())
	}
	return step, ""
}

// limit is MaxSize in units. Where it is MinSize too, that counts; and no file system fits less than the smallest.
func (s *Spec) limit() uint64 {
	limit := s.MaxSize / unit * unit
	if s.MinSize <= s.MaxSize {
		limit = max(limit, align(s.MinSize))
	}
	if s.Filesystem != "" {
		limit = max(limit, smallest)
	}
	return limit
}

func align(size uint64) uint64 { return (size + unit - 1) / unit * unit }

// whole is what was discovered on the disk itself.
func (p *planner) whole(disk string) *blockdev.Volume {
	for i, v := range p.Volumes {
		if v.Type == blockdev.TypeDisk && v.ID == disk {
			return &p.Volumes[i]
		}
	}
	return nil
}

func (p *planner) disk(name string) (blockdev.Disk, bool) {
	i := slices.IndexFunc(p.Disks, func(d blockdev.Disk) bool { return d.Name == name })
	if i < 0 {
		return blockdev.Disk{}, false
	}
	return p.Disks[i], true
}

// grown is the size that a partition is to have. Less than a MiB is not worth a new table.
func (p *planner) grown(s Spec, part blockdev.Volume) uint64 {
	d, ok := p.disk(part.Parent)
	whole := p.whole(part.Parent)
	if !s.Grow || !ok || d.ReadOnly || whole == nil || whole.Table == nil || whole.Table.DiskSize > d.Size {
		return part.Size
	}
	_, end := usable(d, whole.Table)
	for _, other := range p.Volumes {
		if other.Type == blockdev.TypePartition && other.Parent == part.Parent && other.Offset > part.Offset {
			end = min(end, other.Offset)
		}
	}
	size := end/layout.Align*layout.Align - min(part.Offset, end/layout.Align*layout.Align)
	if s.MaxSize != 0 {
		size = min(size, s.limit())
	}
	if size <= part.Size+layout.MiB {
		return part.Size
	}
	return size
}

// repair writes the tables of disks anew that hold volumes, where one is damaged, or where the disk is larger than its table
// says. Other disks are none of our business.
func (p *planner) repair() {
	for _, d := range p.Disks {
		whole := p.whole(d.Name)
		if whole == nil || whole.Table == nil || whole.Error != "" || d.ReadOnly || p.changed[d.Name] || !p.holdsVolume(d.Name) {
			continue
		}
		if t := whole.Table; (t.Recovered || t.BackupDamaged || t.DiskSize != d.Size) && t.DiskSize <= d.Size {
			p.plan.Next = append(p.plan.Next, Step{Action: Repair, Disk: d.Name})
			p.changed[d.Name] = true
		}
	}
}

func (p *planner) holdsVolume(disk string) bool {
	return slices.ContainsFunc(p.Volumes, func(v blockdev.Volume) bool { return v.Parent == disk && p.claimed[v.ID] != "" })
}

package volumes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config/value"
	"github.com/bootwright/bootwright/machine/layout"
)

// Description is a machine's disks as a person writes them down.
type Description struct {
	Disks []DiskDescription `yaml:"disks" required:"yes"`
}

// DiskDescription is a disk. Without partitions, a GPT and Holds it is blank.
type DiskDescription struct {
	Name       string                 `yaml:"name" required:"yes"` // vda
	Size       value.Size             `yaml:"size" required:"yes"`
	SectorSize uint64                 `yaml:"sectorSize"` // 0 is 512
	ReadOnly   bool                   `yaml:"readOnly"`
	CDROM      bool                   `yaml:"cdrom"`
	Rotational bool                   `yaml:"rotational"`
	Transport  string                 `yaml:"transport"`
	Model      string                 `yaml:"model"`
	Serial     string                 `yaml:"serial"`
	WWID       string                 `yaml:"wwid"`
	UUID       string                 `yaml:"uuid"`
	BusPath    string                 `yaml:"busPath"`
	Modalias   string                 `yaml:"modalias"`
	Symlinks   []string               `yaml:"symlinks"`
	Holds      string                 `yaml:"holds"`     // instead of partitions: ext4 …, or unknown
	Error      string                 `yaml:"error"`     // why it cannot be read
	TableSize  value.Size             `yaml:"tableSize"` // of the disk when its GPT was written; 0 is Size
	Damaged    string                 `yaml:"damaged"`   // of its GPT: primary or backup
	Partitions []PartitionDescription `yaml:"partitions"`
}

// PartitionDescription is a partition.
type PartitionDescription struct {
	Number int        `yaml:"number"` // 0 is the one after the partition before it
	Label  string     `yaml:"label"`
	Start  value.Size `yaml:"start"` // 0 is the next MiB
	Size   value.Size `yaml:"size" required:"yes"`
	Holds  string     `yaml:"holds"` // xfs …, or unknown; empty is blank
	UUID   string     `yaml:"uuid"`
	Error  string     `yaml:"error"`
}

// ParseDescription reads a Description; YAML and JSON are taken. Its errors are Invalid.
func ParseDescription(name string, text []byte) (Machine, error) {
	var d Description
	if err := yamldoc.Decode(name, text, &d); err != nil {
		return Machine{}, err
	}
	var m Machine
	for _, disk := range d.Disks {
		if err := disk.add(&m); err != nil {
			return Machine{}, report.Errorf(report.Invalid, "%s: disk %s: %w", name, disk.Name, err)
		}
	}
	return m, nil
}

// add adds the disk and its partitions to m.
func (d DiskDescription) add(m *Machine) error {
	sector := cmp.Or(d.SectorSize, 512)
	size := uint64(d.Size) / sector * sector
	disk := blockdev.Disk{
		Name: d.Name, DevPath: "/dev/" + d.Name, Size: size, PrettySize: blockdev.Pretty(size), IOSize: sector, SectorSize: sector,
		ReadOnly: d.ReadOnly, CDROM: d.CDROM, Rotational: d.Rotational, Transport: d.Transport, Model: d.Model, Serial: d.Serial, WWID: d.WWID,
		UUID: d.UUID, BusPath: d.BusPath, Modalias: d.Modalias, SubSystem: "/sys/class/block", Symlinks: d.Symlinks,
	}
	whole := blockdev.Volume{
		ID: d.Name, Type: blockdev.TypeDisk, DevPath: disk.DevPath, Size: size, PrettySize: disk.PrettySize, SectorSize: sector, IOSize: sector, Error: d.Error,
	}
	hold(&whole, d.Holds)
	if len(d.Partitions) > 0 || d.Holds == "gpt" {
		if d.Holds != "" && d.Holds != "gpt" {
			return fmt.Errorf("it has partitions and holds %s", d.Holds)
		}
		was := cmp.Or(uint64(d.TableSize), size)
		whole.Name, whole.Blank = "gpt", false
		whole.Table = &blockdev.Table{
			FirstUsable: 2*sector + entriesSize, EndUsable: was - min(was, tableSize(sector)), DiskSize: was,
			Recovered: d.Damaged == "primary", BackupDamaged: d.Damaged == "backup",
		}
	}
	m.Disks, m.Volumes = append(m.Disks, disk), append(m.Volumes, whole)
	at, number := uint64(layout.Align), 0
	for _, p := range d.Partitions {
		number = cmp.Or(p.Number, number+1)
		v := newPartition(disk, Step{Number: number, Name: p.Label, Start: cmp.Or(uint64(p.Start), at), Size: uint64(p.Size)})
		v.UUID, v.Error = p.UUID, p.Error
		hold(&v, p.Holds)
		switch {
		case slices.ContainsFunc(m.Volumes, func(o blockdev.Volume) bool { return o.ID == v.ID }):
			return fmt.Errorf("there are two partitions %d", number)
		case v.Offset < at || v.Offset+v.Size < v.Offset || v.Offset+v.Size > whole.Table.EndUsable:
			return fmt.Errorf("partition %d, %d bytes at %d, does not lie behind the one before it and in the %d bytes of the disk", number, v.Size, v.Offset, size)
		}
		m.Volumes = append(m.Volumes, v)
		at = (v.Offset + v.Size + layout.Align - 1) / layout.Align * layout.Align
	}
	return nil
}

// Layout draws the disks: partitions and free room in their order, a line each.
func (m Machine) Layout() string {
	var out strings.Builder
	for _, d := range m.Disks {
		p := planner{Machine: m}
		whole := p.whole(d.Name)
		holds := "no medium"
		if whole != nil {
			holds = holding(*whole)
		}
		if d.ReadOnly {
			holds += ", read-only"
		}
		fmt.Fprintf(&out, "%-10s %9s  %s\n", d.DevPath, blockdev.Pretty(d.Size), holds)
		if whole == nil || whole.Table == nil {
			continue
		}
		parts := p.partitions(d.Name)
		free := gaps(d, whole.Table, parts)
		for _, part := range parts {
			for len(free) > 0 && free[0].start < part.Offset {
				drawGap(&out, free[0])
				free = free[1:]
			}
			fmt.Fprintf(&out, "  %-3d %-18s %7s  at %-14d %s\n", part.PartitionIndex, part.PartitionLabel, blockdev.Pretty(part.Size), part.Offset, holding(part))
		}
		for _, g := range free {
			drawGap(&out, g)
		}
	}
	return out.String()
}

func drawGap(out *strings.Builder, g gap) {
	fmt.Fprintf(out, "  -   %-18s %7s  at %d\n", "(free)", blockdev.Pretty(g.size()), g.start)
}

// partitions are those of a disk, in their order on it.
func (p *planner) partitions(disk string) []blockdev.Volume {
	var parts []blockdev.Volume
	for _, v := range p.Volumes {
		if v.Type == blockdev.TypePartition && v.Parent == disk {
			parts = append(parts, v)
		}
	}
	slices.SortFunc(parts, func(a, b blockdev.Volume) int { return cmp.Compare(a.Offset, b.Offset) })
	return parts
}

// unknown is what a description says of content that nobody knows.
const unknown = "unknown"

func holding(v blockdev.Volume) string {
	switch {
	case v.Error != "":
		return "unreadable: " + v.Error
	case v.Name == "" && v.Blank:
		return "blank"
	case v.Name == "":
		return unknown
	}
	return v.Name
}

// hold makes v hold what a description says.
func hold(v *blockdev.Volume, what string) {
	v.Name, v.Blank = what, what == ""
	if what == unknown {
		v.Name = ""
	}
}

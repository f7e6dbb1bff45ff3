package disks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/blockdev"
)

// family is a disk with its partitions, and what was found on them.
type family struct {
	members []device          // the disk first
	seen    map[string]uint64 // the number of the last uevent before each was read

	disk    blockdev.Disk
	names   [][]string // of each member, by what it is and where it hangs
	volumes []blockdev.Volume
	answer  chan []blockdev.Volume // of a look that goes on; else nil
	hung    bool                   // the look has taken too long
}

// ask begins to look at the disk, and at those of its partitions that are in again, unless it hangs. Of the others is kept what
// is known. number is that of the last uevent.
func (f *family) ask(m Machine, again []device, number uint64) {
	f.disk, f.names = f.members[0].disk(), names(f.members)
	if f.hung && len(f.answer) == 0 {
		return
	}
	if f.answer != nil { // nobody has fetched what was read
		again = f.members
	}
	for _, d := range again {
		f.seen[d.name] = number
	}
	answer, members := make(chan []blockdev.Volume, 1), f.members
	f.answer, f.hung = answer, false
	disk, kept := f.disk, slices.DeleteFunc(slices.Clone(f.volumes), func(v blockdev.Volume) bool {
		return v.ID == f.disk.Name || v.Error != "" || slices.ContainsFunc(again, func(d device) bool { return d.name == v.ID })
	})
	go func() { answer <- look(m, disk, members, kept) }()
}

// fetch waits for the answer, if there is to be one, until limit. When one that comes too late is there, late is told.
func (f *family) fetch(ctx context.Context, limit time.Time, late chan<- string) error {
	if f.answer == nil {
		return nil
	}
	wait := time.Until(limit)
	if f.hung {
		wait = 0
	}
	timer := time.NewTimer(max(wait, time.Nanosecond))
	defer timer.Stop()
	select {
	case f.volumes = <-f.answer:
		f.answer, f.hung = nil, false
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		f.giveUp(late)
	}
	return nil
}

// giveUp says of a disk that it does not answer, and lets late know when it does.
func (f *family) giveUp(late chan<- string) {
	if f.hung {
		return
	}
	f.hung, f.volumes = true, nil
	for _, d := range f.members {
		v := d.volume(f.disk)
		v.Error = fmt.Sprintf("%s has not answered for %s", f.members[0].node(), patience)
		f.volumes = append(f.volumes, v.Volume)
	}
	answer, name := f.answer, f.members[0].name
	go func() {
		answer <- <-answer // it stays there for who fetches it
		select {
		case late <- name:
		default: // there are many of them, and all will be seen to
		}
	}()
}

// look is what is on a disk and its partitions. What is kept of these is not read again.
func look(m Machine, disk blockdev.Disk, members []device, kept []blockdev.Volume) []blockdev.Volume {
	var volumes []blockdev.Volume
	var table *gpt.Table
	for _, d := range members {
		v, err := d.volume(disk), error(nil)
		if i := slices.IndexFunc(kept, func(k blockdev.Volume) bool { return k.ID == d.name }); i >= 0 {
			v.Volume = kept[i]
		} else {
			err = v.look(m)
		}
		switch {
		case v.Size == 0, err != nil && d.isCDROM(): // an empty drive
			continue
		case err != nil:
			v.Error = err.Error()
		}
		if d.parent == "" {
			table = v.table
		} else {
			v.place(table, int(d.partition))
		}
		volumes = append(volumes, v.Volume)
	}
	return volumes
}

// volume is one that is being looked at.
type volume struct {
	blockdev.Volume
	table *gpt.Table // on it
}

// volume is what /sys says of disk or one of its partitions.
func (d device) volume(disk blockdev.Disk) *volume {
	v := blockdev.Volume{
		ID: d.name, Type: blockdev.TypeDisk, DevPath: d.node(), DevicePath: d.path, Size: d.size(), PrettySize: blockdev.Pretty(d.size()),
		SectorSize: disk.SectorSize, IOSize: disk.IOSize,
	}
	if d.parent != "" {
		v.Type, v.Parent, v.ParentDevPath = blockdev.TypePartition, disk.Name, disk.DevPath
		v.Offset, v.PartitionIndex = d.start*512, uint32(d.partition)
	}
	return &volume{Volume: v}
}

// look reads what is there.
func (v *volume) look(m Machine) error {
	disk, err := m.OpenDisk(context.Background(), v.DevPath, kernel.Read)
	if err != nil {
		return err
	}
	defer disk.Close()
	found, err := probe.Probe(disk)
	if err != nil {
		return err
	}
	v.Name, v.UUID, v.Label, v.Blank, v.Damaged = found.Name, found.UUID, found.Label, found.Blank, found.Damaged
	v.BlockSize, v.FilesystemBlockSize, v.ProbedSize = found.BlockSize, found.FilesystemBlockSize, found.Size
	if v.Name != probe.GPT || v.Type != blockdev.TypeDisk {
		return nil
	}
	t, err := gpt.Read(disk)
	if err != nil {
		return fmt.Errorf("its partition table: %w", err)
	}
	v.table = t
	v.Table = &blockdev.Table{
		FirstUsable: uint64(t.FirstUsable), EndUsable: uint64(t.EndUsable), DiskSize: uint64(t.DiskSize),
		Recovered: t.RecoveredFromBackup, BackupDamaged: t.BackupDamaged,
	}
	if t.RecoveredFromBackup {
		v.Damaged = "the primary partition table is damaged; its backup is used"
	}
	return nil
}

// place adds what the table, if there is one, says of partition number.
func (v *volume) place(t *gpt.Table, number int) {
	v.PartitionUUID, v.PartitionType, v.PartitionLabel = "", "", ""
	if t == nil {
		return
	}
	for _, p := range t.Partitions {
		if p.Number == number && uint64(p.Start) == v.Offset {
			v.PartitionUUID, v.PartitionType, v.PartitionLabel = lower(p.GUID), lower(p.Type), p.Name
		}
	}
}

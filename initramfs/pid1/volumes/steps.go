package volumes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/volumes"
)

// do does one step.
func (r *Runner) do(ctx context.Context, s volumes.Step, plan volumes.Plan, m volumes.Machine) error {
	switch s.Action {
	case volumes.Repair:
		return r.edit(ctx, s.Disk, false, func(*gpt.Table) error { return nil }, nil)
	case volumes.Clear:
		return r.clear(ctx, s)
	case volumes.Erase:
		return r.erase(ctx, s)
	case volumes.Create:
		return r.create(ctx, s, plan.Spec(s.Volume))
	case volumes.Claim:
		return r.claim(ctx, s)
	case volumes.Grow:
		return r.grow(ctx, s)
	case volumes.Open:
		return r.openEncrypted(ctx, s.Device, plan.Spec(s.Volume), m, plan)
	case volumes.Make:
		return r.make(ctx, s, m, plan)
	}
	return fmt.Errorf("step %q is not known", s.Action)
}

func (r *Runner) create(ctx context.Context, s volumes.Step, spec volumes.Spec) error {
	start, size := int64(s.Start), int64(s.Size)
	return r.edit(ctx, s.Disk, true, func(t *gpt.Table) error {
		t.Partitions = append(t.Partitions, gpt.Partition{Number: s.Number, Name: s.Name, Type: spec.Type, GUID: randomGUID(), Start: start, Size: size})
		return nil
	}, func(d kernel.Disk) error { return d.AddPartition(s.Number, start, size) })
}

// claim takes a partition that was blank, and still is.
func (r *Runner) claim(ctx context.Context, s volumes.Step) error {
	d, err := r.open(ctx, s.Device)
	if err != nil {
		return err
	}
	found, err := probe.Probe(d)
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	if !found.Blank {
		return fmt.Errorf("%s is not blank, and is left alone", s.Device)
	}
	return r.rename(ctx, s, "")
}

// rename gives the partition of a step its name; before, it must have that name, if one is given.
func (r *Runner) rename(ctx context.Context, s volumes.Step, before string) error {
	return r.edit(ctx, s.Disk, false, func(t *gpt.Table) error {
		p, err := partition(t, s.Number)
		if err != nil {
			return err
		}
		if before != "" && p.Name != before {
			return fmt.Errorf("%s is called %q, not %q, and is left alone", s.Device, p.Name, before)
		}
		p.Name = s.Name
		return nil
	}, nil)
}

func (r *Runner) grow(ctx context.Context, s volumes.Step) error {
	start, size := int64(s.Start), int64(s.Size)
	return r.edit(ctx, s.Disk, false, func(t *gpt.Table) error {
		p, err := partition(t, s.Number)
		if err != nil {
			return err
		}
		if p.Start != start || p.Size > size {
			return fmt.Errorf("partition %d is %d bytes at %d, and not what is to grow", p.Number, p.Size, p.Start)
		}
		p.Size = size
		return nil
	}, func(d kernel.Disk) error { return d.ResizePartition(s.Number, start, size) })
}

// make formats a partition that has an unfinished name: nothing in it was ever used. It gets its own name when all is on
// the disk.
func (r *Runner) make(ctx context.Context, s volumes.Step, m volumes.Machine, plan volumes.Plan) error {
	spec := plan.Spec(s.Volume)
	if err := r.checkUnfinished(ctx, s, spec); err != nil {
		return err
	}
	if err := r.overwrite(ctx, s.Device, false); err != nil { // what is made in it reaches the disk with it
		return err
	}
	device := s.Device
	if spec.Encryption != nil {
		if err := r.openEncrypted(ctx, s.Device, spec, m, plan); err != nil {
			return err
		}
		device = r.opened[spec.ID]
	}
	size, err := r.size(ctx, device)
	if err != nil {
		return err
	}
	if _, err := kernel.Output(ctx, r.M, kernel.Command{Path: mkfs, Args: volumes.MkfsArgs(spec, device, uint64(size))}); err != nil {
		return err
	}
	if err := r.flush(ctx, s.Device); err != nil {
		return err
	}
	return r.rename(ctx, s, spec.Unfinished())
}

const (
	mkfs   = "/usr/sbin/mkfs.xfs"
	growfs = "/usr/sbin/xfs_growfs"
)

// checkUnfinished looks at the name in the table on the disk once more: what follows overwrites the partition.
func (r *Runner) checkUnfinished(ctx context.Context, s volumes.Step, spec volumes.Spec) error {
	d, err := r.M.OpenDisk(ctx, "/dev/"+s.Disk, kernel.Read)
	if err != nil {
		return err
	}
	defer d.Close()
	t, err := gpt.Read(d)
	if err != nil {
		return err
	}
	p, err := partition(t, s.Number)
	if err == nil && (p.Name != spec.Unfinished() || p.Start != int64(s.Start) || p.Size != int64(s.Size)) {
		err = fmt.Errorf("partition %d is %q, %d bytes at %d, and not what was to be formatted", p.Number, p.Name, p.Size, p.Start)
	}
	return err
}

// How much of a partition is overwritten: a LUKS2 header at its start, and what has its superblock at the end.
const (
	wipedStart = 16 * layout.MiB
	wipedEnd   = layout.MiB
)

// overwrite makes the start and the end of a device zeros, and with wait returns when they are on the disk.
func (r *Runner) overwrite(ctx context.Context, device string, wait bool) error {
	d, err := r.open(ctx, device)
	if err != nil {
		return err
	}
	start := min(d.Size(), wipedStart)
	end := max(start, d.Size()-wipedEnd)
	err = d.Zero(0, start)
	if err == nil && end < d.Size() {
		err = d.Zero(end, d.Size()-end)
	}
	if err == nil && wait {
		err = d.Sync()
	}
	return errors.Join(err, d.Close())
}

func (r *Runner) flush(ctx context.Context, device string) error {
	d, err := r.open(ctx, device)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (r *Runner) size(ctx context.Context, device string) (int64, error) {
	d, err := r.M.OpenDisk(ctx, device, kernel.Read)
	if err != nil {
		return 0, err
	}
	return d.Size(), d.Close()
}

// erase takes a partition away. It loses its name first, so that nobody takes it for whole while it is overwritten.
func (r *Runner) erase(ctx context.Context, s volumes.Step) error {
	s.Name = volumes.UnfinishedName(s.Volume)
	if err := r.rename(ctx, s, ""); err != nil {
		return err
	}
	if err := r.overwrite(ctx, s.Device, true); err != nil {
		return err
	}
	return r.edit(ctx, s.Disk, false, func(t *gpt.Table) error {
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p gpt.Partition) bool { return p.Number == s.Number })
		return nil
	}, func(d kernel.Disk) error { return d.DeletePartition(s.Number) })
}

// clear overwrites META, or the tables of a disk and with them all that is on it.
func (r *Runner) clear(ctx context.Context, s volumes.Step) error {
	if s.Device != "" {
		return r.overwrite(ctx, s.Device, true)
	}
	if err := r.overwrite(ctx, "/dev/"+s.Disk, true); err != nil {
		return err
	}
	d, err := r.open(ctx, "/dev/"+s.Disk)
	if err != nil {
		return err
	}
	return errors.Join(d.RereadPartitions(), d.Close())
}

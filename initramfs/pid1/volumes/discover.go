package volumes

import (
	"context"
	"errors"
	"slices"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/machine/volumes"
)

// discover looks at the disks that may have changed. The kernel does not read the backup of a damaged table, nor a table of a disk that
// was larger: it is told what is in them.
func (r *Runner) discover(ctx context.Context) ([]blockdev.Disk, []blockdev.Volume, error) {
	var err error
	if r.doubt {
		err = r.Disks.Refresh(ctx)
	} else {
		err = r.Disks.Look(ctx, r.stale...)
	}
	if err != nil {
		return nil, nil, err
	}
	r.doubt, r.stale = false, nil
	disks, found := r.Disks.Found()
	for _, v := range found {
		unread := v.Type == blockdev.TypeDisk && v.Table != nil && (v.Table.Recovered || v.Table.DiskSize > v.Size)
		if unread && r.tellPartitions(ctx, v.DevPath) {
			r.stale = append(r.stale, v.ID)
		}
	}
	if r.stale != nil {
		err = r.Disks.Look(ctx, r.stale...)
		disks, found = r.Disks.Found()
	}
	return disks, found, err
}

// tellPartitions tells the kernel the partitions of a disk, and reports whether it did not know one.
func (r *Runner) tellPartitions(ctx context.Context, device string) (told bool) {
	d, err := r.M.OpenDisk(ctx, device, kernel.Read)
	if err != nil {
		return false
	}
	defer d.Close()
	t, err := gpt.Read(d)
	if err != nil {
		return false
	}
	for _, p := range t.Partitions {
		told = d.AddPartition(p.Number, p.Start, p.Size) == nil || told
	}
	return told
}

// look is what is inside an encrypted volume.
func (r *Runner) look(ctx context.Context, device string) blockdev.Volume {
	v := blockdev.Volume{Type: blockdev.TypeDisk, DevPath: device}
	d, err := r.M.OpenDisk(ctx, device, kernel.Read)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	defer d.Close()
	found, err := probe.Probe(d)
	v.Size, v.Name, v.Label, v.UUID, v.Blank, v.ProbedSize = uint64(d.Size()), found.Name, found.Label, found.UUID, found.Blank, found.Size
	if err != nil {
		v.Error = err.Error()
	}
	return v
}

// readMeta reads the values of META, once there is one.
func (r *Runner) readMeta(ctx context.Context, found []blockdev.Volume) {
	i := slices.IndexFunc(found, func(v blockdev.Volume) bool {
		return v.PartitionLabel == layout.Meta && v.Size == layout.MetaSize && v.Error == ""
	})
	if i < 0 || r.meta != nil {
		return
	}
	d, err := r.M.OpenDisk(ctx, found[i].DevPath, kernel.Read)
	if err == nil {
		var damaged error
		r.meta, damaged, err = meta.Read(d)
		err = errors.Join(err, d.Close())
		if damaged != nil {
			r.Log.Warnf("META: %v", damaged)
		}
	}
	switch {
	case errors.Is(err, meta.ErrEmpty):
		r.meta = meta.Values{}
	case err != nil:
		r.fault(layout.Meta, err)
	}
}

// ChangeMeta waits until it is known where META is, and lets change look at its values. Where that says that it has changed them, they are
// on the disk when ChangeMeta returns. The error is of kind NotFound where there is no META.
func (r *Runner) ChangeMeta(ctx context.Context, change func(meta.Values) bool) error {
	s, err := r.status.Wait(ctx, func(s Status) bool { return s.Settled(layout.Meta) })
	if err != nil {
		return err
	}
	place := s.Volume(layout.Meta)
	if place.Phase != volumes.Ready {
		return report.Errorf(report.NotFound, "%s is %s %s", layout.Meta, place.Phase, place.Reason)
	}
	_, err = r.changeMeta(ctx, place.Location, change)
	return err
}

// changeMeta reads and writes under one lock of the partition: what others have changed stays.
func (r *Runner) changeMeta(ctx context.Context, device string, change func(meta.Values) bool) (v meta.Values, err error) {
	d, err := r.open(ctx, device)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	v, _, err = meta.Read(d)
	if errors.Is(err, meta.ErrEmpty) {
		v, err = meta.Values{}, nil
	}
	if err != nil || !change(v) {
		return v, err
	}
	return v, meta.Write(d, v)
}

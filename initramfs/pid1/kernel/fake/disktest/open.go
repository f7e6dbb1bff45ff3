package disktest

import (
	"errors"
	"syscall"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// openDisk is an open disk or partition.
type openDisk struct {
	d      *Disk
	e      extent
	locked bool
}

// try is whether n bytes at off can be had; off is that of the open device.
func (o *openDisk) try(op Op, off, n int64) error {
	o.d.mu.Lock()
	gone, fail := o.d.gone, o.d.Fail
	o.d.mu.Unlock()
	switch {
	case gone:
		return errGone
	case op == OpWrite && o.d.ReadOnly:
		return syscall.EPERM
	case fail != nil:
		return fail(op, o.e.off+off, n)
	}
	return nil
}

func (o *openDisk) ReadAt(p []byte, off int64) (int, error) {
	if err := o.try(OpRead, off, int64(len(p))); err != nil {
		return 0, err
	}
	return blob.Slice(o.d, o.e.off, o.e.n).ReadAt(p, off)
}

func (o *openDisk) WriteAt(p []byte, off int64) (int, error) {
	if err := o.try(OpWrite, off, int64(len(p))); err != nil {
		return 0, err
	}
	if off < 0 || off+int64(len(p)) > o.e.n {
		return 0, syscall.ENOSPC
	}
	return o.d.WriteAt(p, o.e.off+off)
}

func (o *openDisk) Size() int64 { return o.e.n }

func (o *openDisk) Geometry() kernel.Geometry {
	return kernel.Geometry{SectorSize: o.d.sector(), ReadOnly: o.d.ReadOnly}
}

func (o *openDisk) Sync() error { return o.try(OpSync, 0, o.e.n) }

// Zero follows kernel.Disk and gives the memory back.
func (o *openDisk) Zero(off, n int64) error {
	if off%o.d.sector() != 0 || n%o.d.sector() != 0 {
		return syscall.EINVAL
	}
	if off < 0 || off+n > o.e.n {
		return syscall.ENOSPC
	}
	for n > 0 {
		step := min(n, chunkSize-(o.e.off+off)%chunkSize)
		if err := o.try(OpWrite, off, step); err != nil {
			return err
		}
		o.d.zero(o.e.off+off, step)
		off, n = off+step, n-step
	}
	return nil
}

// Discard follows kernel.Disk: nothing on these disks can be discarded.
func (*openDisk) Discard(_, _ int64) error { return errors.ErrUnsupported }

func (o *openDisk) AddPartition(number int, off, n int64) error {
	if err := o.table(number, off, n); err != nil {
		return err
	}
	if _, there := o.d.Partitions()[number]; there {
		return syscall.EBUSY
	}
	o.d.setPartition(number, extent{off, n})
	return nil
}

func (o *openDisk) ResizePartition(number int, off, n int64) error {
	if err := o.table(number, off, n); err != nil {
		return err
	}
	if e, there := o.d.Partitions()[number]; !there || e[0] != off {
		return syscall.ENXIO
	}
	o.d.setPartition(number, extent{off, n})
	return nil
}

// table is whether partition number may be n bytes at off.
func (o *openDisk) table(number int, off, n int64) error {
	if err := o.try(OpTable, off, n); err != nil {
		return err
	}
	if off < 0 || n <= 0 || off+n > o.d.Bytes || off%o.d.sector() != 0 || n%o.d.sector() != 0 {
		return syscall.EINVAL
	}
	for other, e := range o.d.Partitions() {
		if other != number && off < e[0]+e[1] && e[0] < off+n {
			return syscall.EBUSY
		}
	}
	return nil
}

func (o *openDisk) DeletePartition(number int) error {
	if err := o.try(OpTable, 0, 0); err != nil {
		return err
	}
	if _, there := o.d.Partitions()[number]; !there {
		return syscall.ENXIO
	}
	o.d.dropPartition(number)
	return nil
}

func (o *openDisk) RereadPartitions() error {
	if err := o.try(OpTable, 0, 0); err != nil {
		return err
	}
	o.d.readTable()
	return nil
}

func (o *openDisk) Close() error {
	if o.locked {
		o.locked = false
		o.d.setLocked(false)
	}
	return nil
}

package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Remove follows Disks.
func (Machine) Remove(name string) error { return os.Remove(name) }

// OpenDisk follows Disks. It never opens for exclusive use (O_EXCL), which fails on the disk of any mounted partition.
func (Machine) OpenDisk(ctx context.Context, path string, a kernel.Access) (kernel.Disk, error) {
	mode := os.O_RDONLY
	if a == kernel.Write {
		mode = os.O_RDWR
	}
	f, err := os.OpenFile(path, mode|unix.O_CLOEXEC|unix.O_NONBLOCK, 0) // without O_NONBLOCK an empty drive may wait for a medium
	if err != nil {
		return nil, err
	}
	d := &disk{f: f}
	if err := d.prepare(ctx, a); err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return d, nil
}

// disk is an open block device.
type disk struct {
	f        *os.File
	size     int64
	geometry kernel.Geometry
}

func (d *disk) prepare(ctx context.Context, a kernel.Access) error {
	st, err := d.f.Stat()
	if err != nil {
		return err
	}
	if st.Mode()&(os.ModeDevice|os.ModeCharDevice) != os.ModeDevice {
		return errors.New("not a block device")
	}
	if a == kernel.Write {
		if err := d.lock(ctx); err != nil {
			return err
		}
	}
	if d.size, err = d.f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	var sector, io, readOnly uint32
	for _, q := range []struct {
		request uint
		to      *uint32
	}{{unix.BLKSSZGET, &sector}, {unix.BLKIOOPT, &io}, {unix.BLKROGET, &readOnly}} {
		if err := d.ioctl(q.request, unsafe.Pointer(q.to)); err != nil {
			return err
		}
	}
	d.geometry = kernel.Geometry{SectorSize: int64(sector), IOSize: int64(io), ReadOnly: readOnly != 0}
	return nil
}

// lock waits for the lock, which cannot be waited for with a limit.
func (d *disk) lock(ctx context.Context) error {
	const again = 50 * time.Millisecond
	for {
		err := unix.Flock(int(d.f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return os.NewSyscallError("flock", err)
		}
		select {
		case <-ctx.Done():
			return kernel.ErrBusy
		case <-time.After(again):
		}
	}
}

func (d *disk) ioctl(request uint, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, d.f.Fd(), uintptr(request), uintptr(argument))
	if errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}

func (d *disk) ReadAt(p []byte, off int64) (int, error)  { return d.f.ReadAt(p, off) }
func (d *disk) WriteAt(p []byte, off int64) (int, error) { return d.f.WriteAt(p, off) }
func (d *disk) Size() int64                              { return d.size }
func (d *disk) Geometry() kernel.Geometry                { return d.geometry }
func (d *disk) Sync() error                              { return d.f.Sync() }
func (d *disk) Close() error                             { return d.f.Close() }

// Zero follows Disk. The kernel writes zeros itself where the device knows no better way.
func (d *disk) Zero(off, n int64) error { return d.ranged("zero", unix.BLKZEROOUT, off, n) }

// Discard follows Disk.
func (d *disk) Discard(off, n int64) error {
	err := d.ranged("discard", unix.BLKDISCARD, off, n)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return errors.ErrUnsupported
	}
	return err
}

func (d *disk) ranged(what string, request uint, off, n int64) error {
	if err := d.ioctl(request, unsafe.Pointer(&[2]uint64{uint64(off), uint64(n)})); err != nil {
		return fmt.Errorf("%s %d bytes at %d of %s: %w", what, n, off, d.f.Name(), err)
	}
	return nil
}

// AddPartition follows Disk.
func (d *disk) AddPartition(number int, off, n int64) error {
	return d.partition("add", unix.BLKPG_ADD_PARTITION, number, off, n)
}

// ResizePartition follows Disk.
func (d *disk) ResizePartition(number int, off, n int64) error {
	return d.partition("resize", unix.BLKPG_RESIZE_PARTITION, number, off, n)
}

// DeletePartition follows Disk.
func (d *disk) DeletePartition(number int) error {
	return d.partition("delete", unix.BLKPG_DEL_PARTITION, number, 0, 0)
}

func (d *disk) partition(what string, op int32, number int, off, n int64) error {
	p := unix.BlkpgPartition{Start: off, Length: n, Pno: int32(number)}
	arg := unix.BlkpgIoctlArg{Op: op, Datalen: int32(unsafe.Sizeof(p)), Data: (*byte)(unsafe.Pointer(&p))}
	if err := d.ioctl(unix.BLKPG, unsafe.Pointer(&arg)); err != nil {
		return fmt.Errorf("%s partition %d of %s: %w", what, number, d.f.Name(), err)
	}
	return nil
}

// RereadPartitions follows Disk.
func (d *disk) RereadPartitions() error {
	if err := d.ioctl(unix.BLKRRPART, nil); err != nil {
		return fmt.Errorf("read the partitions of %s: %w", d.f.Name(), err)
	}
	return nil
}

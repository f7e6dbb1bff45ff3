// Package blockdev opens disks, and files that stand for one, for programs that write whole disks.
package blockdev

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/bootwright/bootwright/internal/report"
)

// Disk is an open disk that nobody else has mounted, or a file. It follows machine/install.Device.
type Disk struct {
	*os.File
	Device     bool // a block device, and not a file
	SectorSize int  // bytes; 512 for a file
	size       int64
}

// Open opens the disk or file at path for reading and writing. A disk that is mounted or otherwise in use, in whole or in part, is an Invalid
// error, and so is anything that is neither disk nor file.
func Open(path string) (*Disk, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	d := &Disk{Device: st.Mode().Type() == os.ModeDevice, SectorSize: 512}
	if !d.Device && !st.Mode().IsRegular() {
		return nil, report.Errorf(report.Invalid, "%s is neither a disk nor a file (%s)", path, st.Mode().Type())
	}
	flags := os.O_RDWR
	if d.Device {
		flags |= os.O_EXCL // which the kernel grants only where nobody has mounted it
	}
	d.File, err = os.OpenFile(path, flags, 0)
	switch {
	case errors.Is(err, syscall.EBUSY):
		return nil, report.WithHint(report.Errorf(report.Invalid, "%s is in use: it, or a partition of it, is mounted", path), "unmount it first")
	case err != nil:
		return nil, err
	}
	if d.size, err = d.Seek(0, io.SeekEnd); err == nil && d.Device {
		d.SectorSize, err = sectorSize(d.File)
	}
	if err != nil {
		d.File.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return d, nil
}

// Size is the length in bytes.
func (d *Disk) Size() int64 { return d.size }

// Zero makes a range read as zeros: discarded where the device promises that, else written.
func (d *Disk) Zero(off, size int64) error {
	if discard(d.File, off, size) {
		return nil
	}
	return writeZeros(d.File, off, size)
}

func writeZeros(f *os.File, off, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for size > 0 {
		n, err := f.WriteAt(zeros[:min(size, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		off, size = off+int64(n), size-int64(n)
	}
	return nil
}

// Forget makes the next reads come from the disk, and not from memory. It can only try.
func (d *Disk) Forget() { forget(d.File) }

// Changed has the kernel read the partition table again; on a file it does nothing.
func (d *Disk) Changed() error {
	if !d.Device {
		return nil
	}
	return reread(d.File)
}

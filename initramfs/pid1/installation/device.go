package installation

import (
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// device is a disk of which any range can be made zeros.
type device struct{ kernel.Disk }

// page is what the kernel keeps a disk in, in bytes: a multiple of every sector size.
const page = 4096

// Zero has the disk do whole pages itself.
func (d device) Zero(off, size int64) error {
	end := off + size
	from, to := blob.Align(off, page), end/page*page
	if from >= to {
		return d.write(off, end)
	}
	if err := d.write(off, from); err != nil {
		return err
	}
	if err := d.Disk.Zero(from, to-from); err != nil {
		return err
	}
	return d.write(to, end)
}

// write writes zeros; less than two pages.
func (d device) write(from, to int64) error {
	if from == to {
		return nil
	}
	_, err := d.WriteAt(make([]byte, to-from), from)
	return err
}

package installation

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootassets"
)

// medium is what the machine was started from, with what can be installed from it.
type medium struct {
	name   string // of the disk
	device kernel.Disk
	assets *bootassets.Assets
}

func (m *medium) close() error { return m.device.Close() }

// pvd is where the first volume descriptor of ISO 9660 begins, and what is behind its first byte (ECMA-119, 8.1).
const (
	pvd   = 16 * 2048
	pvdID = "CD001"
)

// findMedium finds the disk that has the very system that runs, as an ISO 9660 file system; nil where there is none, as on a machine that was
// started over the network. The error is of one that cannot be read.
func (d Deps) findMedium(ctx context.Context, disks []blockdev.Disk) (*medium, error) {
	var faults []error
	for _, disk := range disks {
		m, err := d.openMedium(ctx, disk)
		if m != nil {
			return m, nil
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", disk.DevPath, err))
		}
	}
	return nil, errors.Join(faults...)
}

// openMedium is the medium in a disk if it is one; nil and no error if it is something else.
func (d Deps) openMedium(ctx context.Context, disk blockdev.Disk) (_ *medium, err error) {
	device, err := d.M.OpenDisk(ctx, disk.DevPath, kernel.Read)
	if err != nil {
		return nil, nil // an empty drive
	}
	defer func() {
		if device != nil {
			device.Close()
		}
	}()
	var id [len(pvdID)]byte
	if _, err := device.ReadAt(id[:], pvd+1); err != nil || string(id[:]) != pvdID {
		return nil, nil // disks that cannot be read are somebody else's concern
	}
	v, err := iso9660.Read(device)
	if err != nil {
		return nil, err
	}
	assets, err := bootassets.Read(v.Tree, path.Join(bootassets.Folder, d.Arch))
	switch {
	case report.KindOf(err) == report.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case assets.Version != d.Version || assets.Epoch != d.Epoch:
		return nil, nil // another one
	}
	m := &medium{disk.Name, device, assets}
	device = nil
	return m, nil
}

package encryption

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/luks"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// headerSize is what a volume has before its data, as cryptsetup lays it out; the file that it is made in has some more.
const headerSize = 16 * mib

// format encrypts the blank device with all keys that can be made, returns one of them, and opens the volume. Each key is derived
// twice: when it is put into its slot, and when that is tried.
func (v *volume) format(ctx context.Context) (*luks.Key, error) {
	d, err := v.M.OpenDisk(ctx, v.Device, kernel.Read)
	if err != nil {
		return nil, err
	}
	sector, size := max(512, d.Geometry().SectorSize), d.Size()
	if err := d.Close(); err != nil {
		return nil, err
	}
	if size < headerSize+mib {
		return nil, report.Errorf(report.Invalid, "it has %d bytes, and the header alone takes %d", size, headerSize)
	}
	if b := int64(v.Config.BlockSize); b != 0 {
		sector = b
	}
	file := path.Join(v.Scratch, "header-"+v.Label)
	if err := v.M.MkdirAll(v.Scratch, 0o700); err != nil {
		return nil, err
	}
	if err := v.M.WriteFile(file, make([]byte, headerSize+mib), 0o600); err != nil {
		return nil, err
	}
	defer v.M.Remove(file) // it is in memory
	options := luks.FormatOptions{Label: v.Label, Cipher: v.Config.Cipher, KeySize: int(v.Config.KeySize), SectorSize: sector}
	key := make([]byte, options.VolumeKeySize())
	rand.Read(key) // never fails
	defer clear(key)
	keyFile := path.Join(v.Scratch, "volume-key-"+v.Label)
	defer v.M.Remove(keyFile)
	if err := v.M.WriteFile(keyFile, key, 0o600); err != nil {
		return nil, err
	}
	by, err := v.prepare(ctx, file, keyFile, options)
	if err != nil {
		return nil, err
	}
	if err := v.copyHeader(ctx, file); err != nil {
		return nil, err
	}
	if err := v.readHeader(ctx); err != nil {
		return nil, err
	}
	v.result.Status.Formatted = true
	v.Log.Infof("%s is encrypted for %s", v.Device, v.Label)
	return by, v.luks.OpenByVolumeKey(ctx, v.Device, Name(v.Label), keyFile, v.Config.Options)
}

// prepare makes a header in a file. Keys that cannot be made now are left to the next boot, unless none can.
func (v *volume) prepare(ctx context.Context, file, volumeKey string, options luks.FormatOptions) (*luks.Key, error) {
	scratch := &volume{Opener: v.Opener, Request: Request{Device: file}, isFile: true}
	var by *luks.Key
	kind, reasons := report.Invalid, []error{}
	for i, k := range v.keys {
		new, data, err := v.make(ctx, k)
		switch {
		case err != nil:
		case by == nil:
			err = v.luks.Format(ctx, file, volumeKey, new, options)
		default:
			err = v.luks.AddKeyByVolumeKey(ctx, file, volumeKey, new)
		}
		if err == nil {
			err = errors.Join(v.luks.Test(ctx, file, new), scratch.writeToken(ctx, k, data))
		}
		if err == nil {
			v.set(i, bootreport.KeyWorks, nil)
			if by == nil {
				by = &new
			}
			continue
		}
		if !definite(err) {
			kind = report.Unavailable
		}
		v.set(i, bootreport.KeyFailed, err)
		reasons = append(reasons, fmt.Errorf("slot %d (%s): %w", k.Slot, k.Kind, err))
	}
	if by == nil {
		return nil, report.Errorf(kind, "no configured key can be made: %w", errors.Join(reasons...))
	}
	return by, nil
}

// copyHeader copies the header in file to the device. The marker says that it is not whole yet, until the first copy of the
// header, the last that is written, replaces it.
func (v *volume) copyHeader(ctx context.Context, file string) error {
	from, end, err := (&volume{Opener: v.Opener, Request: Request{Device: file}, isFile: true}).openForRead(ctx)
	if err != nil {
		return err
	}
	defer end()
	h, damaged, err := luks2.Read(from)
	if err != nil || damaged.Damaged() || h.DataOffset() != headerSize {
		return fmt.Errorf("cryptsetup made no header of %d bytes: %w", headerSize, errors.Join(err, damaged.Primary, damaged.Secondary))
	}
	d, err := v.M.OpenDisk(ctx, v.Device, kernel.Write)
	if err != nil {
		return err
	}
	defer d.Close()
	mark := make([]byte, 4096)
	copy(mark, marker)
	steps := []func() error{
		func() error { return write(d, mark, 0) },
		func() error { return copyRange(d, from, 2*h.Size, headerSize) },
		func() error { return copyRange(d, from, h.Size, 2*h.Size) },
		func() error { return copyRange(d, from, 0, h.Size) },
	}
	for _, step := range steps {
		if err := errors.Join(step(), d.Sync()); err != nil {
			return err
		}
	}
	return nil
}

// copyRange copies the bytes from begin to end.
func copyRange(d kernel.Disk, from blob.Blob, begin, end int64) error {
	const chunk = 4 * mib
	buf := make([]byte, chunk)
	for off := begin; off < end; off += chunk {
		p := buf[:min(chunk, end-off)]
		if err := blob.ReadFull(from, p, off); err != nil {
			return err
		}
		if err := write(d, p, off); err != nil {
			return err
		}
	}
	return nil
}

func write(d kernel.Disk, p []byte, off int64) error {
	_, err := d.WriteAt(p, off)
	return err
}

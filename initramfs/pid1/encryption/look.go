package encryption

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	mib = 1 << 20
	// marker is at the start of a device whose header is being written. Nobody can have stored anything in it yet.
	marker = "bootwright: LUKS2 header being written\n"
	// scanned is how much of the start of a volume's data is looked at for whether anything was ever written. A file system
	// has its superblock within it.
	scanned = 64 * mib
)

// look reads what is on the device: either a header, which it keeps, or blank says that the device may be formatted.
func (v *volume) look(ctx context.Context) (blank bool, err error) {
	d, err := v.M.OpenDisk(ctx, v.Device, kernel.Read)
	if err != nil {
		return false, err
	}
	defer d.Close()
	h, damaged, err := luks2.Read(d)
	if err != nil {
		return v.isBlank(d, err)
	}
	v.header = h
	if unfinished, err := v.isUnfinished(d); err != nil || unfinished {
		return unfinished, err
	}
	if damaged.Damaged() {
		return false, v.repair(ctx, damaged)
	}
	return false, nil
}

// isBlank judges a device of which fault says why it has no header that can be read. The error says why it may not be
// formatted.
func (v *volume) isBlank(d kernel.Disk, fault error) (bool, error) {
	start := make([]byte, len(marker))
	if err := blob.ReadFull(d, start, 0); err != nil {
		return false, report.Errorf(report.Unavailable, "%s: %w", v.Device, err)
	}
	if string(start) == marker {
		return true, nil
	}
	if !errors.Is(fault, luks2.ErrNone) {
		return false, report.WithHint(fmt.Errorf("%s: %w", v.Device, fault),
			"restore the header from a backup, or wipe the volume if its data is not needed")
	}
	at, err := firstByte(d, 0, mib)
	if at < 0 && err == nil {
		at, err = firstByte(d, max(0, d.Size()-mib), mib)
	}
	if err != nil {
		return false, report.Errorf(report.Unavailable, "%s: %w", v.Device, err)
	}
	if at >= 0 {
		return false, report.WithHint(report.Errorf(report.Invalid, "%s is neither encrypted nor blank: there is something at byte %d", v.Device, at),
			"wipe the volume if its data is not needed")
	}
	return true, nil
}

// repair writes the damaged copy of the header anew.
func (v *volume) repair(ctx context.Context, damaged luks2.Copies) error {
	fault := errors.Join(damaged.Primary, damaged.Secondary)
	v.result.Status.Repaired = fault.Error()
	v.Log.Warnf("%s: a copy of the header was damaged and is written anew: %v", v.Device, fault)
	if err := v.luks.Repair(ctx, v.Device); err != nil {
		return err
	}
	return v.readHeader(ctx)
}

// readHeader reads the header anew, which must be there and whole.
func (v *volume) readHeader(ctx context.Context) error {
	b, end, err := v.openForRead(ctx)
	if err != nil {
		return err
	}
	defer end()
	h, damaged, err := luks2.Read(b)
	if err == nil && damaged.Damaged() {
		err = report.Errorf(report.Invalid, "the header was not written: %w", errors.Join(damaged.Primary, damaged.Secondary))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", v.Device, err)
	}
	v.header = h
	return nil
}

// openForRead opens the device, or the file that stands for it, until end is called.
func (v *volume) openForRead(ctx context.Context) (b blob.Blob, end func() error, err error) {
	if v.isFile {
		f, err := v.M.Open(v.Device)
		if err != nil {
			return nil, nil, err
		}
		return io.NewSectionReader(f, 0, headerSize), f.Close, nil
	}
	d, err := v.M.OpenDisk(ctx, v.Device, kernel.Read)
	if err != nil {
		return nil, nil, err
	}
	return d, d.Close, nil
}

// isUnfinished reports whether another system began to encrypt the device and got no further: no key that could ever be found
// again, and data that was never written.
func (v *volume) isUnfinished(d kernel.Disk) (bool, error) {
	for slot := range v.header.Keyslots {
		_, hasToken := v.header.Tokens[slot]
		if i := v.index(slot); i < 0 || !v.keys[i].Sealed() || hasToken {
			return false, nil
		}
	}
	at, err := firstByte(d, v.header.DataOffset(), scanned)
	if at < 0 && err == nil {
		at, err = firstByte(d, max(v.header.DataOffset(), d.Size()-mib), mib)
	}
	return at < 0 && err == nil, err
}

// index is the number of the configured key of a slot, or -1.
func (v *volume) index(slot int) int {
	for i, k := range v.keys {
		if k.Slot == slot {
			return i
		}
	}
	return -1
}

// firstByte is where the first byte that is not zero is among n bytes from off, or -1.
func firstByte(b blob.Blob, off, n int64) (int64, error) {
	zeros, buf := make([]byte, mib), make([]byte, mib)
	for end := min(off+n, b.Size()); off < end; off += mib {
		p := buf[:min(mib, end-off)]
		if err := blob.ReadFull(b, p, off); err != nil {
			return 0, err
		}
		if bytes.Equal(p, zeros[:len(p)]) {
			continue
		}
		return off + int64(bytes.IndexFunc(p, func(r rune) bool { return r != 0 })), nil
	}
	return -1, nil
}

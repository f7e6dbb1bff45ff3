package blob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
)

// WriteDevice writes b over the start of dev, which keeps its length: unlike WriteFile it cannot skip holes, because
// the device holds old bytes there, so holes are discarded to zero, or written as zeros where the device cannot. It syncs
// before it returns, and with Verify reads everything back. dev smaller than b is refused before anything is written.
func WriteDevice(ctx context.Context, dev *os.File, b Blob, opts WriteOptions) error {
	room, err := dev.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if room < b.Size() {
		return fmt.Errorf("%s has %d bytes, %d less than the image needs", dev.Name(), room, b.Size()-room)
	}
	for _, h := range Holes(b) {
		if err := ZeroRange(ctx, dev, h); err != nil {
			return fmt.Errorf("zero %d bytes at offset %d of %s: %w", h.Length, h.Offset, dev.Name(), err)
		}
	}
	if err := writeExtents(ctx, dev, b, opts); err != nil {
		return fmt.Errorf("write %s: %w", dev.Name(), err)
	}
	if err := dev.Sync(); err != nil {
		return err
	}
	if !opts.Verify {
		return nil
	}
	dropCache(dev)
	return verify(ctx, dev, b)
}

// ZeroRange makes the range of dev read as zeros: discarded where the device promises that, else written.
func ZeroRange(ctx context.Context, dev *os.File, r Range) error {
	if discard(dev, r) {
		return nil
	}
	return writeZeros(ctx, dev, r)
}

func writeZeros(ctx context.Context, dev *os.File, r Range) error {
	buf := make([]byte, min(r.Length, 1<<20))
	for r.Length > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := dev.WriteAt(buf[:min(r.Length, int64(len(buf)))], r.Offset)
		if err != nil {
			return err
		}
		r.Offset, r.Length = r.Offset+int64(n), r.Length-int64(n)
	}
	return nil
}

func verify(ctx context.Context, dev *os.File, b Blob) error {
	want, got := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < b.Size(); off += int64(len(want)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(int64(len(want)), b.Size()-off)
		if err := ReadFull(b, want[:n], off); err != nil {
			return err
		}
		if _, err := dev.ReadAt(got[:n], off); err != nil {
			return fmt.Errorf("read back %s at offset %d: %w", dev.Name(), off, err)
		}
		if !bytes.Equal(want[:n], got[:n]) {
			return fmt.Errorf("%s does not hold what was written between offsets %d and %d; the device is failing", dev.Name(), off, off+n)
		}
	}
	return nil
}

package install

import (
	"context"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
)

// Device is a disk, or a file that stands for one.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Size() int64                // bytes
	Zero(off, size int64) error // makes the range read as zeros
	Sync() error                // returns when what was written before is on the disk
}

// Step is a write of a plan. What was written before it is on the disk when it begins.
type Step struct {
	Name   string // for people
	Offset int64  // of the disk, in bytes
	Size   int64
	image  blob.Blob // of the whole disk; nil for zeros
}

// piece is what is copied at a time, in bytes.
const piece = 1 << 20

// run writes one step, with zeros where the image has holes.
func (s Step) run(ctx context.Context, dev Device, progress func(int64)) error {
	if s.image == nil {
		if err := dev.Zero(s.Offset, s.Size); err != nil {
			return fmt.Errorf("zero %d bytes at %d: %w", s.Size, s.Offset, err)
		}
		progress(s.Size)
		return dev.Sync()
	}
	part := blob.Slice(s.image, s.Offset, s.Size)
	for _, h := range blob.Holes(part) {
		if err := dev.Zero(s.Offset+h.Offset, h.Length); err != nil {
			return fmt.Errorf("zero %d bytes at %d: %w", h.Length, s.Offset+h.Offset, err)
		}
		progress(h.Length)
	}
	for _, e := range blob.Map(part) {
		if err := copyExtent(ctx, dev, s.Offset+e.Offset, e.Blob, progress); err != nil {
			return fmt.Errorf("write %s at %d: %w", e.Name, s.Offset+e.Offset, err)
		}
	}
	return dev.Sync()
}

func copyExtent(ctx context.Context, dev Device, at int64, b blob.Blob, progress func(int64)) error {
	buf := make([]byte, min(piece, b.Size()))
	for done := int64(0); done < b.Size(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := buf[:min(piece, b.Size()-done)]
		if err := blob.ReadFull(b, p, done); err != nil {
			return err
		}
		if _, err := dev.WriteAt(p, at+done); err != nil {
			return err
		}
		done += int64(len(p))
		progress(int64(len(p)))
	}
	return nil
}

package crashlog

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
)

const pageSize = 64 << 10

// Disk is a disk and, in memory, the pages of it that were written since. It is a Blob.
type Disk struct {
	below blob.Blob
	pages map[int64][]byte // by number; nil is a page of zeros
}

func newDisk(below blob.Blob) *Disk { return &Disk{below, map[int64][]byte{}} }

// Size is that of the disk that was there before.
func (d *Disk) Size() int64 { return d.below.Size() }

// ReadAt follows io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (done int, err error) {
	for done < len(p) && off < d.Size() {
		in := off % pageSize
		n := min(int64(len(p)-done), pageSize-in, d.Size()-off)
		part := p[done:][:n]
		page, written := d.pages[off/pageSize]
		switch {
		case !written:
			if err := blob.ReadFull(d.below, part, off); err != nil {
				return done, err
			}
		case page == nil:
			clear(part)
		default:
			copy(part, page[in:])
		}
		done, off = done+int(n), off+n
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// write writes n bytes within one page, zeros where p is nil.
func (d *Disk) write(off, n int64, p []byte) error {
	number, in := off/pageSize, off%pageSize
	if p == nil && n == pageSize {
		d.pages[number] = nil
		return nil
	}
	page := d.pages[number]
	if page == nil {
		page = make([]byte, pageSize)
		start := number * pageSize
		if err := blob.ReadFull(d, page[:min(pageSize, d.Size()-start)], start); err != nil {
			return err
		}
		d.pages[number] = page
	}
	if p == nil {
		clear(page[in : in+n])
	}
	copy(page[in:in+n], p)
	return nil
}

// Patch makes w, which is the disk as it was when the recording began, this one. Holes in it stay holes where they can.
func (d *Disk) Patch(w io.WriterAt) error {
	if below, ok := d.below.(*Disk); ok {
		if err := below.Patch(w); err != nil {
			return err
		}
	}
	zeros, have := make([]byte, pageSize), make([]byte, pageSize)
	for _, number := range slices.Sorted(maps.Keys(d.pages)) {
		off := number * pageSize
		n := min(pageSize, d.Size()-off)
		page := d.pages[number]
		if page == nil {
			if err := blob.ReadFull(d.below, have[:n], off); err != nil {
				return err
			}
			if bytes.Equal(have[:n], zeros[:n]) {
				continue
			}
			page = zeros
		}
		if _, err := w.WriteAt(page[:n], off); err != nil {
			return fmt.Errorf("disk at %d: %w", off, err)
		}
	}
	return nil
}

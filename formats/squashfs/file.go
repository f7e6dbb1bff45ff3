package squashfs

import (
	"fmt"
	"io"
	"sync"

	"github.com/bootwright/bootwright/formats/squashfs/blocks"
	"github.com/bootwright/bootwright/internal/report"
)

// file is the content of one, a Blob that unpacks the blocks it is read from. It keeps the last one, except for fragments,
// which many files share.
type file struct {
	im       *image
	size     int64
	starts   []uint64 // offset of each block in the image
	sizes    []uint32 // of each block there; see blocks.Stored
	fragment uint32   // index of the block that holds the end of the file, or none
	within   uint32   // offset of the end in that block, unpacked

	mu      sync.Mutex
	index   int // of the block that is unpacked
	content []byte
}

// file reads the rest of a file's inode, of which xattrs is a part.
func (im *image) file(c *cursor, isExtended bool) (f *file, xattrs uint32, err error) {
	f, xattrs = &file{im: im, index: -1}, none
	var start uint64
	if isExtended {
		var d extendedFile
		if err := c.decode(&d); err != nil {
			return nil, none, err
		}
		start, f.size, f.fragment, f.within, xattrs = d.Start, int64(d.Size), d.Fragment, d.Within, d.Xattr
	} else {
		var d fileInode
		if err := c.decode(&d); err != nil {
			return nil, none, err
		}
		start, f.size, f.fragment, f.within = uint64(d.Start), int64(d.Size), d.Fragment, d.Within
	}
	const most = 1 << 52
	if f.size < 0 || f.size > most || f.fragment != none && uint64(f.fragment) >= uint64(len(im.fragments)) {
		return nil, none, report.Errorf(report.Invalid, "a file of %d bytes whose end is in fragment %d", f.size, f.fragment)
	}
	full := f.size / int64(im.super.BlockSize)
	if f.fragment == none && f.size%int64(im.super.BlockSize) > 0 {
		full++
	}
	for range full { // as many as the metadata has, whatever the size says
		var size uint32
		if err := c.decode(&size); err != nil {
			return nil, none, err
		}
		if err := im.take(1, 12); err != nil {
			return nil, none, err
		}
		f.starts, f.sizes = append(f.starts, start), append(f.sizes, size)
		n, _ := blocks.Stored(size)
		start += uint64(n)
	}
	return f, xattrs, nil
}

// Size is the length in bytes.
func (f *file) Size() int64 { return f.size }

// ReadAt follows io.ReaderAt.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	done := 0
	for done < len(p) && off < f.size {
		n, err := f.readBlock(p[done:], off)
		if err != nil {
			return done, fmt.Errorf("squashfs: block at byte %d: %w", off, err)
		}
		done, off = done+n, off+int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// readBlock fills p as far as the block goes that holds byte off.
func (f *file) readBlock(p []byte, off int64) (int, error) {
	size := int64(f.im.super.BlockSize)
	index := int(off / size)
	want := int(min(size, f.size-int64(index)*size))
	var content []byte
	var err error
	if index < len(f.sizes) {
		content, err = f.block(index, want)
	} else {
		content, err = f.end(want)
	}
	if err != nil {
		return 0, err
	}
	return copy(p, content[off%size:]), nil
}

// block is block index, of want bytes.
func (f *file) block(index, want int) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if index == f.index {
		return f.content, nil
	}
	p, err := f.im.data(f.starts[index], f.sizes[index], want)
	if err == nil && len(p) != want {
		err = report.Errorf(report.Invalid, "unpacks to %d bytes, not %d", len(p), want)
	}
	if err == nil {
		f.index, f.content = index, p
	}
	return p, err
}

// end is the last want bytes, which are in a fragment.
func (f *file) end(want int) ([]byte, error) {
	p, err := f.im.fragment(f.fragment)
	if err != nil {
		return nil, err
	}
	if uint64(f.within)+uint64(want) > uint64(len(p)) {
		return nil, report.Errorf(report.Invalid, "bytes %d to %d of a fragment of %d", f.within, uint64(f.within)+uint64(want), len(p))
	}
	return p[f.within:][:want], nil
}

// unpacked is the last fragment that was read: the files of a folder are often in one.
type unpacked struct {
	mu      sync.Mutex
	index   uint32
	content []byte
}

// fragment is that with this index.
func (im *image) fragment(index uint32) ([]byte, error) {
	last := &im.lastFragment
	last.mu.Lock()
	defer last.mu.Unlock()
	if last.content != nil && last.index == index {
		return last.content, nil
	}
	e := im.fragments[index]
	p, err := im.data(e.Start, e.Size, int(im.super.BlockSize))
	if err == nil {
		last.index, last.content = index, p
	}
	return p, err
}

// data is the block of at most most bytes at start.
func (im *image) data(start uint64, size uint32, most int) ([]byte, error) {
	n, raw := blocks.Stored(size)
	switch {
	case n == 0:
		return make([]byte, most), nil
	case n > maxBlock:
		return nil, report.Errorf(report.Invalid, "a block of %d bytes", n)
	}
	p := make([]byte, n)
	if err := im.readAt(p, start); err != nil {
		return nil, err
	}
	if raw {
		return p, nil
	}
	out, err := im.unpack(p, most)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	return out, nil
}

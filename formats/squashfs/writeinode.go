package squashfs

import (
	"encoding/binary"
	"math"

	"github.com/bootwright/bootwright/formats/squashfs/blocks"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// file writes the inode of item i, which is no folder.
func (w *writer) file(i int) error {
	n := w.items[i].node
	kind := kindOf(n.Mode)
	xattrs, err := w.xattrs.add(n)
	if err != nil {
		return err
	}
	var body []byte
	isExtended := xattrs != none
	switch kind {
	case basicFile:
		body, isExtended = w.content(w.items[i], xattrs)
	case basicLink:
		if n.Link == "" || len(n.Link) >= maxLink {
			return report.Errorf(report.Unsupported, "a link whose target has %d bytes; Linux knows 1 to %d", len(n.Link), maxLink-1)
		}
		body = append(blocks.AppendLE(nil, linkInode{1, uint32(len(n.Link))}), n.Link...)
	case basicBlock, basicChar:
		if n.Major >= 1<<12 || n.Minor >= 1<<20 {
			return report.Errorf(report.Unsupported, "device %d,%d; Linux knows 12 and 20 bits", n.Major, n.Minor)
		}
		body = blocks.AppendLE(nil, deviceInode{1, device(n)})
	case basicFIFO, basicSocket:
		body = blocks.AppendLE(nil, uint32(1))
	default:
		return report.Errorf(report.Unsupported, "a file of type %v", n.Mode.Type())
	}
	if isExtended {
		kind += extended
		if n.Mode.Type() != 0 {
			body = binary.LittleEndian.AppendUint32(body, xattrs)
		}
	}
	return w.inode(i, kind, body)
}

// content is what the inode of a regular file has behind its head.
func (w *writer) content(it item, xattrs uint32) (body []byte, isExtended bool) {
	x := w.index
	d := extendedFile{Size: uint64(it.node.Size()), Links: 1, Fragment: none, Xattr: xattrs}
	var sizes []uint32
	if d.Size > 0 {
		f := x.Files[it.file]
		first, end := f.Span(it.node.Size(), x.Size)
		sizes = x.Blocks[first:end]
		d.Start, d.Fragment, d.Within = w.starts[first], f.Fragment, f.Within
	}
	for i, s := range sizes {
		if s == 0 {
			d.Sparse += min(uint64(x.Size), d.Size-uint64(i)*uint64(x.Size))
		}
	}
	isExtended = xattrs != none || d.Sparse > 0 || d.Start > math.MaxUint32 || d.Size > math.MaxUint32
	if isExtended {
		return blocks.AppendLE(blocks.AppendLE(nil, d), sizes), true
	}
	return blocks.AppendLE(blocks.AppendLE(nil, fileInode{uint32(d.Start), d.Fragment, d.Within, uint32(d.Size)}), sizes), false
}

// inode writes that of item i.
func (w *writer) inode(i int, kind uint16, body []byte) error {
	it := &w.items[i]
	n := it.node
	if name := n.Name(); len(name) > maxName || len(n.Path) >= maxPath {
		return report.Errorf(report.Unsupported, "a name of %d bytes in a path of %d; Linux knows %d and %d", len(name), len(n.Path), maxName, maxPath-1)
	}
	when := n.ModTime
	if when.IsZero() {
		when = w.epoch
	}
	mtime, err := seconds(when)
	if err != nil {
		return err
	}
	h := inodeHead{Type: kind, Mode: uint16(tree.UnixMode(n.Mode) & 0o7777), ModTime: mtime, Number: number(i)}
	if h.UID, err = w.id(n.UID); err != nil {
		return err
	}
	if h.GID, err = w.id(n.GID); err != nil {
		return err
	}
	it.ref = w.inodes.Position()
	w.inodes.Write(append(blocks.AppendLE(nil, h), body...))
	return nil
}

// number is that of the inode of item i.
func number(i int) uint32 { return uint32(i) + 1 }

// id is the index of a user or group in the table of both.
func (w *writer) id(owner uint32) (uint16, error) {
	i, ok := w.idIndex[owner]
	if !ok {
		if len(w.ids) == math.MaxUint16 {
			return 0, report.Errorf(report.Unsupported, "owner %d is one more than the %d users and groups of an image", owner, len(w.ids))
		}
		i = uint16(len(w.ids))
		w.ids, w.idIndex[owner] = append(w.ids, owner), i
	}
	return i, nil
}

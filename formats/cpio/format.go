package cpio

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	magic      = "070701"
	magicCRC   = "070702"
	fields     = 13 // of 8 hexadecimal digits each, behind the magic
	headerSize = len(magic) + 8*fields
	trailer    = "TRAILER!!!"
	pathMax    = 4096 // of a name or a link's target, with the NUL: the kernel skips what is longer
)

// Options of Format; the zero value works.
type Options struct {
	Epoch time.Time // modification time of nodes that have none, in whole seconds; zero means 1970-01-01
}

// Format lays t out as one archive: a record for every node, folders before what is in them, inode numbers counted
// from 1 and device numbers 0, then the trailer. It reads no content: the extent named by a node's path refers to it,
// and the extent of the record before it is named "header of" that path.
//
// The archive's length is a multiple of 4, and the records in it are aligned to that, so that it can stand anywhere in an
// initramfs that starts its pieces at multiples of 4: the kernel looks for the next uncompressed archive only there, and
// drops the rest of the initramfs if it finds it elsewhere. A folder that t implies has its record, because the kernel
// skips a file whose folder does not exist.
func Format(t *tree.Tree, o Options) (*blob.Image, error) {
	var es []blob.Extent
	var at int64
	for i, n := range t.Nodes() {
		h, err := newHeader(n, o)
		if err != nil {
			return nil, fmt.Errorf("cpio: %s: %w", n.Path, err)
		}
		h.ino = uint32(i + 1)
		link := ""
		if n.Mode.Type() == fs.ModeSymlink {
			link = n.Link
		}
		rec := h.record(n.Path, link)
		es = append(es, blob.Extent{Name: "header of " + n.Path, Offset: at, Blob: blob.Bytes(rec)})
		at += int64(len(rec))
		if n.Mode.IsRegular() {
			es = append(es, blob.Extent{Name: n.Path, Offset: at, Blob: n.Open()})
			at = blob.Align(at+n.Size(), 4)
		}
	}
	end := header{nlink: 1}.record(trailer, "")
	es = append(es, blob.Extent{Name: "trailer", Offset: at, Blob: blob.Bytes(end)})
	return blob.NewImage(at+int64(len(end)), es...)
}

// header is what a record says of its file, in the order of the fields; namesize and check are added by record.
type header struct {
	ino, mode, uid, gid, nlink, mtime, filesize uint32
	devMajor, devMinor, rdevMajor, rdevMinor    uint32
}

func newHeader(n *tree.Node, o Options) (header, error) {
	h := header{mode: tree.UnixMode(n.Mode), uid: n.UID, gid: n.GID, nlink: 1}
	when := n.ModTime
	if when.IsZero() {
		when = o.Epoch
	}
	if !when.IsZero() {
		if s := when.Unix(); s < 0 || s > math.MaxUint32 {
			return h, report.Errorf(report.Invalid, "its time %s does not fit 32 bits of seconds since 1970", when.UTC().Format(time.RFC3339))
		}
		h.mtime = uint32(when.Unix())
	}
	switch {
	case n.Path == trailer:
		return h, report.Errorf(report.Unsupported, "this name ends an archive, so no file can have it")
	case len(n.Path) >= pathMax:
		return h, report.Errorf(report.Unsupported, "the path has %d bytes; the kernel takes up to %d", len(n.Path), pathMax-1)
	case n.Mode.IsDir():
		h.nlink = 2
	case n.Mode.IsRegular():
		if n.Size() > math.MaxUint32 {
			return h, report.Errorf(report.Unsupported, "the file has %d bytes; an archive holds files under 4 GiB", n.Size())
		}
		h.filesize = uint32(n.Size())
	case n.Mode.Type() == fs.ModeSymlink:
		if n.Link == "" || len(n.Link) >= pathMax {
			return h, report.Errorf(report.Unsupported, "the link's target has %d bytes; the kernel takes 1 to %d", len(n.Link), pathMax-1)
		}
		if strings.Contains(n.Link, "\x00") {
			return h, report.Errorf(report.Invalid, "the link's target %.80q holds a NUL byte", n.Link)
		}
		h.filesize = uint32(len(n.Link))
	case n.Mode.Type()&fs.ModeDevice != 0:
		h.rdevMajor, h.rdevMinor = n.Major, n.Minor
	case h.mode>>12 == 0:
		return h, report.Errorf(report.Unsupported, "a file of type %s", n.Mode.Type())
	}
	return h, nil
}

// record is the header, the name and, of a symbolic link, the target, each padded to 4.
func (h header) record(name, link string) []byte {
	p := fmt.Appendf(nil, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", magic,
		h.ino, h.mode, h.uid, h.gid, h.nlink, h.mtime, h.filesize,
		h.devMajor, h.devMinor, h.rdevMajor, h.rdevMinor, len(name)+1, 0)
	p = pad(append(append(p, name...), 0))
	return pad(append(p, link...))
}

func pad(p []byte) []byte {
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	return p
}

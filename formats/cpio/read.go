package cpio

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// maxNodes bounds the memory that Read takes, whatever an archive claims: one name may imply 2,000 folders.
const maxNodes = 1 << 18

// Read reads the archive that starts at b's first byte. Contents are slices of b, nothing is copied. end is the offset
// behind the trailer, where padding or the next archive of an initramfs may follow; an archive may also end without a
// trailer where b ends. Absolute names are taken as relative; names that leave the tree or lead through a symbolic link
// are Invalid. Hard links share the content that one of their records carries. More than 262,144 nodes are Unsupported.
func Read(b blob.Blob) (t *tree.Tree, end int64, err error) {
	t = &tree.Tree{}
	links := map[inode]*hardLinks{}
	end, err = walk(b, func(r *record) error {
		n, err := r.node(b)
		if err != nil {
			return err
		}
		if err := t.Add(n); err != nil {
			return report.Errorf(report.Invalid, "%w", err)
		}
		if t.Len() > maxNodes {
			return report.Errorf(report.Unsupported, "%s: more than %d files and folders", n.Path, maxNodes)
		}
		if n.Mode.IsRegular() && r.nlink > 1 {
			id := inode{r.devMajor, r.devMinor, r.ino}
			if links[id] == nil {
				links[id] = &hardLinks{}
			}
			links[id].add(t.Get(n.Path))
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for _, l := range links {
		l.share()
	}
	return t, end, nil
}

// RecordStarts are the offsets of the records of the archive at b's first byte, its trailer's not among them. Where several
// zstd frames hold one archive, the kernel wants each of them to start at such an offset.
func RecordStarts(b blob.Blob) ([]int64, error) {
	var starts []int64
	_, err := walk(b, func(r *record) error {
		starts = append(starts, r.offset)
		return nil
	})
	return starts, err
}

// EndError is that of an archive that ends where the content of a file begins: cut short, or, where what comes next is kept in a
// file of its own, the first part of an archive.
type EndError struct {
	Name string
	Size int64 // of the content in bytes
}

func (e EndError) Error() string {
	return fmt.Sprintf("%s: cut short: the archive ends before its content of %d bytes", e.Name, e.Size)
}

// inode is what the records of one file have in common.
type inode struct{ major, minor, number uint32 }

// hardLinks are the nodes of one file.
type hardLinks struct {
	nodes   []*tree.Node
	content blob.Blob
}

func (l *hardLinks) add(n *tree.Node) {
	l.nodes = append(l.nodes, n)
	if n.Size() > 0 {
		l.content = n.Content
	}
}

func (l *hardLinks) share() {
	for _, n := range l.nodes {
		n.Content = l.content
	}
}

// record is one record of an archive: its header, and where its parts are in the blob.
type record struct {
	header
	name         string
	offset, data int64 // of the header and of the content
}

func (r *record) end() int64 { return r.data + int64(r.filesize) }

// walk calls visit for each record but the trailer, and returns the offset behind that.
func walk(b blob.Blob, visit func(*record) error) (int64, error) {
	for at := int64(0); at < b.Size(); {
		r, err := readRecord(b, at)
		if err != nil {
			return 0, fmt.Errorf("cpio: record at offset %d: %w", at, err)
		}
		at = min(blob.Align(r.end(), 4), b.Size())
		if r.name == trailer {
			return at, nil
		}
		if err := visit(r); err != nil {
			return 0, fmt.Errorf("cpio: record at offset %d: %w", r.offset, err)
		}
	}
	return b.Size(), nil
}

func readRecord(b blob.Blob, at int64) (*record, error) {
	raw := make([]byte, min(int64(headerSize), b.Size()-at))
	if err := blob.ReadFull(b, raw, at); err != nil {
		return nil, err
	}
	h, nameSize, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	r := &record{header: h, offset: at, data: blob.Align(at+int64(headerSize)+int64(nameSize), 4)}
	if nameSize < 2 || nameSize > pathMax {
		return nil, report.Errorf(report.Invalid, "a name of %d bytes; a name has 2 to %d", nameSize, pathMax)
	}
	if left := b.Size() - at - int64(headerSize); int64(nameSize) > left {
		return nil, report.Errorf(report.Invalid, "cut short: a name of %d bytes, %d are left", nameSize, left)
	}
	name := make([]byte, nameSize)
	if err := blob.ReadFull(b, name, at+int64(headerSize)); err != nil {
		return nil, err
	}
	// More than one NUL is how some writers align the content.
	r.name = strings.TrimRight(string(name), "\x00")
	if name[nameSize-1] != 0 {
		return nil, report.Errorf(report.Invalid, "the name %.80q does not end in NUL", r.name)
	}
	switch {
	case r.filesize > 0 && r.data == b.Size():
		return nil, report.Errorf(report.Invalid, "%w", EndError{r.name, int64(r.filesize)})
	case r.filesize > 0 && r.end() > b.Size():
		return nil, report.Errorf(report.Invalid, "%s: cut short: %d bytes of content, %d are left", r.name, r.filesize, max(0, b.Size()-r.data))
	}
	return r, nil
}

// parseHeader also returns the field namesize: the length of the name with its NUL.
func parseHeader(raw []byte) (header, uint32, error) {
	switch m := string(raw[:min(len(raw), len(magic))]); {
	case m == magic, m == magicCRC:
	case m == "070707", strings.HasPrefix(m, "\xc7\x71"), strings.HasPrefix(m, "\x71\xc7"):
		return header{}, 0, report.Errorf(report.Unsupported, "an archive in one of cpio's older formats; make it with cpio -H newc")
	default:
		return header{}, 0, report.Errorf(report.Invalid, "%q is not the start of a cpio record", m)
	}
	if len(raw) < headerSize {
		return header{}, 0, report.Errorf(report.Invalid, "cut short: %d bytes of a header of %d", len(raw), headerSize)
	}
	var bin [4 * fields]byte
	if _, err := hex.Decode(bin[:], raw[len(magic):]); err != nil {
		return header{}, 0, report.Errorf(report.Invalid, "the header is not hexadecimal: %w", err)
	}
	f := func(i int) uint32 { return binary.BigEndian.Uint32(bin[4*i:]) }
	return header{f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10)}, f(11), nil
}

// node is what the record says, its content a slice of b.
func (r *record) node(b blob.Blob) (tree.Node, error) {
	p, err := tree.CleanPath(r.name)
	if err != nil {
		return tree.Node{}, report.Errorf(report.Invalid, "%w", err)
	}
	n := tree.Node{Path: p, Mode: tree.FileMode(r.mode), UID: r.uid, GID: r.gid, ModTime: time.Unix(int64(r.mtime), 0).UTC()}
	switch n.Mode.Type() {
	case 0:
		n.Content = blob.Slice(b, min(r.data, b.Size()), int64(r.filesize))
	case fs.ModeSymlink:
		if r.filesize == 0 || r.filesize > pathMax {
			return n, report.Errorf(report.Invalid, "%s: the link's target has %d bytes", p, r.filesize)
		}
		target := make([]byte, r.filesize)
		if err := blob.ReadFull(b, target, r.data); err != nil {
			return n, err
		}
		if n.Link = strings.TrimRight(string(target), "\x00"); strings.Contains(n.Link, "\x00") {
			return n, report.Errorf(report.Invalid, "%s: the link's target %.80q holds a NUL byte", p, n.Link)
		}
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		n.Major, n.Minor = r.rdevMajor, r.rdevMinor
	case fs.ModeIrregular:
		return n, report.Errorf(report.Invalid, "%s: unknown type of file in mode %#o", p, r.mode)
	}
	return n, nil
}

package squashfs

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs/blocks"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Magic is how an image starts.
const Magic = "hsqs"

// DefaultMaxFiles is the limit where Options name none.
const DefaultMaxFiles = 1 << 20

const (
	maxMemory = 256 << 20 // bytes that inodes, folders and tables may take
	maxPath   = 4096      // bytes of a path, as in Linux
	maxBlock  = 1 << 20   // bytes of a data block (SQUASHFS_FILE_MAX_SIZE)
	maxLink   = 4096      // bytes of a symbolic link's target
	maxName   = 255       // bytes of a file's name, as in Linux
	minBlock  = 4096      // bytes of a data block
	superSize = 96
	none      = blocks.None
	noTable   = 1<<64 - 1 // the offset of a table that there is not
)

// Options of Read; the zero value works.
type Options struct {
	MaxFiles int // most files and folders; zero means DefaultMaxFiles
}

// superblock is struct squashfs_super_block.
type superblock struct {
	Magic, Inodes, ModTime, BlockSize, Fragments                                              uint32
	Compression, BlockLog, Flags, IDs, Major, Minor                                           uint16
	Root, BytesUsed, IDTable, XattrTable, InodeTable, FolderTable, FragmentTable, ExportTable uint64
}

// image is an open one.
type image struct {
	b         blob.Blob
	super     superblock
	unpack    unpacker
	blocks    map[int64]*metadata // by offset
	memory    int                 // bytes taken so far
	ids       []uint32
	fragments []fragment
	xattrs    *xattrTable

	lastFragment unpacked
}

type fragment struct {
	Start uint64
	Size  uint32
	_     uint32
}

// Read is the tree of the image at the start of b. Only inodes and folders are read; files are unpacked block by block as
// they are read. A broken image is Invalid, one that passes a limit or uses what this package leaves out Unsupported.
func Read(b blob.Blob, o Options) (*tree.Tree, error) {
	t, err := read(b, o)
	if err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	return t, nil
}

func read(b blob.Blob, o Options) (*tree.Tree, error) {
	if o.MaxFiles == 0 {
		o.MaxFiles = DefaultMaxFiles
	}
	im := &image{b: b, blocks: map[int64]*metadata{}}
	if err := im.open(); err != nil {
		return nil, err
	}
	w := walker{im: im, max: o.MaxFiles, seen: map[uint64]bool{}, contents: map[uint64]*file{}}
	if err := w.folder(".", im.super.Root); err != nil {
		return nil, err
	}
	return &w.tree, nil
}

func (im *image) open() error {
	head := make([]byte, superSize)
	if im.b.Size() < superSize {
		return report.Errorf(report.Invalid, "%d bytes are no image", im.b.Size())
	}
	if err := blob.ReadFull(im.b, head, 0); err != nil {
		return err
	}
	s := &im.super
	if _, err := binary.Decode(head, binary.LittleEndian, s); err != nil {
		return err
	}
	switch {
	case string(head[:4]) != Magic:
		return report.Errorf(report.Invalid, "starts with %q, not %q", head[:4], Magic)
	case s.Major != 4 || s.Minor != 0:
		return report.Errorf(report.Unsupported, "version %d.%d", s.Major, s.Minor)
	case s.BlockSize < minBlock || s.BlockSize > maxBlock || s.BlockSize&(s.BlockSize-1) != 0:
		return report.Errorf(report.Invalid, "blocks of %d bytes", s.BlockSize)
	case s.BytesUsed > uint64(im.b.Size()):
		return report.Errorf(report.Invalid, "truncated: it has %d bytes of %d", im.b.Size(), s.BytesUsed)
	}
	var err error
	if im.unpack, err = newUnpacker(s.Compression, int(s.BlockSize)); err != nil {
		return err
	}
	if im.ids, err = table[uint32](im, s.IDTable, int(s.IDs)); err != nil {
		return fmt.Errorf("owners: %w", err)
	}
	if im.fragments, err = table[fragment](im, s.FragmentTable, int(s.Fragments)); err != nil {
		return fmt.Errorf("fragments: %w", err)
	}
	if im.xattrs, err = openXattrs(im); err != nil {
		return fmt.Errorf("extended attributes: %w", err)
	}
	return nil
}

// table reads n entries of a table whose blocks a list of offsets at at names.
func table[T any](im *image, at uint64, n int) ([]T, error) {
	size := binary.Size(*new(T))
	if err := im.take(n, size); err != nil {
		return nil, err
	}
	var out []T
	for i := uint64(0); len(out) < n; i++ {
		var pos [8]byte
		if err := im.readAt(pos[:], at+8*i); err != nil {
			return nil, err
		}
		c := cursor{im, binary.LittleEndian.Uint64(pos[:]), 0}
		part := make([]T, min(n-len(out), blocks.MetadataSize/size))
		if err := c.decode(part); err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// take accounts for memory of n things of size bytes, so that an image that says the same thing in many places cannot
// take more than maxMemory.
func (im *image) take(n, size int) error {
	if n > (maxMemory-im.memory)/size {
		return report.Errorf(report.Unsupported, "its inodes and folders take more than %d bytes", maxMemory)
	}
	im.memory += n * size
	return nil
}

// readAt fills p from offset off, which the image says.
func (im *image) readAt(p []byte, off uint64) error {
	if size := uint64(im.b.Size()); off > size || uint64(len(p)) > size-off {
		return report.Errorf(report.Invalid, "%d bytes at offset %d are not in it", len(p), off)
	}
	return blob.ReadFull(im.b, p, int64(off))
}

// walker makes the tree.
type walker struct {
	im       *image
	tree     tree.Tree
	max      int
	files    int
	seen     map[uint64]bool  // folders, by the place of their inode: none may be in itself
	contents map[uint64]*file // likewise, so that hard links share theirs
}

// folder adds the folder at p, whose inode is at ref, and all in it.
func (w *walker) folder(p string, ref uint64) error {
	in, err := w.im.inode(ref)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	if !in.node.Mode.IsDir() || w.seen[ref] {
		return report.Errorf(report.Invalid, "%s: is no folder, or one that is elsewhere too", p)
	}
	w.seen[ref] = true
	in.node.Path = p
	if err := w.add(in.node); err != nil {
		return err
	}
	return w.im.entries(in, func(name string, ref uint64, isFolder bool) error {
		full := path.Join(p, name)
		if name == "" || name == "." || name == ".." || path.Base(full) != name {
			return report.Errorf(report.Invalid, "%s: an entry called %q", p, name)
		}
		if isFolder {
			return w.folder(full, ref)
		}
		return w.file(full, ref)
	})
}

// file adds what is no folder.
func (w *walker) file(p string, ref uint64) error {
	in, err := w.im.inode(ref)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	if in.node.Mode.IsDir() {
		return report.Errorf(report.Invalid, "%s: is a folder, and its entry says otherwise", p)
	}
	if in.content != nil {
		if w.contents[ref] == nil {
			w.contents[ref] = in.content
		}
		in.node.Content = w.contents[ref]
	}
	in.node.Path = p
	return w.add(in.node)
}

func (w *walker) add(n tree.Node) error {
	switch w.files++; {
	case w.files > w.max:
		return report.Errorf(report.Unsupported, "more than %d files and folders", w.max)
	case len(n.Path) > maxPath:
		return report.Errorf(report.Unsupported, "a path of %d bytes; up to %d work", len(n.Path), maxPath)
	case w.files > 1 && (n.Path == "." || w.tree.Get(n.Path) != nil):
		return report.Errorf(report.Invalid, "%s is there twice", n.Path)
	}
	if err := w.im.take(1, len(n.Path)+len(n.Link)); err != nil {
		return err
	}
	if err := w.tree.Add(n); err != nil {
		return report.Errorf(report.Invalid, "%w", err)
	}
	return nil
}

// entries calls each for every entry of the folder in (struct squashfs_dir_header and squashfs_dir_entry).
func (im *image) entries(in *inode, each func(name string, ref uint64, isFolder bool) error) error {
	c := cursor{im, im.super.FolderTable + uint64(in.folderBlock), in.folderOffset}
	for left := int64(in.folderSize) - emptyListing; left > 0; {
		var head runHead
		if err := c.decode(&head); err != nil {
			return err
		}
		left -= 12
		if head.Count >= maxRun {
			return report.Errorf(report.Invalid, "a folder with %d entries in one run", head.Count)
		}
		for range head.Count + 1 {
			var e entryHead
			if err := c.decode(&e); err != nil {
				return err
			}
			if e.Size > maxName {
				return report.Errorf(report.Invalid, "a name of %d bytes", int(e.Size)+1)
			}
			name := make([]byte, int(e.Size)+1)
			if err := c.read(name); err != nil {
				return err
			}
			left -= 8 + int64(len(name))
			if err := each(string(name), uint64(head.Start)<<16|uint64(e.Offset), e.Type == basicFolder); err != nil {
				return err
			}
		}
	}
	return nil
}

// inode is one, of any type.
type inode struct {
	node         tree.Node
	content      *file
	folderBlock  uint32 // of a folder: where its entries are
	folderOffset uint16
	folderSize   uint32
	xattrs       uint32 // index of its set of extended attributes, or none
}

// inode reads that at ref: the offset of its block in the inode table, and its own in the block.
func (im *image) inode(ref uint64) (*inode, error) {
	c := &cursor{im, im.super.InodeTable + ref>>16, uint16(ref)}
	var head inodeHead
	if err := c.decode(&head); err != nil {
		return nil, err
	}
	if int(head.UID) >= len(im.ids) || int(head.GID) >= len(im.ids) {
		return nil, report.Errorf(report.Invalid, "an owner that is not in the table")
	}
	in := &inode{xattrs: none, node: tree.Node{
		UID: im.ids[head.UID], GID: im.ids[head.GID], ModTime: time.Unix(int64(head.ModTime), 0).UTC(),
		Mode: tree.FileMode(uint32(head.Mode)&0o7777|0o100000) &^ fs.ModeType,
	}}
	kind, isExtended := head.Type, head.Type > extended
	if isExtended {
		kind -= extended
	}
	if err := im.body(in, c, kind, isExtended); err != nil {
		return nil, err
	}
	var err error
	in.node.Xattrs, err = im.xattrs.read(im, in.xattrs)
	return in, err
}

// body reads what an inode has behind its head.
func (im *image) body(in *inode, c *cursor, kind uint16, isExtended bool) (err error) {
	switch kind {
	case basicFolder:
		in.node.Mode |= fs.ModeDir
		return in.readFolder(c, isExtended)
	case basicFile:
		in.content, in.xattrs, err = im.file(c, isExtended)
		return err
	case basicLink:
		in.node.Mode |= fs.ModeSymlink
		in.node.Link, err = readLink(c)
	case basicBlock, basicChar:
		in.node.Mode |= fs.ModeDevice
		if kind == basicChar {
			in.node.Mode |= fs.ModeCharDevice
		}
		var d deviceInode
		err = c.decode(&d)
		in.node.Major, in.node.Minor = d.Device>>8&0xfff, d.Device&0xff|d.Device>>12&0xfff00
	case basicFIFO, basicSocket:
		in.node.Mode |= fs.ModeNamedPipe
		if kind == basicSocket {
			in.node.Mode ^= fs.ModeNamedPipe | fs.ModeSocket
		}
		var links uint32
		err = c.decode(&links)
	default:
		return report.Errorf(report.Invalid, "an inode of type %d", kind)
	}
	if err == nil && isExtended {
		err = c.decode(&in.xattrs)
	}
	return err
}

func (in *inode) readFolder(c *cursor, isExtended bool) error {
	if isExtended {
		var d extendedFolder
		err := c.decode(&d)
		in.folderBlock, in.folderOffset, in.folderSize, in.xattrs = d.Block, d.Offset, d.Size, d.Xattr
		return err
	}
	var d folderInode
	err := c.decode(&d)
	in.folderBlock, in.folderOffset, in.folderSize = d.Block, d.Offset, uint32(d.Size)
	return err
}

func readLink(c *cursor) (string, error) {
	var l linkInode
	if err := c.decode(&l); err != nil {
		return "", err
	}
	if l.Size == 0 || l.Size > maxLink {
		return "", report.Errorf(report.Invalid, "a link whose target has %d bytes", l.Size)
	}
	target := make([]byte, l.Size)
	err := c.read(target)
	return string(target), err
}

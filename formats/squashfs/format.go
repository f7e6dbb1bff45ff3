package squashfs

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs/blocks"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Flags of the superblock.
const (
	noFragments = 1 << 4
	duplicates  = 1 << 6 // content that is equal may be stored once
	noXattrs    = 1 << 9
)

// imageAlign is what mksquashfs pads to, so that a block device can hold the image.
const imageAlign = 4096

// Format is the image of t whose data half is data, as Compress wrote it for the same tree and options: a superblock and
// tables around a reference to data. It reads the index in data and nothing else. Data of another tree, which has other
// files or sizes, is Invalid; what squashfs or Linux cannot hold is Unsupported and named by its path.
func Format(t *tree.Tree, data blob.Blob, o WriteOptions) (*blob.Image, error) {
	im, err := format(t, data, o)
	if err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	return im, nil
}

func format(t *tree.Tree, data blob.Blob, o WriteOptions) (*blob.Image, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	nodes := t.Nodes()
	index, err := blocks.Open(data, nodes, o.blocks())
	if err != nil {
		return nil, err
	}
	enc, err := blocks.NewEncoder(o.Level, blocks.MetadataSize)
	if err != nil {
		return nil, err
	}
	defer enc.Close()
	w := newWriter(nodes, index, o, enc)
	if w.root, err = w.tree(); err != nil {
		return nil, err
	}
	return w.assemble()
}

// item is a file as it becomes one of the image. Its inode has the number that follows its index.
type item struct {
	node   *tree.Node
	parent int    // index of its folder
	file   int    // index in index.Files, where it has content
	ref    uint64 // of its inode, once that is written
}

// writer makes the tables.
type writer struct {
	epoch    time.Time
	index    *blocks.Index
	starts   []uint64 // of index.Blocks
	items    []item   // as tree.Nodes has them, the root first
	folders  []int    // indexes of items
	entries  map[int][]int
	inodes   blocks.Table
	listings blocks.Table
	xattrs   xattrWriter
	ids      []uint32
	idIndex  map[uint32]uint16
	enc      *zstd.Encoder
	root     uint64
}

func newWriter(nodes []*tree.Node, x *blocks.Index, o WriteOptions, enc *zstd.Encoder) *writer {
	w := &writer{
		epoch: o.Epoch, index: x, starts: x.Starts(superSize), entries: map[int][]int{}, idIndex: map[uint32]uint16{}, enc: enc,
		inodes: blocks.Table{Encoder: enc}, listings: blocks.Table{Encoder: enc},
		xattrs: xattrWriter{pairs: blocks.Table{Encoder: enc}, known: map[string]uint32{}},
	}
	if len(nodes) == 0 || nodes[0].Path != "." {
		nodes = append([]*tree.Node{(&tree.Tree{}).Get(".")}, nodes...)
	}
	folders := map[string]int{} // what is not in it is in the root, whose index is 0
	files := 0
	for i, n := range nodes {
		it := item{node: n, parent: folders[parent(n.Path)]}
		if blocks.HasContent(n) {
			it.file, files = files, files+1
		}
		if n.Mode.IsDir() {
			folders[n.Path] = i
			w.folders = append(w.folders, i)
		}
		if i > 0 {
			w.entries[it.parent] = append(w.entries[it.parent], i)
		}
		w.items = append(w.items, it)
	}
	return w
}

// parent is the folder that p is in, "" for the root.
func parent(p string) string { return p[:max(0, strings.LastIndexByte(p, '/'))] }

// tree writes all inodes and listings, and returns the root's reference. From the last folder to the first, each comes
// behind the folders in it, whose inodes its listing refers to.
func (w *writer) tree() (root uint64, err error) {
	if len(w.items) > math.MaxInt32 {
		return 0, report.Errorf(report.Unsupported, "%d files", len(w.items))
	}
	for f := len(w.folders) - 1; f >= 0; f-- {
		i := w.folders[f]
		for _, e := range w.entries[i] {
			if n := w.items[e].node; !n.Mode.IsDir() {
				if err := w.file(e); err != nil {
					return 0, fmt.Errorf("%s: %w", n.Path, err)
				}
			}
		}
		if err := w.folder(i, w.entries[i]); err != nil {
			return 0, fmt.Errorf("%s: %w", w.items[i].node.Path, err)
		}
	}
	w.inodes.Flush()
	w.listings.Flush()
	if err := w.inodes.Check(); err != nil {
		return 0, err
	}
	return w.items[0].ref, w.listings.Check()
}

// assemble puts the image together. The kernel wants the tables in this order, and each list of blocks right before what
// comes next.
func (w *writer) assemble() (*blob.Image, error) {
	epoch, err := seconds(w.epoch)
	if err != nil {
		return nil, err
	}
	a := &assembly{size: superSize}
	s := superblock{
		Magic: binary.LittleEndian.Uint32([]byte(Magic)), Inodes: uint32(len(w.items)), ModTime: epoch, BlockSize: w.index.Size, Fragments: uint32(len(w.index.Fragments)),
		Compression: zstdID, BlockLog: uint16(bits.Len32(w.index.Size) - 1), Flags: duplicates, IDs: uint16(len(w.ids)),
		Major: 4, Root: w.root, FragmentTable: noTable, ExportTable: noTable,
	}
	a.add("blocks", w.index.Data)
	s.InodeTable = a.plain("inodes", &w.inodes)
	s.FolderTable = a.plain("folders", &w.listings)
	if len(w.index.Fragments) > 0 {
		s.FragmentTable = a.indexed("fragments", w.fragments(), nil)
	} else {
		s.Flags |= noFragments
	}
	ids := blocks.Table{Encoder: w.enc}
	ids.Write(blocks.AppendLE(nil, w.ids))
	s.IDTable = a.indexed("owners", &ids, nil)
	if s.XattrTable = w.xattrs.place(a); s.XattrTable == noTable {
		s.Flags |= noXattrs
	}
	s.BytesUsed = uint64(a.size)
	parts := append([]blob.Extent{blob.Part("superblock", blob.Bytes(blocks.AppendLE(nil, s)))}, a.parts...)
	return blob.Concat(append(parts, blob.Padding(a.size, imageAlign))...), nil
}

func (w *writer) fragments() *blocks.Table {
	out := &blocks.Table{Encoder: w.enc}
	for _, b := range w.index.Fragments {
		out.Write(blocks.AppendLE(nil, fragment{Start: w.starts[b], Size: w.index.Blocks[b]}))
	}
	return out
}

// seconds is t as an image has it.
func seconds(t time.Time) (uint32, error) {
	s := t.Unix()
	if s < 0 || s > math.MaxUint32 {
		return 0, report.Errorf(report.Invalid, "its time %s does not fit 32 bits of seconds since 1970", t.UTC().Format(time.RFC3339))
	}
	return uint32(s), nil
}

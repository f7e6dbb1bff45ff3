package blocks

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// maxBlocks is the most blocks of an image that is written: 2 TiB of content, at blocks of 128 KiB.
const maxBlocks = 1 << 24

// None is the fragment that there is not.
const None = 0xffffffff

// uncompressed marks the size of a data block that is stored as it is.
const uncompressed = 1 << 24

// Stored is how many bytes a data block has in the image, and whether they are not compressed. None stand for zeros.
func Stored(size uint32) (n uint32, raw bool) {
	return size &^ uncompressed, size&uncompressed != 0
}

// Index says where Write put what. It is behind the blocks: blocks, fragments, files and a trailer, little endian.
type Index struct {
	Size      uint32    // of a block
	Data      blob.Blob // the blocks
	Blocks    []uint32  // of every block in order, its size as the block list of an inode has it; see Stored
	Fragments []uint32  // the block of each fragment
	Files     []Place   // of each file that has content, in the order of tree.Nodes
}

// Place is where the content of a file is.
type Place struct {
	First    uint32 // its first block; the others follow
	Fragment uint32 // that holds its end, or None: then the last block is short, or there is no end
	Within   uint32 // offset of the end in the fragment
}

// trailer is the end of the data half.
type trailer struct {
	Tree                                [sha256.Size]byte // see fingerprint
	Blocks, Fragments, Files, BlockSize uint32
	Magic                               [8]byte
}

const trailerMagic = "bwsqfs 1"

// fingerprint names the files that a data half is of. It cannot name their bytes, which Format does not read.
func fingerprint(files []*tree.Node) (sum [sha256.Size]byte) {
	h := sha256.New()
	var p []byte
	for _, n := range files {
		p = binary.AppendUvarint(p[:0], uint64(n.Size()))
		p = binary.AppendUvarint(p, uint64(len(n.Path)))
		h.Write(append(p, n.Path...))
	}
	h.Sum(sum[:0])
	return sum
}

func (x *Index) encode(tree [sha256.Size]byte) []byte {
	t := trailer{tree, uint32(len(x.Blocks)), uint32(len(x.Fragments)), uint32(len(x.Files)), x.Size, [8]byte([]byte(trailerMagic))}
	var p []byte
	for _, v := range []any{x.Blocks, x.Fragments, x.Files, t} {
		p = AppendLE(p, v)
	}
	return p
}

// Open reads the index of data, which must be what Write made of nodes, as far as their paths and sizes tell: anything else is
// Invalid.
func Open(data blob.Blob, nodes []*tree.Node, o Options) (*Index, error) {
	files := contents(nodes)
	var t trailer
	size := int64(binary.Size(t))
	if err := readLE(data, data.Size()-size, &t); err != nil {
		return nil, err
	}
	switch {
	case string(t.Magic[:]) != trailerMagic:
		return nil, report.Errorf(report.Invalid, "the data half ends with %q, not %q", t.Magic[:], trailerMagic)
	case t.BlockSize != uint32(o.Size):
		return nil, report.Errorf(report.Invalid, "the data half has blocks of %d bytes, not %d", t.BlockSize, o.Size)
	case t.Files != uint32(len(files)) || t.Tree != fingerprint(files):
		return nil, report.Errorf(report.Invalid, "the data half is of another tree, of %d files with content; this one has %d", t.Files, len(files))
	case t.Blocks > maxBlocks || t.Fragments > t.Blocks:
		return nil, report.Errorf(report.Invalid, "the data half has %d blocks, %d of them fragments", t.Blocks, t.Fragments)
	}
	x := &Index{t.BlockSize, nil, make([]uint32, t.Blocks), make([]uint32, t.Fragments), make([]Place, t.Files)}
	at := data.Size() - size
	for _, v := range []any{x.Files, x.Fragments, x.Blocks} {
		at -= int64(binary.Size(v))
		if err := readLE(data, at, v); err != nil {
			return nil, err
		}
	}
	if err := x.check(files, at); err != nil {
		return nil, err
	}
	x.Data = blob.Slice(data, 0, at)
	return x, nil
}

// check refuses an index that does not fit files, or blocks of size bytes in all.
func (x *Index) check(files []*tree.Node, size int64) error {
	var sum int64
	for i, b := range x.Blocks {
		n, _ := Stored(b)
		if n > x.Size {
			return report.Errorf(report.Invalid, "block %d of the data half has %d bytes", i, n)
		}
		sum += int64(n)
	}
	if sum != size {
		return report.Errorf(report.Invalid, "the blocks of the data half have %d bytes, and there are %d", sum, size)
	}
	for _, b := range x.Fragments {
		if b >= uint32(len(x.Blocks)) {
			return report.Errorf(report.Invalid, "a fragment is block %d of %d", b, len(x.Blocks))
		}
	}
	for i, f := range x.Files {
		_, end := f.Span(files[i].Size(), x.Size)
		switch {
		case end > int64(len(x.Blocks)),
			f.Fragment != None && f.Fragment >= uint32(len(x.Fragments)),
			f.Fragment != None && int64(f.Within)+files[i].Size()%int64(x.Size) > int64(x.Size):
			return report.Errorf(report.Invalid, "%s: the data half has no such place as %+v", files[i].Path, f)
		}
	}
	return nil
}

// Span is the blocks of a file of size bytes: from the first on, before the last.
func (f Place) Span(size int64, blockSize uint32) (first, end int64) {
	blocks := size / int64(blockSize)
	if f.Fragment == None && size%int64(blockSize) > 0 {
		blocks++
	}
	return int64(f.First), int64(f.First) + blocks
}

// Starts is the offset of each block in an image that has the first at base.
func (x *Index) Starts(base uint64) []uint64 {
	out := make([]uint64, len(x.Blocks)+1)
	out[0] = base
	for i, b := range x.Blocks {
		n, _ := Stored(b)
		out[i+1] = out[i] + uint64(n)
	}
	return out
}

// readLE reads the value of fixed size that v points to, or the slice v, at off.
func readLE(b blob.Blob, off int64, v any) error {
	p := make([]byte, binary.Size(v))
	if off < 0 {
		return report.Errorf(report.Invalid, "%d bytes are no data half", b.Size())
	}
	if err := blob.ReadFull(b, p, off); err != nil {
		return err
	}
	_, err := binary.Decode(p, binary.LittleEndian, v)
	return err
}

// AppendLE appends v, a value or a slice of fixed size, little endian.
func AppendLE(p []byte, v any) []byte {
	p, err := binary.Append(p, binary.LittleEndian, v)
	if err != nil {
		panic("squashfs/blocks: " + err.Error()) // only for a type without a fixed size
	}
	return p
}

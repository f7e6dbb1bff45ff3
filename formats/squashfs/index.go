package squashfs

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// maxBlocks is the most blocks of an image that is written: 2 TiB of content, at blocks of 128 KiB.
const maxBlocks = 1 << 24

// index says where Compress put what. It is behind the blocks: blocks, fragments, files and a trailer, little endian.
type index struct {
	blockSize uint32
	blocks    []uint32 // of every block in order, its size as the block list of an inode has it; see stored
	fragments []uint32 // the block of each fragment
	files     []place  // of each file that has content, in the order of tree.Nodes
}

// place is where the content of a file is.
type place struct {
	First    uint32 // its first block; the others follow
	Fragment uint32 // that holds its end, or none: then the last block is short, or there is no end
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

func (x *index) encode(tree [sha256.Size]byte) []byte {
	t := trailer{tree, uint32(len(x.blocks)), uint32(len(x.fragments)), uint32(len(x.files)), x.blockSize, [8]byte([]byte(trailerMagic))}
	var p []byte
	for _, v := range []any{x.blocks, x.fragments, x.files, t} {
		p = appendLE(p, v)
	}
	return p
}

// readIndex reads the index of data, which must be of these files. It returns the blocks too.
func readIndex(data blob.Blob, files []*tree.Node, blockSize int) (*index, blob.Blob, error) {
	var t trailer
	size := int64(binary.Size(t))
	if err := readLE(data, data.Size()-size, &t); err != nil {
		return nil, nil, err
	}
	switch {
	case string(t.Magic[:]) != trailerMagic:
		return nil, nil, report.Errorf(report.Invalid, "the data half ends with %q, not %q", t.Magic[:], trailerMagic)
	case t.BlockSize != uint32(blockSize):
		return nil, nil, report.Errorf(report.Invalid, "the data half has blocks of %d bytes, not %d", t.BlockSize, blockSize)
	case t.Files != uint32(len(files)) || t.Tree != fingerprint(files):
		return nil, nil, report.Errorf(report.Invalid, "the data half is of another tree, of %d files with content; this one has %d", t.Files, len(files))
	case t.Blocks > maxBlocks || t.Fragments > t.Blocks:
		return nil, nil, report.Errorf(report.Invalid, "the data half has %d blocks, %d of them fragments", t.Blocks, t.Fragments)
	}
	x := &index{t.BlockSize, make([]uint32, t.Blocks), make([]uint32, t.Fragments), make([]place, t.Files)}
	at := data.Size() - size
	for _, v := range []any{x.files, x.fragments, x.blocks} {
		at -= int64(binary.Size(v))
		if err := readLE(data, at, v); err != nil {
			return nil, nil, err
		}
	}
	if err := x.check(files, at); err != nil {
		return nil, nil, err
	}
	return x, blob.Slice(data, 0, at), nil
}

// check refuses an index that does not fit files, or blocks of size bytes in all.
func (x *index) check(files []*tree.Node, size int64) error {
	var sum int64
	for i, b := range x.blocks {
		n, _ := stored(b)
		if n > x.blockSize {
			return report.Errorf(report.Invalid, "block %d of the data half has %d bytes", i, n)
		}
		sum += int64(n)
	}
	if sum != size {
		return report.Errorf(report.Invalid, "the blocks of the data half have %d bytes, and there are %d", sum, size)
	}
	for _, b := range x.fragments {
		if b >= uint32(len(x.blocks)) {
			return report.Errorf(report.Invalid, "a fragment is block %d of %d", b, len(x.blocks))
		}
	}
	for i, f := range x.files {
		_, end := f.span(files[i].Size(), x.blockSize)
		switch {
		case end > int64(len(x.blocks)),
			f.Fragment != none && f.Fragment >= uint32(len(x.fragments)),
			f.Fragment != none && int64(f.Within)+files[i].Size()%int64(x.blockSize) > int64(x.blockSize):
			return report.Errorf(report.Invalid, "%s: the data half has no such place as %+v", files[i].Path, f)
		}
	}
	return nil
}

// span is the blocks of a file of size bytes: from the first on, before the last.
func (f place) span(size int64, blockSize uint32) (first, end int64) {
	blocks := size / int64(blockSize)
	if f.Fragment == none && size%int64(blockSize) > 0 {
		blocks++
	}
	return int64(f.First), int64(f.First) + blocks
}

// starts is the offset in the image of each block.
func (x *index) starts() []uint64 {
	out := make([]uint64, len(x.blocks)+1)
	out[0] = superSize
	for i, b := range x.blocks {
		n, _ := stored(b)
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

package blocks

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// packer cuts files into blocks and packs what is left at their ends together, in fragments. It decides all that is in
// the image, alone and in order; the pipeline only does the work.
type packer struct {
	blockSize int
	line      *pipeline
	index     Index
	blocks    int // put so far
	fragment  []byte
	end       []byte // scratch
	seen      map[blob.Blob]Place
	ends      map[[sha256.Size]byte]Place // of the ends that are in fragments; First is not used
}

func newPacker(blockSize int, l *pipeline) *packer {
	return &packer{
		blockSize: blockSize, line: l, index: Index{Size: uint32(blockSize)},
		seen: map[blob.Blob]Place{}, ends: map[[sha256.Size]byte]Place{},
	}
}

func (p *packer) files(ctx context.Context, files []*tree.Node) error {
	for _, n := range files {
		at, ok := p.seen[n.Content]
		if !ok {
			var err error
			if at, err = p.file(ctx, n); err != nil {
				return err
			}
			if n.Size() >= int64(p.blockSize) { // smaller ones are in ends
				p.seen[n.Content] = at
			}
		}
		p.index.Files = append(p.index.Files, at)
	}
	return p.flush(ctx)
}

// file puts the blocks of n, one behind another, then its end.
func (p *packer) file(ctx context.Context, n *tree.Node) (Place, error) {
	size, block := n.Size(), int64(p.blockSize)
	if most := (maxBlocks - int64(p.blocks)) * block; size > most {
		return Place{}, report.Errorf(report.Unsupported, "%s: %d bytes, where %d are left for what %d blocks hold", n.Path, size, most, maxBlocks)
	}
	var holes []blob.Range
	if size > block {
		holes = blob.Holes(n.Content)
	}
	at := Place{First: uint32(p.blocks), Fragment: None}
	for off := int64(0); off < size; {
		for len(holes) > 0 && holes[0].Offset+holes[0].Length <= off {
			holes = holes[1:]
		}
		if k := zeroBlocks(holes, off, size, block); k > 0 {
			if err := p.hole(ctx, k); err != nil {
				return at, err
			}
			off += int64(k) * block
			continue
		}
		if size-off < block {
			return p.tail(ctx, at, n, off)
		}
		if err := p.block(ctx, n, off); err != nil {
			return at, err
		}
		off += block
	}
	return at, nil
}

// zeroBlocks is how many blocks from off on lie in the first of holes. The last of a file may be short.
func zeroBlocks(holes []blob.Range, off, size, block int64) int {
	if len(holes) == 0 || holes[0].Offset > off {
		return 0
	}
	end := holes[0].Offset + holes[0].Length
	if end == size {
		end = blob.Align(size, block)
	}
	return int((end - off) / block)
}

func (p *packer) hole(ctx context.Context, blocks int) error {
	j, err := p.line.take(ctx)
	if err != nil {
		return err
	}
	j.holes = blocks
	p.put(j, blocks)
	return nil
}

func (p *packer) block(ctx context.Context, n *tree.Node, off int64) error {
	j, err := p.line.take(ctx)
	if err != nil {
		return err
	}
	j.path, j.source, j.offset = n.Path, n.Content, off
	j.fill(p.blockSize)
	p.put(j, 1)
	return nil
}

// put is the one way into the pipeline: blocks are counted as they go.
func (p *packer) put(j *job, blocks int) {
	p.blocks += blocks
	p.line.put(j)
}

// tail places the end of n, from off on, in a fragment: in one that holds the same already, else in the one that fills
// up. Zeros are a hole.
func (p *packer) tail(ctx context.Context, at Place, n *tree.Node, off int64) (Place, error) {
	p.end = append(p.end[:0], make([]byte, n.Size()-off)...)
	if err := blob.ReadFull(n.Content, p.end, off); err != nil {
		return at, fmt.Errorf("%s: byte %d: %w", n.Path, off, err)
	}
	if isZero(p.end) {
		return at, p.hole(ctx, 1)
	}
	sum := sha256.Sum256(p.end)
	same, ok := p.ends[sum]
	if !ok {
		if len(p.fragment)+len(p.end) > p.blockSize {
			if err := p.flush(ctx); err != nil {
				return at, err
			}
		}
		same = Place{Fragment: uint32(len(p.index.Fragments)), Within: uint32(len(p.fragment))}
		p.ends[sum] = same
		p.fragment = append(p.fragment, p.end...)
	}
	at.Fragment, at.Within = same.Fragment, same.Within
	return at, nil
}

// flush puts the fragment that fills up, if there is something in it.
func (p *packer) flush(ctx context.Context) error {
	if len(p.fragment) == 0 {
		return nil
	}
	j, err := p.line.take(ctx)
	if err != nil {
		return err
	}
	p.index.Fragments = append(p.index.Fragments, uint32(p.blocks))
	j.content, p.fragment = p.fragment, j.content[:0]
	p.put(j, 1)
	return nil
}

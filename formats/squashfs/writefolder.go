package squashfs

import (
	"math"

	"github.com/bootwright/bootwright/formats/squashfs/blocks"
	"github.com/bootwright/bootwright/internal/report"
)

// folder writes the listing and the inode of folder i.
func (w *writer) folder(i int, entries []int) error {
	xattrs, err := w.xattrs.add(w.items[i].node)
	if err != nil {
		return err
	}
	at := w.listings.Position()
	listing := w.listing(entries)
	size := listing.size + emptyListing
	if size > math.MaxUint32 {
		return report.Errorf(report.Unsupported, "the names of %d files take more than 4 GiB", len(entries))
	}
	links := uint32(2)
	for _, e := range entries {
		if w.items[e].node.Mode.IsDir() {
			links++
		}
	}
	up := number(w.items[i].parent)
	if i == 0 {
		up = number(len(w.items)) // as in mksquashfs: the root's is the number behind the last
	}
	if xattrs == none && size <= math.MaxUint16 && listing.indexes == 0 {
		return w.inode(i, basicFolder, blocks.AppendLE(nil, folderInode{blocks.StartOf(at), links, uint16(size), uint16(at), up}))
	}
	body := blocks.AppendLE(nil, extendedFolder{links, uint32(size), blocks.StartOf(at), up, uint16(listing.indexes), uint16(at), xattrs})
	return w.inode(i, basicFolder+extended, append(body, listing.index...))
}

// listing is what the inode of a folder says of the names in it.
type listing struct {
	size    int64
	indexes int
	index   []byte // an indexEntry and a name each
}

// listing writes entries, which are in the order of their names. For each metadata block but the first in which a run
// begins, the index has one, so that Linux finds a name without reading all.
func (w *writer) listing(entries []int) (l listing) {
	block := blocks.StartOf(w.listings.Position())
	for len(entries) > 0 {
		n := w.run(entries)
		if at := blocks.StartOf(w.listings.Position()); at != block && l.indexes < math.MaxUint16 {
			name := w.items[entries[0]].node.Name()
			l.index = append(blocks.AppendLE(l.index, indexEntry{uint32(l.size), at, uint32(len(name) - 1)}), name...)
			l.indexes, block = l.indexes+1, at
		}
		l.size += w.writeRun(entries[:n])
		entries = entries[n:]
	}
	return l
}

// run is how many of entries go into one run: up to maxRun whose inodes are in one block and whose numbers are near, and
// no more than fill a block, which the index is for.
func (w *writer) run(entries []int) (n int) {
	first := entries[0]
	for size := 0; n < min(len(entries), maxRun) && size < blocks.MetadataSize; n++ {
		it := w.items[entries[n]]
		if blocks.StartOf(it.ref) != blocks.StartOf(w.items[first].ref) || entries[n]-first > maxDelta {
			break
		}
		size += entrySize + len(it.node.Name())
	}
	return n
}

const entrySize = 8 // of an entryHead

func (w *writer) writeRun(entries []int) (size int64) {
	first := entries[0]
	p := blocks.AppendLE(nil, runHead{uint32(len(entries) - 1), blocks.StartOf(w.items[first].ref), number(first)})
	for _, e := range entries {
		it := w.items[e]
		name := it.node.Name()
		p = blocks.AppendLE(p, entryHead{uint16(it.ref), int16(e - first), kindOf(it.node.Mode), uint16(len(name) - 1)})
		p = append(p, name...)
	}
	w.listings.Write(p)
	return int64(len(p))
}

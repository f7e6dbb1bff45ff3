package squashfs

import (
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs/blocks"
)

// assembly is an image as it grows: parts, one behind another.
type assembly struct {
	parts []blob.Extent
	size  int64
}

// add appends b and returns its offset.
func (a *assembly) add(name string, b blob.Blob) (at uint64) {
	at = uint64(a.size)
	a.parts, a.size = append(a.parts, blob.Part(name, b)), a.size+b.Size()
	return at
}

// plain appends a table that starts at the offset returned.
func (a *assembly) plain(name string, w *blocks.Table) (at uint64) {
	w.Flush()
	return a.add(name, blob.Bytes(w.Blocks))
}

// indexed appends a table, then head and the list of its blocks, whose offset it returns.
func (a *assembly) indexed(name string, w *blocks.Table, head []byte) (at uint64) {
	start := a.plain(name, w)
	for _, s := range w.Starts {
		head = binary.LittleEndian.AppendUint64(head, start+s)
	}
	return a.add(name+" index", blob.Bytes(head))
}

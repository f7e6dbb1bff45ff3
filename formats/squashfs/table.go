package squashfs

import (
	"encoding/binary"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// tableWriter makes the metadata blocks of a table.
type tableWriter struct {
	enc    *zstd.Encoder
	blocks []byte   // as they are in the image
	starts []uint64 // offset in blocks of each
	last   []byte   // the one that fills up
}

// position is where the next byte goes, as references have it: the offset of its block, 16 bits up, and its own there.
func (w *tableWriter) position() uint64 { return uint64(len(w.blocks))<<16 | uint64(len(w.last)) }

// startOf is the block of a reference.
func startOf(ref uint64) uint32 { return uint32(ref >> 16) }

func (w *tableWriter) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), metadataSize-len(w.last))
		w.last, p = append(w.last, p[:n]...), p[n:]
		if len(w.last) == metadataSize {
			w.flush()
		}
	}
}

// flush ends the block that fills up, if there is something in it.
func (w *tableWriter) flush() {
	if len(w.last) == 0 {
		return
	}
	at := len(w.blocks)
	w.starts = append(w.starts, uint64(at))
	w.blocks = w.enc.EncodeAll(w.last, append(w.blocks, 0, 0))
	head := uint16(len(w.blocks) - at - 2)
	if len(w.blocks)-at-2 >= len(w.last) {
		w.blocks = append(w.blocks[:at+2], w.last...)
		head = uint16(len(w.last)) | rawMetadata
	}
	binary.LittleEndian.PutUint16(w.blocks[at:], head)
	w.last = w.last[:0]
}

// check refuses what references cannot name.
func (w *tableWriter) check() error {
	if len(w.blocks) > math.MaxUint32 {
		return report.Errorf(report.Unsupported, "too many files: a table of inodes or folders takes more than 4 GiB")
	}
	return nil
}

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
func (a *assembly) plain(name string, w *tableWriter) (at uint64) {
	w.flush()
	return a.add(name, blob.Bytes(w.blocks))
}

// indexed appends a table, then head and the list of its blocks, whose offset it returns.
func (a *assembly) indexed(name string, w *tableWriter, head []byte) (at uint64) {
	start := a.plain(name, w)
	for _, s := range w.starts {
		head = binary.LittleEndian.AppendUint64(head, start+s)
	}
	return a.add(name+" index", blob.Bytes(head))
}

package blocks

import (
	"encoding/binary"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/internal/report"
)

// MetadataSize is what a metadata block holds, the last of a table less.
const MetadataSize = 8192

// RawMetadata marks the size of a metadata block that is not compressed.
const RawMetadata = 1 << 15

// Table makes the metadata blocks of a table.
type Table struct {
	Encoder *zstd.Encoder // for MetadataSize bytes
	Blocks  []byte        // as they are in the image
	Starts  []uint64      // offset in Blocks of each

	last []byte // the one that fills up
}

// Position is where the next byte goes, as references have it: the offset of its block, 16 bits up, and its own there.
func (w *Table) Position() uint64 { return uint64(len(w.Blocks))<<16 | uint64(len(w.last)) }

// StartOf is the block of a reference.
func StartOf(ref uint64) uint32 { return uint32(ref >> 16) }

// Write appends p, which may be in several blocks.
func (w *Table) Write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), MetadataSize-len(w.last))
		w.last, p = append(w.last, p[:n]...), p[n:]
		if len(w.last) == MetadataSize {
			w.Flush()
		}
	}
}

// Flush ends the block that fills up, if there is something in it.
func (w *Table) Flush() {
	if len(w.last) == 0 {
		return
	}
	at := len(w.Blocks)
	w.Starts = append(w.Starts, uint64(at))
	w.Blocks = w.Encoder.EncodeAll(w.last, append(w.Blocks, 0, 0))
	head := uint16(len(w.Blocks) - at - 2)
	if len(w.Blocks)-at-2 >= len(w.last) {
		w.Blocks = append(w.Blocks[:at+2], w.last...)
		head = uint16(len(w.last)) | RawMetadata
	}
	binary.LittleEndian.PutUint16(w.Blocks[at:], head)
	w.last = w.last[:0]
}

// Check refuses what references cannot name.
func (w *Table) Check() error {
	if len(w.Blocks) > math.MaxUint32 {
		return report.Errorf(report.Unsupported, "too many files: a table of inodes or folders takes more than 4 GiB")
	}
	return nil
}

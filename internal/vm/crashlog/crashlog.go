// Package crashlog rebuilds the disk that a power cut would have left, at any moment of a run that QEMU recorded with its
// blklogwrites driver (Linux Documentation/admin-guide/device-mapper/log-writes.rst has the format).
//
// A disk keeps what was written before a flush that it has answered, and what was written with FUA. Of what came after, it may
// have kept any part: here each write is kept, lost or torn between two sectors, as a seed says.
package crashlog

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/internal/report"
)

// logMagic begins a log.
const logMagic = 0x6a736677736872

// Flags of an entry.
const (
	flagFlush   = 1 << 0
	flagFUA     = 1 << 1
	flagDiscard = 1 << 2
	flagMark    = 1 << 3
)

// Log is a recording.
type Log struct {
	SectorSize int64
	Entries    []Entry // in the order in which the disk answered them
	source     io.ReaderAt
}

// Entry is one request of the machine. Offset and Size are bytes of the disk.
type Entry struct {
	Offset, Size        int64
	Flush, FUA, Discard bool
	at                  int64 // of the data in the log
}

// Read reads the list of a log that is complete or was cut short with its machine. Memory: some 40 bytes an entry.
func Read(r io.ReaderAt) (*Log, error) {
	var super [32]byte
	if _, err := r.ReadAt(super[:], 0); err != nil {
		return nil, fmt.Errorf("write log: %w", err)
	}
	word := func(p []byte, i int) int64 { return int64(binary.LittleEndian.Uint64(p[8*i:])) }
	sector := int64(binary.LittleEndian.Uint32(super[24:]))
	if word(super[:], 0) != logMagic || sector < 512 || sector > 65536 {
		return nil, report.Errorf(report.Invalid, "not a log of writes: it starts with % x", super)
	}
	l := &Log{SectorSize: sector, source: r}
	at := sector
	for range word(super[:], 2) {
		var head [32]byte
		if _, err := r.ReadAt(head[:], at); err != nil {
			return nil, report.Errorf(report.Invalid, "write log: entry %d at %d: %w", len(l.Entries), at, err)
		}
		at += sector
		flags := word(head[:], 2)
		e := Entry{
			Offset: word(head[:], 0) * sector, Size: word(head[:], 1) * sector, at: at,
			Flush: flags&flagFlush != 0, FUA: flags&flagFUA != 0, Discard: flags&flagDiscard != 0,
		}
		if e.Offset < 0 || e.Size < 0 || e.Size > 1<<40 {
			return nil, report.Errorf(report.Invalid, "write log: entry %d: %d bytes at %d", len(l.Entries), e.Size, e.Offset)
		}
		if !e.Discard && flags&flagMark == 0 {
			at += e.Size
		}
		l.Entries = append(l.Entries, e)
	}
	return l, nil
}

// Writes counts the entries that change the disk.
func (l *Log) Writes() int {
	n := 0
	for _, e := range l.Entries {
		if e.Size > 0 {
			n++
		}
	}
	return n
}

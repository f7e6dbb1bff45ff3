// Package record encodes and reads the records of ISO 9660 directories: ECMA-119 section 9.1, and in their system use
// areas the fields of IEEE P1281 (SUSP) and of Rock Ridge, IEEE P1282, as RRIP_1991A.
//
// Left out: sparse files (SF), zisofs (ZF), extended attributes, and times other than that of the last modification.
package record

import (
	"encoding/binary"
	"time"

	"github.com/bootwright/bootwright/internal/report"
)

// Sector is the length of a logical sector and block, which no record crosses.
const Sector = 2048

// Flags of a directory record (section 9.1.6).
const (
	Dir        = 1 << 1
	Associated = 1 << 2
	More       = 1 << 7 // not the last extent of its file
)

// Offsets in a directory record (section 9.1).
const (
	offXAR        = 1
	offBlock      = 2
	offSize       = 10
	offTime       = 18
	offFlags      = 25
	offUnit       = 26
	offGap        = 27
	offVolume     = 28
	offIDLength   = 32
	offIdentifier = 33
)

// maxLen is the length of the longest record: its length is one byte, and even.
const maxLen = 254

// Record is a directory record.
type Record struct {
	ID        []byte // as the hierarchy spells names; one byte 0 or 1 is the folder itself or its parent
	SystemUse []byte // Rock Ridge fields
	Block     uint32 // of the extent's first byte
	Size      uint32 // bytes
	Flags     byte
	Time      time.Time
}

// head is the length of a record up to its system use area.
func head(id []byte) int { return offIdentifier + len(id) + (len(id)+1)&1 }

// Len is the length of the record with that identifier and system use area.
func Len(id, systemUse []byte) int { return head(id) + len(systemUse) + len(systemUse)&1 }

// Start is where something of n bytes goes that may begin at or behind at and must not cross a sector.
func Start(at int64, n int) int64 {
	if rest := at % Sector; rest+int64(n) > Sector {
		return at - rest + Sector
	}
	return at
}

// Put writes r into p, which is zero and as long as Len says.
func (r Record) Put(p []byte) {
	p[0] = byte(len(p))
	Both32(p[offBlock:], r.Block)
	Both32(p[offSize:], r.Size)
	putTime(p[offTime:], r.Time)
	p[offFlags] = r.Flags
	Both16(p[offVolume:], 1)
	p[offIDLength] = byte(len(r.ID))
	copy(p[offIdentifier:], r.ID)
	copy(p[head(r.ID):], r.SystemUse)
}

// Self reports whether the record is that of the folder it is in, or of the folder's parent.
func (r Record) Self() bool { return len(r.ID) == 1 && r.ID[0] <= 1 }

// Parse reads the record at the start of p, which ends where the record's sector or folder does; n is its length.
func Parse(p []byte) (r Record, n int, err error) {
	if len(p) > 0 {
		n = int(p[0])
	}
	switch {
	case n < offIdentifier+1 || n > len(p), p[offIDLength] == 0, offIdentifier+int(p[offIDLength]) > n:
		return r, n, report.Errorf(report.Invalid, "directory record of %d bytes, with %d left, is damaged", n, len(p))
	case p[offUnit] != 0 || p[offGap] != 0:
		return r, n, report.Errorf(report.Unsupported, "directory record of an interleaved file")
	}
	id := p[offIdentifier : offIdentifier+int(p[offIDLength])]
	return Record{
		ID:        id,
		SystemUse: p[min(head(id), n):n],
		Block:     binary.LittleEndian.Uint32(p[offBlock:]) + uint32(p[offXAR]),
		Size:      binary.LittleEndian.Uint32(p[offSize:]),
		Flags:     p[offFlags],
		Time:      getTime(p[offTime:]),
	}, n, nil
}

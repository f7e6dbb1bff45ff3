// Package gpt writes and reads GUID partition tables (UEFI 2.10, section 5.3) with their protective or hybrid master
// boot record (5.2), on sectors of 512 or 4096 bytes: new disks, and tables laid over an image that leaves its first
// 32 KiB free, as ISO 9660 does. All positions in its API are bytes.
//
// It leaves out entries of other than 128 bytes when writing, extended MBR partitions, and any change in place: to
// change a disk, Read it, change the partitions, Format again and write the extents that are no partition's content.
package gpt

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/bootwright/bootwright/formats/blob"
)

// Attributes of a partition (UEFI 2.10, table 5-7); bits 48 to 63 belong to its type.
const (
	Required       uint64 = 1 << 0 // the platform needs it
	NoBlockIO      uint64 = 1 << 1 // firmware must not look inside
	LegacyBootable uint64 = 1 << 2 // a BIOS boot loader may start it
)

// Partition is one entry of a table and what lies under it.
type Partition struct {
	Number     int    // from 1, its place in the table; 0 is the one after the partition before it
	Name       string // at most 36 UTF-16 units
	Type       GUID
	GUID       GUID  // of this very partition; zero is derived from the disk's and the number
	Start      int64 // bytes, a multiple of the sector size; 0 is the next aligned byte after the partition before it
	Size       int64 // bytes, a multiple of the sector size; 0 is Content's, rounded up
	Attributes uint64
	Content    blob.Blob // its first bytes, the rest being zeros; nil for none
}

// End is the offset behind the partition's last byte.
func (p Partition) End() int64 { return p.Start + p.Size }

const (
	headerSize     = 92
	entrySize      = 128
	nameUnits      = 36
	defaultEntries = 128
	maxEntries     = 1024
	signature      = "EFI PART"
	revision       = 0x00010000
)

// header is the GPT header (UEFI 2.10, table 5-5); positions are sector numbers.
type header struct {
	my, alternate         uint64
	firstUsable, last     uint64 // both inclusive
	disk                  GUID
	entries               uint64
	count, size, entryCRC uint32
}

func (h header) encode() []byte {
	p := make([]byte, headerSize)
	le := binary.LittleEndian
	copy(p, signature)
	le.PutUint32(p[8:], revision)
	le.PutUint32(p[12:], headerSize)
	le.PutUint64(p[24:], h.my)
	le.PutUint64(p[32:], h.alternate)
	le.PutUint64(p[40:], h.firstUsable)
	le.PutUint64(p[48:], h.last)
	disk := h.disk.swapped()
	copy(p[56:], disk[:])
	le.PutUint64(p[72:], h.entries)
	le.PutUint32(p[80:], h.count)
	le.PutUint32(p[84:], h.size)
	le.PutUint32(p[88:], h.entryCRC)
	le.PutUint32(p[16:], crc32.ChecksumIEEE(p))
	return p
}

package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"unicode/utf16"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Table is what Read found.
type Table struct {
	DiskGUID    GUID
	SectorSize  int
	FirstUsable int64       // bytes; partitions lie from here …
	EndUsable   int64       // … to before here
	Partitions  []Partition // by number, with Content
	MBR         MBR

	// DiskSize is what the disk had when the table was written: less than the blob's on a disk that was made larger, or
	// that got a smaller image.
	DiskSize int64
	// RecoveredFromBackup: the primary table is damaged, this is the one at the end.
	RecoveredFromBackup bool
	// BackupDamaged: the primary table is whole, the backup that it names is not its equal.
	BackupDamaged bool
}

// maxTable bounds the entries that are read: 128 KiB for the largest table that Format writes, and far more than is seen.
const maxTable = 1 << 20

// Read finds the table of b for sectors of 512 or 4096 bytes, the primary or else the backup in the last sector, with
// their checksums. Where there is none the error has kind NotFound; where both are damaged, or a partition leaves the
// table's usable range or b, Invalid.
func Read(b blob.Blob) (*Table, error) {
	mbr, err := ReadMBR(b, 512)
	if err != nil && report.KindOf(err) != report.NotFound {
		return nil, err
	}
	// A valid MBR without a protective record means that somebody partitioned the disk anew: what remains of a GPT is
	// stale. Without any MBR the start of the disk is lost, and the backup is worth looking for.
	if mbr != nil && !mbr.Protective() {
		return nil, report.Errorf(report.NotFound, "no GPT: the master boot record has no protective entry")
	}
	var damaged error
	for _, backup := range []bool{false, true} {
		for _, sector := range []int64{512, 4096} {
			lba := int64(1)
			if backup {
				lba = b.Size()/sector - 1
			}
			t, err := readTable(b, sector, lba)
			if err == nil {
				t.RecoveredFromBackup = backup
				return t, t.readMBR(b, mbr)
			}
			if !errors.Is(err, errNoHeader) && damaged == nil {
				damaged = err
			}
		}
	}
	if damaged != nil {
		return nil, damaged
	}
	return nil, report.Errorf(report.NotFound, "no GPT: neither a header at sector 1 nor one in the last sector")
}

// readMBR adds the MBR, if there is one, now that the sector size is known.
func (t *Table) readMBR(b blob.Blob, mbr *MBR) (err error) {
	if mbr == nil {
		return nil
	}
	if mbr, err = ReadMBR(b, t.SectorSize); err == nil {
		t.MBR = *mbr
	}
	return err
}

var errNoHeader = errors.New("no GPT header")

// readTable is the table whose header is in sector lba.
func readTable(b blob.Blob, sector, lba int64) (*Table, error) {
	h, err := readHeader(b, sector, lba)
	if err != nil {
		return nil, err
	}
	entries, err := readEntries(b, sector, h)
	if err != nil {
		return nil, err
	}
	t := &Table{
		DiskGUID: h.disk, SectorSize: int(sector),
		FirstUsable: int64(h.firstUsable) * sector,
		EndUsable:   (int64(h.last) + 1) * sector,
		DiskSize:    (int64(max(h.my, h.alternate)) + 1) * sector,
	}
	for i := 0; i < int(h.count); i++ {
		e := entries[i*int(h.size):]
		if GUID(e[:16]).IsZero() {
			continue
		}
		p, err := h.partition(e, i+1, b, sector)
		if err != nil {
			return nil, err
		}
		t.Partitions = append(t.Partitions, p)
	}
	if lba == 1 {
		t.BackupDamaged = !sameBackup(b, sector, h, entries)
	}
	return t, nil
}

// readHeader is the header in sector lba, checked as UEFI 2.10, section 5.3.2 asks; errNoHeader where nothing looks
// like one.
func readHeader(b blob.Blob, sector, lba int64) (header, error) {
	p := make([]byte, headerSize)
	if lba < 1 || lba >= b.Size()/sector {
		return header{}, errNoHeader
	}
	if err := blob.ReadFull(b, p, lba*sector); err != nil {
		return header{}, err
	}
	le := binary.LittleEndian
	if !bytes.HasPrefix(p, []byte(signature)) {
		return header{}, errNoHeader
	}
	size := int64(le.Uint32(p[12:]))
	if size < headerSize || size > sector {
		return header{}, report.Errorf(report.Invalid, "GPT header at offset %d: it says that it has %d bytes", lba*sector, size)
	}
	whole := make([]byte, size)
	if err := blob.ReadFull(b, whole, lba*sector); err != nil {
		return header{}, err
	}
	clear(whole[16:20])
	if sum := crc32.ChecksumIEEE(whole); sum != le.Uint32(p[16:]) {
		return header{}, report.Errorf(report.Invalid, "GPT header at offset %d: checksum %08x, not the %08x that it says", lba*sector, sum, le.Uint32(p[16:]))
	}
	h := header{
		my: le.Uint64(p[24:]), alternate: le.Uint64(p[32:]),
		firstUsable: le.Uint64(p[40:]), last: le.Uint64(p[48:]),
		disk: GUID(p[56:72]).swapped(), entries: le.Uint64(p[72:]),
		count: le.Uint32(p[80:]), size: le.Uint32(p[84:]), entryCRC: le.Uint32(p[88:]),
	}
	return h, h.check(sector, lba)
}

func (h header) check(sector, lba int64) error {
	limit := uint64(math.MaxInt64/sector - 1)
	switch {
	case h.my != uint64(lba):
		return report.Errorf(report.Invalid, "GPT header at offset %d: it says that it is in sector %d", lba*sector, h.my)
	case h.alternate > limit || h.last > limit || h.firstUsable > h.last+1:
		return report.Errorf(report.Invalid, "GPT header at offset %d: usable sectors %d to %d, other header in sector %d, are impossible", lba*sector, h.firstUsable, h.last, h.alternate)
	case h.size < entrySize || h.size&(h.size-1) != 0 || uint64(h.size)*uint64(h.count) > maxTable:
		return report.Errorf(report.Invalid, "GPT header at offset %d: %d entries of %d bytes", lba*sector, h.count, h.size)
	}
	return nil
}

// readEntries is the array of entries that h describes, in which its checksum is right.
func readEntries(b blob.Blob, sector int64, h header) ([]byte, error) {
	n := int64(h.size) * int64(h.count)
	if h.entries > uint64(b.Size()/sector) || int64(h.entries)*sector > b.Size()-n {
		return nil, report.Errorf(report.Invalid, "GPT entries in sector %d lie outside the %d bytes there are", h.entries, b.Size())
	}
	p := make([]byte, n)
	if err := blob.ReadFull(b, p, int64(h.entries)*sector); err != nil {
		return nil, err
	}
	if sum := crc32.ChecksumIEEE(p); sum != h.entryCRC {
		return nil, report.Errorf(report.Invalid, "GPT entries at offset %d: checksum %08x, not the %08x that the header says", int64(h.entries)*sector, sum, h.entryCRC)
	}
	return p, nil
}

func (h header) partition(e []byte, number int, b blob.Blob, sector int64) (Partition, error) {
	le := binary.LittleEndian
	first, last := le.Uint64(e[32:]), le.Uint64(e[40:])
	if first < h.firstUsable || last > h.last || first > last {
		return Partition{}, report.Errorf(report.Invalid, "partition %d: sectors %d to %d are not within the usable %d to %d", number, first, last, h.firstUsable, h.last)
	}
	p := Partition{
		Number: number,
		Name:   decodeName(e[56:entrySize]),
		Type:   GUID(e[:16]).swapped(),
		GUID:   GUID(e[16:32]).swapped(),
		Start:  int64(first) * sector, Size: int64(last-first+1) * sector,
		Attributes: le.Uint64(e[48:]),
	}
	if p.End() > b.Size() {
		return Partition{}, report.Errorf(report.Invalid, "partition %d %q ends at %d; there are only %d bytes, the image is cut short", number, p.Name, p.End(), b.Size())
	}
	p.Content = blob.Slice(b, p.Start, p.Size)
	return p, nil
}

// decodeName is the text before the first NUL unit.
func decodeName(p []byte) string {
	units := make([]uint16, len(p)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(p[2*i:])
	}
	if i := slices.Index(units, 0); i >= 0 {
		units = units[:i]
	}
	return string(utf16.Decode(units))
}

// sameBackup reports whether the header that h names as the other one is whole and has the same entries.
func sameBackup(b blob.Blob, sector int64, h header, entries []byte) bool {
	other, err := readHeader(b, sector, int64(h.alternate))
	if err != nil || other.disk != h.disk || other.firstUsable != h.firstUsable || other.last != h.last {
		return false
	}
	p, err := readEntries(b, sector, other)
	return err == nil && bytes.Equal(p, entries)
}

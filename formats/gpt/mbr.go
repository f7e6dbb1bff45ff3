package gpt

import (
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Sizes and places in LBA 0 (UEFI 2.10, tables 5-1 and 5-2). It is 512 bytes whatever the sector size.
const (
	mbrSize      = 512
	mbrCode      = 440
	mbrSignature = 440
	mbrRecords   = 446
	mbrRecord    = 16
	mbrMagic     = 510
	mbrActive    = 0x80
)

// TypeProtective is the type of the MBR record that stands for a GPT.
const TypeProtective = 0xEE

// MBREntry is one of the four records of a master boot record. One of type 0 is unused. Start and Size are in bytes;
// on disk they are 32-bit sector numbers.
type MBREntry struct {
	Type        byte
	Active      bool
	Start, Size int64
}

// MBR is what a master boot record says beside its boot code. Extended partitions are not followed.
type MBR struct {
	DiskSignature uint32
	Entries       [4]MBREntry
}

// Protective reports whether the MBR says that the disk has a GPT.
func (m *MBR) Protective() bool {
	for _, e := range m.Entries {
		if e.Type == TypeProtective {
			return true
		}
	}
	return false
}

// ReadMBR reads the master boot record of b, whose sectors have sectorSize bytes. Where there is none, such as where
// the boot sector of a file system is, the error has kind NotFound.
func ReadMBR(b blob.Blob, sectorSize int) (*MBR, error) {
	p := make([]byte, mbrSize)
	if b.Size() < mbrSize {
		return nil, report.Errorf(report.NotFound, "%d bytes hold no master boot record", b.Size())
	}
	if err := blob.ReadFull(b, p, 0); err != nil {
		return nil, err
	}
	if p[mbrMagic] != 0x55 || p[mbrMagic+1] != 0xAA {
		return nil, report.Errorf(report.NotFound, "no master boot record: the bytes 55 AA at offset %d are missing", mbrMagic)
	}
	m := &MBR{DiskSignature: binary.LittleEndian.Uint32(p[mbrSignature:])}
	for i := range m.Entries {
		r := p[mbrRecords+i*mbrRecord:]
		if r[0]&^mbrActive != 0 {
			return nil, report.Errorf(report.NotFound, "no master boot record: byte %#02x at offset %d is no boot indicator", r[0], mbrRecords+i*mbrRecord)
		}
		m.Entries[i] = MBREntry{
			Type:   r[4],
			Active: r[0] == mbrActive,
			Start:  int64(binary.LittleEndian.Uint32(r[8:])) * int64(sectorSize),
			Size:   int64(binary.LittleEndian.Uint32(r[12:])) * int64(sectorSize),
		}
	}
	return m, nil
}

// bootRecord is LBA 0: boot code, disk signature and the records. The protective record comes first and covers the
// whole disk, or in a hybrid MBR what lies before its first partition.
func bootRecord(o Options, total int64) []byte {
	p := make([]byte, mbrSize)
	copy(p[:mbrCode], o.BootCode)
	binary.LittleEndian.PutUint32(p[mbrSignature:], o.DiskSignature)
	sector := int64(o.SectorSize)
	protective := MBREntry{Type: TypeProtective, Start: sector, Size: total - sector}
	for _, e := range o.Hybrid {
		protective.Size = min(protective.Size, e.Start-sector)
	}
	putRecord(p, 0, protective, sector)
	for i, e := range o.Hybrid {
		putRecord(p, i+1, e, sector)
	}
	if o.ActiveRecord {
		putRecord(p, len(o.Hybrid)+1, MBREntry{Active: true, Size: sector}, sector)
	}
	p[mbrMagic], p[mbrMagic+1] = 0x55, 0xAA
	return p
}

func putRecord(p []byte, i int, e MBREntry, sector int64) {
	r := p[mbrRecords+i*mbrRecord:][:mbrRecord]
	if e.Active {
		r[0] = mbrActive
	}
	first, count := uint64(e.Start/sector), min(uint64(e.Size/sector), 0xFFFFFFFF)
	copy(r[1:4], chs(first))
	r[4] = e.Type
	copy(r[5:8], chs(first+count-1))
	binary.LittleEndian.PutUint32(r[8:], uint32(first))
	binary.LittleEndian.PutUint32(r[12:], uint32(count))
}

// chs is a sector number for the geometry of 255 heads and 63 sectors that every BIOS assumes: head, sector with the
// cylinder's upper bits, cylinder. What lies beyond its 8 GB is all ones (UEFI 2.10, table 5-4).
func chs(lba uint64) []byte {
	cylinder, head, sector := lba/(255*63), lba/63%255, lba%63+1
	if cylinder > 1023 {
		return []byte{0xFF, 0xFF, 0xFF}
	}
	return []byte{byte(head), byte(sector | cylinder>>8<<6), byte(cylinder)}
}

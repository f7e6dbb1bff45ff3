package disk

import (
	"encoding/binary"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/layout"
)

// Where GRUB's boot.img, the boot sector, holds the sector that it loads, the drive, and the jump that is taken where the BIOS
// named none (grub-core/boot/i386/pc/boot.S).
const (
	bootCodeSize   = 440
	bootKernelAt   = 0x5c
	bootDriveAt    = 0x64
	bootDriveCheck = 0x66
)

// Where the first sector of core.img holds the list of what it loads: the rest of itself (diskboot.S).
const (
	coreStartAt   = 0x1f4
	coreLengthAt  = 0x1fc
	coreSegmentAt = 0x1fe
	coreSegment   = 0x820
)

const biosSector = 512

// bootCode is GRUB's boot sector, which loads the first sector of the BIOS partition.
func (s *Spec) bootCode(parts []gpt.Partition) ([]byte, error) {
	code, err := readImage("boot.img", s.BootSector, biosSector, biosSector)
	if err != nil {
		return nil, err
	}
	bios := slices.IndexFunc(parts, func(p gpt.Partition) bool { return p.Name == layout.BIOS })
	binary.LittleEndian.PutUint64(code[bootKernelAt:], uint64(parts[bios].Start/biosSector))
	code[bootDriveAt] = 0xff // the drive that the BIOS started from
	copy(code[bootDriveCheck:], "\x90\x90")
	return code[:bootCodeSize], nil
}

// coreImage is core.img, which lies at the byte at of the disk, told where the rest of it is.
func coreImage(core blob.Blob, at int64) (blob.Blob, error) {
	p, err := readImage("core.img", core, 2*biosSector, layout.BIOSSize)
	if err != nil {
		return nil, err
	}
	p = append(p, make([]byte, blob.Align(int64(len(p)), biosSector)-int64(len(p)))...)
	binary.LittleEndian.PutUint64(p[coreStartAt:], uint64(at/biosSector+1))
	binary.LittleEndian.PutUint16(p[coreLengthAt:], uint16(len(p)/biosSector-1))
	binary.LittleEndian.PutUint16(p[coreSegmentAt:], coreSegment)
	return blob.Bytes(p), nil
}

func readImage(name string, b blob.Blob, least, most int64) ([]byte, error) {
	if b == nil || b.Size() < least || b.Size() > most {
		return nil, report.Errorf(report.Invalid, "grub's %s is missing or not of %d to %d bytes", name, least, most)
	}
	return blob.ReadAll(b, most)
}

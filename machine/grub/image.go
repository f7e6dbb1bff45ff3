// Package grub is what the prebuilt GRUB for BIOS of a base needs: the numbers in its images that say where the rest of it lies, and
// its menu. The images hold nothing of one machine (GRUB 2.06, grub-core/boot/i386/pc).
package grub

import (
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Where boot.img, the boot sector of a disk, holds the sector that it loads, the drive, and the jump that is taken where the BIOS
// named none (boot.S).
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

// hybridKernelAt is where boot_hybrid.img, the boot sector of an ISO on a disk, holds the sector that it loads.
const hybridKernelAt = 0x1b0

// sector is what a BIOS reads.
const sector = 512

// BootCode is the boot code of a disk whose BIOS boot partition, with core.img, starts at the byte core. The error is Invalid.
func BootCode(bootImg blob.Blob, core int64) ([]byte, error) {
	code, err := readImage("boot.img", bootImg, sector, sector)
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint64(code[bootKernelAt:], uint64(core/sector))
	code[bootDriveAt] = 0xff // the drive that the BIOS started from
	copy(code[bootDriveCheck:], "\x90\x90")
	return code[:bootCodeSize], nil
}

// Core is core.img, which lies at the byte at of the disk in a partition of room bytes, told where the rest of it is. The error is
// Invalid.
func Core(coreImg blob.Blob, at, room int64) (blob.Blob, error) {
	p, err := readImage("core.img", coreImg, 2*sector, room)
	if err != nil {
		return nil, err
	}
	p = append(p, make([]byte, blob.Align(int64(len(p)), sector)-int64(len(p)))...)
	binary.LittleEndian.PutUint64(p[coreStartAt:], uint64(at/sector+1))
	binary.LittleEndian.PutUint16(p[coreLengthAt:], uint16(len(p)/sector-1))
	binary.LittleEndian.PutUint16(p[coreSegmentAt:], coreSegment)
	return blob.Bytes(p), nil
}

// HybridCode is the boot code of an ISO written to a disk: it loads the El Torito image, which lies at the byte at. The image's own
// boot sector skips itself when it is loaded this way, hence four sectors further on. The error is Invalid.
func HybridCode(hybridImg blob.Blob, at int64) ([]byte, error) {
	code, err := readImage("boot_hybrid.img", hybridImg, sector, 4096)
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint64(code[hybridKernelAt:], uint64(at/sector+4))
	return code[:bootCodeSize], nil
}

func readImage(name string, b blob.Blob, least, most int64) ([]byte, error) {
	if b == nil || b.Size() < least || b.Size() > most {
		return nil, report.Errorf(report.Invalid, "grub's %s is missing or not of %d to %d bytes", name, least, most)
	}
	return blob.ReadAll(b, most)
}

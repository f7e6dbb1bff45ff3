package fat

import (
	"encoding/binary"
	"fmt"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Places in the reserved sectors of FAT32, and bytes that mark a boot sector.
const (
	infoSector   = 1
	backupSector = 6
	bootSize     = 512 // the part of the boot sector that has a meaning, whatever the sector size
	bootMagic    = 510
	media        = 0xF8 // a disk with partitions; the first byte of the FAT too
	unknown      = 0xFFFFFFFF
)

// Offsets in the boot sector (sections 3.1 to 3.3); those of the extended part depend on the type.
const (
	bpbSector      = 11
	bpbCluster     = 13
	bpbReserved    = 14
	bpbFATs        = 16
	bpbRootSlots   = 17
	bpbSectors16   = 19
	bpbMedia       = 21
	bpbFATSize16   = 22
	bpbTrack       = 24
	bpbHeads       = 26
	bpbHidden      = 28
	bpbSectors32   = 32
	bpbExtended16  = 36
	bpbFATSize32   = 36
	bpbRootCluster = 44
	bpbInfo        = 48
	bpbBackup      = 50
	bpbExtended32  = 64
)

// Offsets in the extended part, from bpbExtended16 or bpbExtended32.
const (
	extDrive     = 0
	extSignature = 2
	extSerial    = 3
	extLabel     = 7
	extType      = 18
	extCode      = 26
)

// bootSectors are the boot sector and for FAT32 its backup and the free space information.
func (p *plan) bootSectors(g geometry) []byte {
	boot := p.bootSector(g)
	if g.bits != 32 {
		return boot
	}
	out := make([]byte, (backupSector+infoSector)*g.sector+bootSize)
	for _, at := range []int64{0, backupSector * g.sector} {
		copy(out[at:], boot)
		copy(out[at+infoSector*g.sector:], p.freeSpace(g))
	}
	return out
}

func (p *plan) bootSector(g geometry) []byte {
	b := make([]byte, bootSize)
	le := binary.LittleEndian
	extended := bpbExtended16
	if g.bits == 32 {
		extended = bpbExtended32
		le.PutUint32(b[bpbFATSize32:], uint32(g.fatSize))
		le.PutUint32(b[bpbRootCluster:], firstCluster)
		le.PutUint16(b[bpbInfo:], infoSector)
		le.PutUint16(b[bpbBackup:], backupSector)
	} else {
		le.PutUint16(b[bpbFATSize16:], uint16(g.fatSize))
	}
	code := extended + extCode
	copy(b, []byte{0xEB, byte(code - 2), 0x90})
	copy(b[3:], "MSWIN4.1") // the one name that every reader accepts, says the specification
	le.PutUint16(b[bpbSector:], uint16(g.sector))
	b[bpbCluster] = byte(g.cluster / g.sector)
	le.PutUint16(b[bpbReserved:], uint16(g.reserved))
	b[bpbFATs] = byte(g.fats)
	le.PutUint16(b[bpbRootSlots:], uint16(g.rootSlots))
	b[bpbMedia] = media
	le.PutUint16(b[bpbTrack:], 63)
	le.PutUint16(b[bpbHeads:], 255)
	le.PutUint32(b[bpbHidden:], p.o.Hidden)
	if sectors := g.size / g.sector; g.bits != 32 && sectors < 1<<16 {
		le.PutUint16(b[bpbSectors16:], uint16(sectors))
	} else {
		le.PutUint32(b[bpbSectors32:], uint32(sectors))
	}
	label, e := labelField(p.o.Label), b[extended:]
	e[extDrive] = 0x80
	e[extSignature] = 0x29 // serial, label and type follow
	le.PutUint32(e[extSerial:], p.o.Serial)
	copy(e[extLabel:], label[:])
	copy(e[extType:], fmt.Sprintf("FAT%d   ", g.bits))
	copy(b[code:], []byte{0xCD, 0x18, 0xF4, 0xEB, 0xFD}) // int 18h: nothing to boot here, the BIOS goes on; else halt
	b[bootMagic], b[bootMagic+1] = 0x55, 0xAA
	return b
}

// freeSpace is the FSInfo sector (section 5).
func (p *plan) freeSpace(g geometry) []byte {
	b := make([]byte, bootSize)
	le := binary.LittleEndian
	le.PutUint32(b, 0x41615252)
	le.PutUint32(b[484:], 0x61417272)
	le.PutUint32(b[488:], uint32(g.clusters-p.used))
	next := p.next
	if next >= g.clusters+firstCluster {
		next = unknown
	}
	le.PutUint32(b[492:], uint32(next))
	le.PutUint32(b[508:], 0xAA550000)
	return b
}

// volumeHead is what the boot sector says.
type volumeHead struct {
	geometry
	root   int64 // first cluster of the root folder, FAT32 only
	serial uint32
	label  string
}

// readHead reads and checks the boot sector. What is none has kind NotFound, one that contradicts itself or b Invalid.
func readHead(b blob.Blob) (volumeHead, error) {
	var h volumeHead
	p := make([]byte, bootSize)
	if b.Size() < bootSize {
		return h, report.Errorf(report.NotFound, "no FAT volume: only %d bytes", b.Size())
	}
	if err := blob.ReadFull(b, p, 0); err != nil {
		return h, err
	}
	le := binary.LittleEndian
	h.sector = int64(le.Uint16(p[bpbSector:]))
	h.cluster = int64(p[bpbCluster]) * h.sector
	h.reserved = int64(le.Uint16(p[bpbReserved:]))
	h.fats = int64(p[bpbFATs])
	if p[bootMagic] != 0x55 || p[bootMagic+1] != 0xAA || !powerOfTwo(h.sector) || h.sector < 512 || h.sector > 4096 ||
		!powerOfTwo(h.cluster) || h.reserved == 0 || h.fats == 0 || h.fats > 2 || p[bpbMedia] != 0xF0 && p[bpbMedia] < 0xF8 {
		return h, report.Errorf(report.NotFound, "no FAT volume: the boot sector is not one of FAT")
	}
	h.rootSlots = int64(le.Uint16(p[bpbRootSlots:]))
	h.fatSize = int64(le.Uint16(p[bpbFATSize16:]))
	h.size = int64(le.Uint16(p[bpbSectors16:])) * h.sector
	if h.size == 0 {
		h.size = int64(le.Uint32(p[bpbSectors32:])) * h.sector
	}
	// The specification tells the types apart by the number of clusters. Volumes with too few of them for FAT32 are
	// common all the same; only FAT32 has no 16-bit FAT size, and every system goes by that first.
	ext := p[bpbExtended16:]
	if h.fatSize == 0 {
		h.bits, ext = 32, p[bpbExtended32:]
		h.fatSize = int64(le.Uint32(p[bpbFATSize32:]))
		h.root = int64(le.Uint32(p[bpbRootCluster:]))
	}
	if ext[extSignature] == 0x29 {
		h.serial = le.Uint32(ext[extSerial:])
		if h.label = decodeOEM(ext[extLabel : extLabel+11]); h.label == "NO NAME" {
			h.label = ""
		}
	}
	return h, h.check(b.Size())
}

// check works out the number of clusters and, but for FAT32, the type.
func (h *volumeHead) check(size int64) error {
	if h.size > size {
		return report.Errorf(report.Invalid, "the FAT volume has %d bytes, there are only %d: the image is cut short", h.size, size)
	}
	if h.fatSize == 0 || h.dataStart() >= h.size {
		return report.Errorf(report.Invalid, "boot sector: %d FATs of %d sectors and %d root entries leave no room in a FAT volume of %d bytes", h.fats, h.fatSize, h.rootSlots, h.size)
	}
	h.clusters = (h.size - h.dataStart()) / h.cluster
	if h.bits == 0 {
		h.bits = 16
		if h.clusters < 4085 {
			h.bits = 12
		}
	}
	if most := h.fatSize*h.sector*8/int64(h.bits) - firstCluster; h.clusters > most || h.clusters > 0x0FFFFFF5 {
		return report.Errorf(report.Invalid, "boot sector: the FAT of %d sectors has room for %d clusters, the volume has %d", h.fatSize, most, h.clusters)
	}
	return nil
}

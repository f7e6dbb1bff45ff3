// Package vhdx lays out dynamic disks of Microsoft's Virtual Hard Disk v2 format ([MS-VHDX] 8.0), which Hyper-V takes. An image is
// described: computed headers, metadata and table before references into the disk, so that it costs no pass over the disk's bytes.
//
// It is read likewise, dynamic or fixed, as references into the image.
//
// Left out: writing fixed disks, differencing disks, logs that have to be replayed.
package vhdx

import (
	"encoding/binary"
	"hash/crc32"
	"unicode/utf16"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	kib = 1 << 10
	mib = 1 << 20

	maxDisk   = 64 << 40 // 2.6.2.2
	maxBlocks = 1 << 20  // for which blocks grow up to maxBlock: a table of 8 MiB then

	headerSize = 4 * kib
	tableSize  = 64 * kib // of regions, and of metadata

	// The regions, whose places are whole MiB.
	logAt      = 1 * mib
	logSize    = 1 * mib
	metadataAt = logAt + logSize
	tableAt    = metadataAt + mib // the block allocation table, as long as it has to be

	present = 6 // the state of a block that is in the file (2.5.1.1)
)

// Options are for Format.
type Options struct {
	ID         [16]byte // the disk's identifier; it must not be zero
	SectorSize int      // 512 (also 0) or 4096
}

// layout is what there is to say of an image.
type layout struct {
	disk   blob.Blob
	sector int64
	block  int64   // bytes
	blocks int64   // of the disk
	used   []int64 // numbers of the blocks that are in the file, ascending
	dataAt int64
}

// Format is disk as a dynamic VHDX. Blocks of 1 MiB (of more beyond 1 TiB) that lie in known holes of disk take no space. Memory: 8
// bytes a block. The error is Invalid without an identifier or for a disk that is not whole sectors, Unsupported beyond 64 TiB.
func Format(disk blob.Blob, o Options) (*blob.Image, error) {
	if o.SectorSize == 0 {
		o.SectorSize = 512
	}
	size := disk.Size()
	switch {
	case o.ID == [16]byte{}:
		return nil, report.Errorf(report.Invalid, "vhdx: the disk needs an identifier")
	case o.SectorSize != 512 && o.SectorSize != 4096:
		return nil, report.Errorf(report.Invalid, "vhdx: sectors of %d bytes; they have 512 or 4096", o.SectorSize)
	case size == 0 || size%int64(o.SectorSize) != 0:
		return nil, report.Errorf(report.Invalid, "vhdx: a disk of %d bytes; it must be whole sectors of %d", size, o.SectorSize)
	case size > maxDisk:
		return nil, report.Errorf(report.Unsupported, "vhdx: a disk of %d bytes; the format ends at 64 TiB", size)
	}
	l := &layout{disk: disk, sector: int64(o.SectorSize), block: mib}
	for ceil(size, l.block) > maxBlocks {
		l.block *= 2
	}
	l.blocks = ceil(size, l.block)
	for _, e := range blob.Map(disk) {
		next := e.Offset / l.block
		if n := len(l.used); n > 0 {
			next = max(next, l.used[n-1]+1)
		}
		for ; next*l.block < e.End(); next++ {
			l.used = append(l.used, next)
		}
	}
	l.dataAt = tableAt + blob.Align(8*l.entries(), mib)
	return blob.NewImage(l.dataAt+int64(len(l.used))*l.block, l.extents(o)...)
}

func ceil(n, d int64) int64 { return (n + d - 1) / d }

// chunk is how many blocks of payload an entry of a sector bitmap follows, which a disk without a parent leaves empty (2.5).
func (l *layout) chunk() int64 { return l.sector << 23 / l.block }

func (l *layout) entries() int64 { return l.blocks + (l.blocks-1)/l.chunk() }

func (l *layout) extents(o Options) []blob.Extent {
	at := func(name string, off int64, p []byte) blob.Extent {
		return blob.Extent{Name: name, Offset: off, Blob: blob.Bytes(p)}
	}
	out := []blob.Extent{
		at("identifier", 0, identifier()),
		at("header", 64*kib, header(1, o.ID)), at("header", 128*kib, header(2, o.ID)),
		at("regions", 192*kib, l.regions()), at("regions", 256*kib, l.regions()),
		at("metadata", metadataAt, l.metadata(o.ID)),
		at("blocks", tableAt, l.table()),
	}
	for i := 0; i < len(l.used); {
		first := i // of a run, which is one extent
		for i++; i < len(l.used) && l.used[i] == l.used[i-1]+1; i++ {
		}
		off := l.used[first] * l.block
		run := blob.Slice(l.disk, off, min(int64(i-first)*l.block, l.disk.Size()-off))
		out = append(out, blob.Extent{Name: "data", Offset: l.dataAt + int64(first)*l.block, Blob: run})
	}
	return out
}

// identifier is the start of the file (2.2.1).
func identifier() []byte {
	p := []byte("vhdxfile")
	for _, u := range utf16.Encode([]rune("bootwright")) {
		p = binary.LittleEndian.AppendUint16(p, u)
	}
	return p
}

// header is one of the two headers, of which the one with the higher number counts (2.2.2). The log is empty: it has no identifier.
func header(number uint64, id [16]byte) []byte {
	p := make([]byte, headerSize)
	copy(p, "head")
	binary.LittleEndian.PutUint64(p[8:], number)
	copy(p[16:], id[:]) // of the writing of the file
	copy(p[32:], id[:]) // of that of the data
	binary.LittleEndian.PutUint16(p[66:], 1)
	binary.LittleEndian.PutUint32(p[68:], logSize)
	binary.LittleEndian.PutUint64(p[72:], logAt)
	return checked(p)
}

// checked has the CRC-32C of p at its place in headers and region tables.
func checked(p []byte) []byte {
	binary.LittleEndian.PutUint32(p[4:], crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
	return p
}

// The identifiers of regions (2.2.3.2) and items of metadata (2.6.2), as they are in the file.
const (
	regionTable    = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08"
	regionMetadata = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"

	itemFile     = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"
	itemSize     = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"
	itemDisk     = "\xab\x12\xca\xbe\xe6\xb2\x23\x45\x93\xef\xc3\x09\xe0\x00\xc7\x46"
	itemLogical  = "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f"
	itemPhysical = "\xc7\x48\xa3\xcd\x5d\x44\x71\x44\x9c\xc9\xe9\x88\x52\x51\xc5\x56"
)

// regions is the table of regions (2.2.3); both are required.
func (l *layout) regions() []byte {
	p := make([]byte, tableSize)
	copy(p, "regi")
	binary.LittleEndian.PutUint32(p[8:], 2)
	for i, r := range []struct {
		id       string
		at, size int64
	}{{regionTable, tableAt, l.dataAt - tableAt}, {regionMetadata, metadataAt, mib}} {
		e := p[16+32*i:]
		copy(e, r.id)
		binary.LittleEndian.PutUint64(e[16:], uint64(r.at))
		binary.LittleEndian.PutUint32(e[24:], uint32(r.size))
		binary.LittleEndian.PutUint32(e[28:], 1)
	}
	return checked(p)
}

// metadata is the table of items (2.6.1) and, behind it, what they say.
func (l *layout) metadata(id [16]byte) []byte {
	const ofDisk, required = 2, 4
	number := binary.LittleEndian.AppendUint32
	items := []struct {
		id    string
		value []byte
		flags uint32
	}{
		{itemFile, number(number(nil, uint32(l.block)), 0), required},
		{itemSize, binary.LittleEndian.AppendUint64(nil, uint64(l.disk.Size())), ofDisk | required},
		{itemDisk, id[:], ofDisk | required},
		{itemLogical, number(nil, uint32(l.sector)), ofDisk | required},
		{itemPhysical, number(nil, 4096), ofDisk | required},
	}
	p := make([]byte, tableSize)
	copy(p, "metadata")
	binary.LittleEndian.PutUint16(p[10:], uint16(len(items)))
	for i, it := range items {
		e := p[32+32*i:]
		copy(e, it.id)
		binary.LittleEndian.PutUint32(e[16:], uint32(len(p)))
		binary.LittleEndian.PutUint32(e[20:], uint32(len(it.value)))
		binary.LittleEndian.PutUint32(e[24:], it.flags)
		p = append(p, it.value...)
	}
	return p
}

// table says for every block whether it is in the file, and where (2.5).
func (l *layout) table() []byte {
	p := make([]byte, 8*l.entries())
	for i, b := range l.used {
		at := l.dataAt + int64(i)*l.block // whole MiB, so that its lower 20 bits are free
		binary.LittleEndian.PutUint64(p[8*(b+b/l.chunk()):], uint64(at)|present)
	}
	return p
}

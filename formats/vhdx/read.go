package vhdx

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	maxTable = 32 * mib // bounds what Read keeps of the table
	maxBlock = 256 * mib
	maxItems = 2047 // of a table of regions or of metadata
)

// Read is the disk that the image b holds. It reads the tables, in memory of a few times their size, and no data. An image
// that is damaged is Invalid; one that uses what this package leaves out is Unsupported.
func Read(b blob.Blob) (*blob.Image, error) {
	if err := readHeaders(b); err != nil {
		return nil, err
	}
	regions, err := readRegions(b)
	if err != nil {
		return nil, err
	}
	l, size, err := readMetadata(regions[regionMetadata])
	if err != nil {
		return nil, err
	}
	table, n := regions[regionTable], 8*l.entries()
	if table == nil || n > maxTable || n > table.Size() {
		return nil, report.Errorf(report.Invalid, "vhdx: a table of %d bytes for a disk of %d", n, size)
	}
	p := make([]byte, n)
	if err := blob.ReadFull(table, p, 0); err != nil {
		return nil, err
	}
	return l.read(b, size, p)
}

// readHeaders looks whether the newer of the two headers that are whole has an empty log (2.2.2, 2.3).
func readHeaders(b blob.Blob) error {
	var newest []byte
	for _, at := range []int64{64 * kib, 128 * kib} {
		p := make([]byte, headerSize)
		if b.Size() < at+headerSize || blob.ReadFull(b, p, at) != nil || !isWhole(p, "head") {
			continue
		}
		if newest == nil || binary.LittleEndian.Uint64(p[8:]) > binary.LittleEndian.Uint64(newest[8:]) {
			newest = p
		}
	}
	switch {
	case newest == nil:
		return report.Errorf(report.Invalid, "vhdx: no header that is whole")
	case binary.LittleEndian.Uint16(newest[66:]) != 1:
		return report.Errorf(report.Unsupported, "vhdx: version %d", binary.LittleEndian.Uint16(newest[66:]))
	case [16]byte(newest[48:]) != [16]byte{}:
		return report.Errorf(report.Unsupported, "vhdx: a log that has to be replayed, as it is being written or was not closed; convert the image (qemu-img convert)")
	}
	return nil
}

// isWhole checks the signature and the CRC-32C of a header or a table of regions, and zeroes the latter.
func isWhole(p []byte, signature string) bool {
	sum := binary.LittleEndian.Uint32(p[4:])
	clear(p[4:8])
	return string(p[:4]) == signature && sum == crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli))
}

// readRegions are the regions of the first table that is whole, by their identifiers (2.2.3).
func readRegions(b blob.Blob) (map[string]blob.Blob, error) {
	for _, at := range []int64{192 * kib, 256 * kib} {
		p := make([]byte, tableSize)
		if b.Size() < at+tableSize || blob.ReadFull(b, p, at) != nil || !isWhole(p, "regi") {
			continue
		}
		regions := map[string]blob.Blob{}
		for i := range min(binary.LittleEndian.Uint32(p[8:]), maxItems) {
			e := p[16+32*i:]
			off, n := binary.LittleEndian.Uint64(e[16:]), int64(binary.LittleEndian.Uint32(e[24:]))
			switch id := string(e[:16]); {
			case off > uint64(b.Size()) || n > b.Size()-int64(off):
				return nil, report.Errorf(report.Invalid, "vhdx: a region of %d bytes at %d, in an image of %d", n, off, b.Size())
			case id == regionTable || id == regionMetadata:
				regions[id] = blob.Slice(b, int64(off), n)
			case e[28]&1 != 0:
				return nil, report.Errorf(report.Unsupported, "vhdx: a region %x that one has to know", id)
			}
		}
		return regions, nil
	}
	return nil, report.Errorf(report.Invalid, "vhdx: no table of regions that is whole")
}

// readMetadata is how the disk is laid out, and its size (2.6).
func readMetadata(region blob.Blob) (l *layout, size int64, err error) {
	table := make([]byte, tableSize)
	if region == nil || region.Size() < tableSize || blob.ReadFull(region, table, 0) != nil || string(table[:8]) != "metadata" {
		return nil, 0, report.Errorf(report.Invalid, "vhdx: no metadata")
	}
	items := map[string][]byte{}
	for i := range min(binary.LittleEndian.Uint16(table[10:]), maxItems) {
		e := table[32+32*int(i):]
		p, at := make([]byte, 8), int64(binary.LittleEndian.Uint32(e[16:]))
		n := min(int64(binary.LittleEndian.Uint32(e[20:])), int64(len(p))) // identifiers are longer, and nothing to us
		if at <= region.Size()-n && blob.ReadFull(region, p[:n], at) == nil {
			items[string(e[:16])] = p
		}
	}
	file, disk, sector := items[itemFile], items[itemSize], items[itemLogical]
	if file == nil || disk == nil || sector == nil {
		return nil, 0, report.Errorf(report.Invalid, "vhdx: the metadata lacks the size of blocks, of sectors or of the disk")
	}
	l = &layout{block: int64(binary.LittleEndian.Uint32(file)), sector: int64(binary.LittleEndian.Uint32(sector))}
	bytes := binary.LittleEndian.Uint64(disk)
	switch {
	case file[4]&2 != 0:
		return nil, 0, report.Errorf(report.Unsupported, "vhdx: the image stands on another file; flatten it first (qemu-img convert)")
	case l.block < mib || l.block > maxBlock || l.block&(l.block-1) != 0 || l.sector != 512 && l.sector != 4096:
		return nil, 0, report.Errorf(report.Invalid, "vhdx: blocks of %d bytes and sectors of %d", l.block, l.sector)
	case bytes == 0 || bytes > maxDisk:
		return nil, 0, report.Errorf(report.Invalid, "vhdx: a disk of %d bytes", bytes)
	}
	l.blocks = ceil(int64(bytes), l.block)
	return l, int64(bytes), nil
}

// read is a disk of size bytes by its table (2.5.1).
func (l *layout) read(b blob.Blob, size int64, table []byte) (*blob.Image, error) {
	const partly = 7
	var runs []blob.Extent // of blocks that follow each other in the disk and in the image
	from, end := int64(0), int64(-1)
	for i := range l.blocks {
		entry := binary.LittleEndian.Uint64(table[8*(i+i/l.chunk()):])
		at, off := int64(entry>>20)*mib, i*l.block
		n := min(l.block, size-off)
		switch {
		case entry&7 == partly:
			return nil, report.Errorf(report.Invalid, "vhdx: block %d is in part in another file", i)
		case entry&7 != present: // never written, zero, or given back
			continue
		case at > b.Size()-n || at < 0:
			return nil, report.Errorf(report.Invalid, "vhdx: block %d is at %d, in an image of %d bytes", i, at, b.Size())
		}
		if k := len(runs) - 1; k >= 0 && runs[k].End() == off && at == end {
			runs[k].Blob = blob.Slice(b, from, end+n-from)
		} else {
			runs, from = append(runs, blob.Extent{Name: "data", Offset: off, Blob: blob.Slice(b, at, n)}), at
		}
		end = at + n
	}
	return blob.NewImage(size, runs...)
}

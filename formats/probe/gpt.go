package probe

import (
	"bytes"
	"hash/crc32"
)

// partitionTable looks for a partition table behind a protective or hybrid master boot record (UEFI 2.10, 5.2 and 5.3).
func partitionTable(r *reader) *Result {
	mbr := r.at(0, 512)
	if mbr == nil || !protective(mbr) {
		return nil
	}
	for _, sector := range []int64{512, 4096} {
		if f := tableHeader(r, 1, sector); f != nil {
			return f
		}
	}
	return nil
}

// backupTable looks for a table of which only the backup, in the last sector, is left. A master boot record of others says
// that it was left behind.
func backupTable(r *reader) *Result {
	mbr := r.at(0, 512)
	if mbr != nil && !protective(mbr) && len(bytes.TrimLeft(mbr, "\x00")) > 0 || partitionTable(r) != nil {
		return nil
	}
	for _, sector := range []int64{512, 4096} {
		if f := tableHeader(r, r.b.Size()/sector-1, sector); f != nil {
			f.Damaged = "the primary partition table is damaged"
			return f
		}
	}
	return nil
}

// protective tells whether a record has an entry of the type that stands for a GPT.
func protective(mbr []byte) bool {
	for at := 446; at < 510; at += 16 {
		if mbr[at+4] == 0xEE {
			return string(mbr[510:]) == "\x55\xAA"
		}
	}
	return false
}

// tableHeader is the header in sector lba, with its checksum.
func tableHeader(r *reader, lba, sector int64) *Result {
	p := r.at(lba*sector, sector)
	if p == nil || string(p[:8]) != "EFI PART" || le.Uint64(p[24:]) != uint64(lba) {
		return nil
	}
	size, sum := int64(le.Uint32(p[12:])), le.Uint32(p[16:])
	if size < 92 || size > sector {
		return nil
	}
	clear(p[16:20])
	if crc32.ChecksumIEEE(p[:size]) != sum {
		return nil
	}
	id := p[56:72]
	guid := []byte{id[3], id[2], id[1], id[0], id[5], id[4], id[7], id[6]}
	last := max(le.Uint64(p[24:]), le.Uint64(p[32:]))
	return &Result{Name: GPT, UUID: uuid(append(guid, id[8:]...)), BlockSize: uint32(sector), Size: (last + 1) * uint64(sector)}
}

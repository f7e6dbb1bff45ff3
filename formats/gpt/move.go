package gpt

import (
	"encoding/binary"
	"math"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Move is what has to be written, in this order, onto the disk b of which only the start is described by its table, because it got the
// image of a smaller disk: the backup at the disk's end, then headers and master boot record that know of it. Until the last is written
// the table that was there holds. Without a table, or where nothing is to be done, it is empty; the errors are those of Read.
func Move(b blob.Blob) ([]blob.Extent, error) {
	t, err := Read(b)
	if report.KindOf(err) == report.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sector := int64(t.SectorSize)
	last := b.Size()/sector - 1
	if t.RecoveredFromBackup || t.DiskSize >= (last+1)*sector {
		return nil, nil
	}
	h, err := readHeader(b, sector, 1)
	if err != nil {
		return nil, err
	}
	entries, err := readEntries(b, sector, h)
	if err != nil {
		return nil, err
	}
	record := make([]byte, mbrSize)
	if err := blob.ReadFull(b, record, 0); err != nil {
		return nil, err
	}
	old := int64(h.alternate)
	first := last - blob.Align(int64(len(entries)), sector)/sector // of the backup's entries
	if first <= int64(h.firstUsable) {
		return nil, report.Errorf(report.Invalid, "a disk of %d bytes has no room for the backup of its partition table", b.Size())
	}
	h.alternate, h.last = uint64(last), uint64(first-1)
	second := h
	second.my, second.alternate, second.entries = uint64(last), 1, uint64(first)
	out := []blob.Extent{
		{Name: "gpt-backup", Offset: first * sector, Blob: blob.Bytes(entries)},
		{Name: "gpt-backup", Offset: last * sector, Blob: blob.Bytes(second.sector(sector))},
		{Name: "gpt", Offset: sector, Blob: blob.Bytes(h.sector(sector))},
		{Name: "mbr", Offset: 0, Blob: blob.Bytes(protect(record, old+1, last+1))},
	}
	if !t.BackupDamaged && old < first { // which was where nobody looks for it any more
		out = append(out, blob.Extent{Name: "old-backup", Offset: old * sector, Blob: blob.Zeros(sector)})
	}
	for _, e := range out {
		for _, p := range t.Partitions {
			if e.Offset < p.End() && p.Start < e.End() {
				return nil, report.Errorf(report.Invalid, "partition %d %q, at %d to %d, is where the partition table has to be", p.Number, p.Name, p.Start, p.End())
			}
		}
	}
	return out, nil
}

func (h header) sector(size int64) []byte {
	return append(h.encode(), make([]byte, size-headerSize)...)
}

// protect lets the protective records that covered a disk of so many sectors cover the new one.
func protect(p []byte, before, now int64) []byte {
	le := binary.LittleEndian
	for i := range 4 {
		r := p[mbrRecords+i*mbrRecord:][:mbrRecord]
		if r[4] != TypeProtective || le.Uint32(r[8:]) != 1 || int64(le.Uint32(r[12:])) != min(before-1, math.MaxUint32) {
			continue
		}
		putRecord(p, i, MBREntry{Type: TypeProtective, Active: r[0] == mbrActive, Start: 1, Size: now - 1}, 1)
	}
	return p
}

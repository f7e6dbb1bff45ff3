package gpt

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Options are for Format and Wrap; the zero value makes the smallest disk of 512-byte sectors.
type Options struct {
	Size       int64 // of the disk in bytes; 0 is the smallest multiple of Align that fits
	SectorSize int   // 512 (also 0) or 4096
	Align      int64 // of partitions whose Start is 0; 0 is 1 MiB
	Entries    int   // places in the table, 128 (also 0) to 1024
	DiskGUID   GUID  // zero is derived from the partitions and the size

	BootCode      []byte // at most 440 bytes, the start of LBA 0
	DiskSignature uint32 // the four bytes behind the boot code

	// Hybrid are at most three MBR records beside the protective one, for firmware that knows no GPT. Strict readers
	// (macOS, Windows, UEFI 2.10 section 5.2.3) then take the disk for an MBR disk: prefer none.
	Hybrid []MBREntry
	// ActiveRecord adds an MBR record of type 0 with the active flag. Some BIOSes boot only a disk that has an active
	// record; on the protective one UEFI wants the flag clear, and a record of type 0 is unused to everybody else.
	ActiveRecord bool
}

// systemArea is what an image to be wrapped leaves free at its start (ECMA-119, 6.2.1).
const systemArea = 32 << 10

// Format lays out a new disk: master boot record, table, the partitions' contents by reference, backup table. Its own
// extents are named "mbr", "gpt" and "gpt-backup"; to partition a real disk write only these, the backup first, so that
// a power cut leaves one whole table.
func Format(parts []Partition, o Options) (*blob.Image, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	placed, err := o.place(parts)
	if err != nil {
		return nil, err
	}
	end := o.firstUsable()
	for _, p := range placed {
		end = max(end, p.End())
	}
	total, err := o.total(end)
	if err != nil {
		return nil, err
	}
	extents, err := o.tables(placed, total)
	if err != nil {
		return nil, err
	}
	for _, p := range placed {
		if p.Content != nil {
			extents = append(extents, blob.Extent{Name: cmp.Or(p.Name, fmt.Sprintf("partition %d", p.Number)), Offset: p.Start, Blob: p.Content})
		}
	}
	return blob.NewImage(total, extents...)
}

// Wrap lays master boot record and table over the first 32 KiB of base, which must not matter there, and appends the
// backup. The partitions name bytes of base: each has Start and Size, none has Content.
func Wrap(base blob.Blob, parts []Partition, o Options) (*blob.Image, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if o.firstUsable() > systemArea || base.Size() < systemArea {
		return nil, report.Errorf(report.Invalid, "a table of %d bytes over an image of %d; it must fit into its first %d", o.firstUsable(), base.Size(), systemArea)
	}
	for i, p := range parts {
		if p.Content != nil || p.Start <= 0 || p.Size <= 0 || p.Start > base.Size()-p.Size {
			return nil, report.Errorf(report.Invalid, "partition %q, number %d of the list, is not a range of the image's %d bytes", p.Name, i+1, base.Size())
		}
	}
	placed, err := o.place(parts)
	if err != nil {
		return nil, err
	}
	total, err := o.total(blob.Align(base.Size(), int64(o.SectorSize)))
	if err != nil {
		return nil, err
	}
	extents, err := o.tables(placed, total)
	if err != nil {
		return nil, err
	}
	rest := blob.Slice(base, o.firstUsable(), base.Size()-o.firstUsable())
	return blob.NewImage(total, append(extents, blob.Extent{Name: "image", Offset: o.firstUsable(), Blob: rest})...)
}

// complete fills in the defaults and refuses what cannot be.
func (o Options) complete() (Options, error) {
	o.SectorSize = cmp.Or(o.SectorSize, 512)
	o.Align = cmp.Or(o.Align, 1<<20)
	o.Entries = cmp.Or(o.Entries, defaultEntries)
	records := 3
	if o.ActiveRecord {
		records--
	}
	switch sector := int64(o.SectorSize); {
	case sector != 512 && sector != 4096:
		return o, report.Errorf(report.Unsupported, "sectors of %d bytes; they have 512 or 4096", sector)
	case o.Align < sector || o.Align%sector != 0 || o.Align > 1<<40:
		return o, report.Errorf(report.Invalid, "alignment of %d bytes is not a multiple of the sector size, %d", o.Align, sector)
	case o.Entries < defaultEntries || o.Entries > maxEntries:
		return o, report.Errorf(report.Invalid, "a table of %d entries; it has %d to %d", o.Entries, defaultEntries, maxEntries)
	case o.Size < 0 || o.Size%sector != 0:
		return o, report.Errorf(report.Invalid, "disk of %d bytes: the size is not a multiple of the sector size, %d", o.Size, sector)
	case len(o.BootCode) > mbrCode:
		return o, report.Errorf(report.Invalid, "boot code of %d bytes; the master boot record has room for %d", len(o.BootCode), mbrCode)
	case len(o.Hybrid) > records:
		return o, report.Errorf(report.Invalid, "%d hybrid MBR records; there is room for %d", len(o.Hybrid), records)
	}
	return o, nil
}

// tableSize is the entries' bytes, in whole sectors.
func (o Options) tableSize() int64 {
	return blob.Align(int64(o.Entries)*entrySize, int64(o.SectorSize))
}

// firstUsable is behind MBR, header and entries; as many bytes less one sector follow the last usable one.
func (o Options) firstUsable() int64 { return 2*int64(o.SectorSize) + o.tableSize() }

func (o Options) backupSize() int64 { return o.tableSize() + int64(o.SectorSize) }

// total is the disk's size if the bytes up to end are to lie before the backup.
func (o Options) total(end int64) (int64, error) {
	need := end + o.backupSize()
	if o.Size == 0 {
		return blob.Align(need, o.Align), nil
	}
	if o.Size < need {
		return 0, report.Errorf(report.Invalid, "a disk of %d bytes is too small: %d are needed, %d more", o.Size, need, need-o.Size)
	}
	return o.Size, nil
}

// place gives every partition its number, start and size, and refuses those that cannot be.
func (o Options) place(parts []Partition) ([]Partition, error) {
	placed := slices.Clone(parts)
	number, end := 0, o.firstUsable()
	numbers := map[int]bool{}
	for i := range placed {
		p := &placed[i]
		p.Number = cmp.Or(p.Number, number+1)
		p.Start = cmp.Or(p.Start, blob.Align(end, o.Align))
		if p.Size == 0 && p.Content != nil {
			p.Size = blob.Align(p.Content.Size(), int64(o.SectorSize))
		}
		if err := o.check(*p); err != nil {
			return nil, report.Errorf(report.Invalid, "partition %d %q: %w", p.Number, p.Name, err)
		}
		if numbers[p.Number] {
			return nil, report.Errorf(report.Invalid, "two partitions have the number %d", p.Number)
		}
		numbers[p.Number] = true
		number, end = p.Number, p.End()
	}
	byStart := slices.SortedFunc(slices.Values(placed), func(a, b Partition) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(byStart); i++ {
		if a, b := byStart[i-1], byStart[i]; b.Start < a.End() {
			return nil, report.Errorf(report.Invalid, "partition %d %q at %d overlaps partition %d %q, which ends at %d", b.Number, b.Name, b.Start, a.Number, a.Name, a.End())
		}
	}
	return placed, nil
}

func (o Options) check(p Partition) error {
	sector := int64(o.SectorSize)
	switch {
	case p.Number < 1 || p.Number > o.Entries:
		return fmt.Errorf("the table has numbers from 1 to %d", o.Entries)
	case p.Type.IsZero():
		return fmt.Errorf("it has no type")
	case !utf8.ValidString(p.Name) || strings.ContainsRune(p.Name, 0):
		return fmt.Errorf("the name is not text")
	case len(utf16.Encode([]rune(p.Name))) > nameUnits:
		return fmt.Errorf("the name is longer than %d UTF-16 units", nameUnits)
	case p.Size <= 0:
		return fmt.Errorf("size %d; give one above zero, or content", p.Size)
	case p.Start%sector != 0 || p.Size%sector != 0:
		return fmt.Errorf("start %d and size %d are not both multiples of the sector size, %d", p.Start, p.Size, sector)
	case p.Start < o.firstUsable():
		return fmt.Errorf("it starts at %d, before the first usable byte at %d", p.Start, o.firstUsable())
	case p.Start > math.MaxInt64/2-p.Size:
		return fmt.Errorf("start %d and size %d are beyond any disk", p.Start, p.Size)
	case p.Content != nil && p.Content.Size() > p.Size:
		return fmt.Errorf("its content of %d bytes does not fit its %d", p.Content.Size(), p.Size)
	}
	return nil
}

// tables are the extents that are not content: LBA 0, primary header and entries, backup entries and header.
func (o Options) tables(parts []Partition, total int64) ([]blob.Extent, error) {
	for i, e := range o.Hybrid {
		sector := int64(o.SectorSize)
		if e.Type == 0 || e.Start%sector != 0 || e.Size%sector != 0 || e.Start < o.firstUsable() || e.Size <= 0 || e.Start > total-e.Size || e.Start/sector > math.MaxUint32 {
			return nil, report.Errorf(report.Invalid, "hybrid MBR record %d, type %#02x, %d bytes at %d, is not a range of sectors on the disk", i+1, e.Type, e.Size, e.Start)
		}
	}
	if o.DiskGUID.IsZero() {
		o.DiskGUID = derived(fmt.Sprintf("disk %d %x", total, o.encodeEntries(parts)))
	}
	entries := o.encodeEntries(parts)
	last := uint64(total/int64(o.SectorSize)) - 1
	backup := total - o.backupSize()
	primary := header{
		my: 1, alternate: last,
		firstUsable: uint64(o.firstUsable() / int64(o.SectorSize)), last: uint64(backup/int64(o.SectorSize)) - 1,
		disk: o.DiskGUID, entries: 2,
		count: uint32(o.Entries), size: entrySize, entryCRC: crc32.ChecksumIEEE(entries),
	}
	second := primary
	second.my, second.alternate, second.entries = last, 1, uint64(backup/int64(o.SectorSize))

	head := make([]byte, o.backupSize())
	copy(head, primary.encode())
	copy(head[o.SectorSize:], entries)
	tail := make([]byte, o.backupSize())
	copy(tail, entries)
	copy(tail[o.tableSize():], second.encode())
	return []blob.Extent{
		{Name: "mbr", Offset: 0, Blob: blob.Bytes(bootRecord(o, total))},
		{Name: "gpt", Offset: int64(o.SectorSize), Blob: blob.Bytes(head)},
		{Name: "gpt-backup", Offset: backup, Blob: blob.Bytes(tail)},
	}, nil
}

// encodeEntries is the table of entries (UEFI 2.10, table 5-6), without padding.
func (o Options) encodeEntries(parts []Partition) []byte {
	table := make([]byte, o.Entries*entrySize)
	le := binary.LittleEndian
	for _, p := range parts {
		e := table[(p.Number-1)*entrySize:][:entrySize]
		if p.GUID.IsZero() {
			p.GUID = derived(fmt.Sprintf("partition %d of %v", p.Number, o.DiskGUID))
		}
		kind, id := p.Type.swapped(), p.GUID.swapped()
		copy(e[0:], kind[:])
		copy(e[16:], id[:])
		le.PutUint64(e[32:], uint64(p.Start/int64(o.SectorSize)))
		le.PutUint64(e[40:], uint64(p.End()/int64(o.SectorSize))-1)
		le.PutUint64(e[48:], p.Attributes)
		for i, u := range utf16.Encode([]rune(p.Name)) {
			le.PutUint16(e[56+2*i:], u)
		}
	}
	return table
}

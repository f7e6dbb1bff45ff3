package vmdk

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	maxTables     = 16 << 20 // bytes of directory and tables, which bounds what Read keeps
	maxDescriptor = 64 << 10
	maxGrain      = 2048 // sectors, 1 MiB
	minGrain      = 8
)

// Read is the disk that the sparse image b holds, with compressed grains or plain ones. It reads the tables, in memory of a
// few times their size, and no data: a compressed grain is inflated when it is read, and the last one kept. An image that is
// damaged is Invalid, also later for what is found in a grain; one that uses what this package leaves out is Unsupported.
func Read(b blob.Blob) (*blob.Image, error) {
	h, err := readHeader(b, 0)
	if err != nil {
		return nil, err
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	if err := h.checkDescriptor(b); err != nil {
		return nil, err
	}
	if h.DirectoryAt == gdAtEnd {
		if h.DirectoryAt, err = h.readFooter(b); err != nil {
			return nil, err
		}
	}
	r := &reader{image: b, grain: int64(h.Grain) * sector, size: int64(h.Capacity) * sector, hasZeros: h.Flags&zeroedGrains != 0}
	if h.Compression == deflate {
		r.unpacker = &unpacker{image: b, grain: r.grain, number: -1}
	}
	return r.read(h.DirectoryAt, int64(h.PerTable))
}

// readHeader is the header at byte at.
func readHeader(b blob.Blob, at int64) (h header, err error) {
	if at < 0 || at > b.Size()-sector {
		return h, report.Errorf(report.Invalid, "vmdk: cut short at %d bytes", b.Size())
	}
	p := make([]byte, sector)
	if err := blob.ReadFull(b, p, at); err != nil {
		return h, err
	}
	if _, err := binary.Decode(p, binary.LittleEndian, &h); err != nil {
		return h, err
	}
	if string(h.Magic[:]) != magic {
		return h, report.Errorf(report.Invalid, "vmdk: no header at byte %d", at)
	}
	return h, nil
}

// check refuses what is out of bounds, and what is not read here.
func (h *header) check() error {
	needed := h.Flags >> 16 // those that one has to know
	switch {
	case h.Flags&newlineTest != 0 && string(h.Newlines[:]) != newlines:
		return report.Errorf(report.Invalid, "vmdk: a transfer as text has changed it; get it again as it is")
	case h.Version < 1 || h.Version > 3:
		return report.Errorf(report.Unsupported, "vmdk: version %d", h.Version)
	case h.IsOpen != 0:
		return report.Errorf(report.Unsupported, "vmdk: the image is in use, or was not closed; convert it (qemu-img convert)")
	case (needed != 0 || h.Compression != 0) && (needed != (compressed|markers)>>16 || h.Compression != deflate):
		return report.Errorf(report.Unsupported, "vmdk: flags %#x with compression %d", h.Flags, h.Compression)
	case h.Grain < minGrain || h.Grain > maxGrain || h.Grain&(h.Grain-1) != 0 || h.PerTable == 0 || h.PerTable > perTable:
		return report.Errorf(report.Invalid, "vmdk: grains of %d sectors, tables of %d", h.Grain, h.PerTable)
	case h.Capacity == 0 || h.Capacity > maxDisk/sector:
		return report.Errorf(report.Invalid, "vmdk: a disk of %d sectors", h.Capacity)
	}
	return nil
}

// checkDescriptor refuses an image that is not a whole disk.
func (h *header) checkDescriptor(b blob.Blob) error {
	if h.DescriptorAt == 0 {
		return report.Errorf(report.Unsupported, "vmdk: a piece of a disk in several files; make one of them (qemu-img convert)")
	}
	if h.DescriptorSize > maxDescriptor/sector || h.DescriptorAt > uint64(b.Size()/sector) || int64(h.DescriptorAt+h.DescriptorSize)*sector > b.Size() {
		return report.Errorf(report.Invalid, "vmdk: a descriptor of %d sectors at %d, in an image of %d bytes", h.DescriptorSize, h.DescriptorAt, b.Size())
	}
	p := make([]byte, h.DescriptorSize*sector)
	if err := blob.ReadFull(b, p, int64(h.DescriptorAt)*sector); err != nil {
		return err
	}
	text, _, _ := bytes.Cut(p, []byte{0})
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) == "parentCID" && !strings.EqualFold(strings.TrimSpace(value), "ffffffff") {
			return report.Errorf(report.Unsupported, "vmdk: the image stands on another file; flatten it first (qemu-img convert)")
		}
	}
	return nil
}

// readFooter is the sector of the grain directory by the footer, which is between its marker and that of the end.
func (h *header) readFooter(b blob.Blob) (uint64, error) {
	end := b.Size() - sector
	foot, err := readHeader(b, end-sector)
	if err != nil || !isMarker(b, end-2*sector, footer) || !isMarker(b, end, endOfStream) {
		return 0, report.Errorf(report.Invalid, "vmdk: cut short: no footer before the end at %d bytes", b.Size())
	}
	if foot.Capacity != h.Capacity || foot.Grain != h.Grain || foot.PerTable != h.PerTable {
		return 0, report.Errorf(report.Invalid, "vmdk: the footer is of another disk, of %d sectors", foot.Capacity)
	}
	return foot.DirectoryAt, nil
}

// isMarker: the sector at byte at is a marker of the kind.
func isMarker(b blob.Blob, at int64, kind uint32) bool {
	p := make([]byte, 16)
	return at >= 0 && blob.ReadFull(b, p, at) == nil && binary.LittleEndian.Uint32(p[8:]) == 0 && binary.LittleEndian.Uint32(p[12:]) == kind
}

// reader is an image whose tables are being read.
type reader struct {
	image       blob.Blob
	grain, size int64
	hasZeros    bool // 1 in a table is a grain of zeros
	unpacker    *unpacker
	kept        int64 // bytes of tables
	extents     []blob.Extent
}

// read is the disk by the directory at a sector, of tables with perTable entries.
func (r *reader) read(at uint64, perTable int64) (*blob.Image, error) {
	directory, err := r.table(at, (r.size+r.grain*perTable-1)/(r.grain*perTable))
	if err != nil {
		return nil, err
	}
	for i, entry := range directory {
		if entry == 0 {
			continue
		}
		table, err := r.table(uint64(entry), perTable)
		if err != nil {
			return nil, err
		}
		if err := r.grains(int64(i)*perTable, table); err != nil {
			return nil, err
		}
	}
	return blob.NewImage(r.size, r.extents...)
}

// table is n entries from a sector on.
func (r *reader) table(at uint64, n int64) ([]uint32, error) {
	if r.kept += 4 * n; r.kept > maxTables || at > uint64(r.image.Size()/sector) || int64(at)*sector > r.image.Size()-4*n {
		return nil, report.Errorf(report.Invalid, "vmdk: a table of %d entries at sector %d, in an image of %d bytes", n, at, r.image.Size())
	}
	p := make([]byte, 4*n)
	if err := blob.ReadFull(r.image, p, int64(at)*sector); err != nil {
		return nil, err
	}
	out := make([]uint32, n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(p[4*i:])
	}
	return out, nil
}

// grains adds what a table says of the disk's grains from number first on.
func (r *reader) grains(first int64, table []uint32) error {
	for i, entry := range table {
		number := first + int64(i)
		off, at := number*r.grain, int64(entry)*sector
		if entry == 0 || entry == 1 && r.hasZeros || off >= r.size {
			continue
		}
		n := min(r.grain, r.size-off)
		add, need := r.addPlain, n
		if r.unpacker != nil {
			add, need = r.addPacked, sector
		}
		if at > r.image.Size()-need {
			return report.Errorf(report.Invalid, "vmdk: the grain for byte %d of the disk is at %d, in an image of %d bytes", off, at, r.image.Size())
		}
		add(number, at, n)
	}
	return nil
}

// addPlain adds n bytes of the image, to the extent before where they follow it in both.
func (r *reader) addPlain(number, at, n int64) {
	off := number * r.grain
	if k := len(r.extents) - 1; k >= 0 && r.extents[k].End() == off {
		last := &r.extents[k].Blob
		if before, ok := blob.Offset(r.image, *last); ok && before+(*last).Size() == at {
			*last = blob.Slice(r.image, before, (*last).Size()+n)
			return
		}
	}
	r.extents = append(r.extents, blob.Extent{Name: "data", Offset: off, Blob: blob.Slice(r.image, at, n)})
}

// addPacked adds a grain that inflates to n bytes, to the extent before where it follows that in the disk.
func (r *reader) addPacked(number, at, n int64) {
	off := number * r.grain
	if k := len(r.extents) - 1; k >= 0 && r.extents[k].End() == off {
		last := r.extents[k].Blob.(*grains)
		last.at, last.size = append(last.at, uint32(at/sector)), last.size+n
		return
	}
	g := &grains{unpacker: r.unpacker, first: number, at: []uint32{uint32(at / sector)}, size: n}
	r.extents = append(r.extents, blob.Extent{Name: "data", Offset: off, Blob: g})
}

package pe

import (
	"bytes"
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Field offsets and sizes, by the sections of "PE Format" that define them.
const (
	dosNewHeader = 0x3c // MS-DOS stub: u32 offset of the signature

	coffMachine         = 4 // COFF file header, from the signature on
	coffSections        = 6
	coffSymbolTable     = 12
	coffSymbols         = 16
	coffOptionalSize    = 20
	coffSize            = 24
	optMagic            = 0 // optional header, standard and Windows-specific fields, PE32+ unless said
	optInitializedData  = 8
	optEntryPoint       = 16
	optImageBase        = 24
	optSectionAlignment = 32
	optFileAlignment    = 36
	optImageSize        = 56
	optHeadersSize      = 60
	optCheckSum         = 64
	optSubsystem        = 68
	optDirectories      = 112 // data directories; PE32: 96
	optDirectories32    = 96

	magicPE32, magicPE32Plus = 0x10b, 0x20b

	directorySize     = 8
	securityDirectory = 4 // attribute certificate table: a file offset and a size

	sectionSize            = 40 // section table entry
	sectionVirtualSize     = 8
	sectionVMA             = 12
	sectionRawSize         = 16
	sectionRawOffset       = 20
	sectionCharacteristics = 36

	initializedData = 0x40
	readable        = 0x40000000
)

// maxHeaders is how far into a file its headers may reach. Real ones end within 4 KiB.
const maxHeaders = 64 << 10

// header is the front of a PE file, and where in it things are.
type header struct {
	raw      []byte // the first bytes of the file, maxHeaders at most
	coff     int    // offset of "PE\0\0"
	optional int    // offset of the optional header
	plus     bool   // PE32+, that is 64-bit
	table    int    // offset of the section table
	sections int
}

func (h *header) u16(off int) uint16        { return binary.LittleEndian.Uint16(h.raw[off:]) }
func (h *header) u32(off int) uint32        { return binary.LittleEndian.Uint32(h.raw[off:]) }
func (h *header) put16(off int, v uint16)   { binary.LittleEndian.PutUint16(h.raw[off:], v) }
func (h *header) put32(off int, v uint32)   { binary.LittleEndian.PutUint32(h.raw[off:], v) }
func (h *header) opt32(field int) uint32    { return h.u32(h.optional + field) }
func (h *header) tableEnd() int             { return h.table + h.sections*sectionSize }
func (h *header) section(i, field int) int  { return h.table + i*sectionSize + field }
func (h *header) sec32(i, field int) uint32 { return h.u32(h.section(i, field)) }
func (h *header) rawEnd(i int) int64 {
	return int64(h.sec32(i, sectionRawOffset)) + int64(h.sec32(i, sectionRawSize))
}
func (h *header) sectionName(i int) string {
	return string(bytes.TrimRight(h.raw[h.section(i, 0):][:8], "\x00"))
}
func (h *header) putSec(i, f int, v uint32)  { h.put32(h.section(i, f), v) }
func (h *header) putOpt(field int, v uint32) { h.put32(h.optional+field, v) }

// memoryEnd is the address behind section i once loaded: a virtual size of zero means the raw size.
func (h *header) memoryEnd(i int) int64 {
	size := h.sec32(i, sectionVirtualSize)
	if size == 0 {
		size = h.sec32(i, sectionRawSize)
	}
	return int64(h.sec32(i, sectionVMA)) + int64(size)
}

// security is the offset of the certificate table's data directory, or 0 where the header has none.
func (h *header) security() int {
	dirs := optDirectories32
	if h.plus {
		dirs = optDirectories
	}
	off := h.optional + dirs + securityDirectory*directorySize
	if off+directorySize > h.table || h.u32(h.optional+dirs-4) <= securityDirectory {
		return 0
	}
	return off
}

// readHeader checks that everything up to the end of the section table lies in the first maxHeaders of b.
func readHeader(b blob.Blob) (*header, error) {
	raw := make([]byte, min(b.Size(), maxHeaders))
	if err := blob.ReadFull(b, raw, 0); err != nil {
		return nil, err
	}
	h := &header{raw: raw}
	if len(raw) < dosNewHeader+4 || string(raw[:2]) != "MZ" {
		return nil, report.Errorf(report.Invalid, "not a PE file: no MZ at offset 0")
	}
	at := int64(h.u32(dosNewHeader))
	if at > int64(len(raw)-coffSize) || string(raw[at:at+4]) != "PE\x00\x00" {
		return nil, report.Errorf(report.Invalid, "not a PE file: no PE signature at offset %d", at)
	}
	h.coff = int(at)
	h.optional = h.coff + coffSize
	h.table = h.optional + int(h.u16(h.coff+coffOptionalSize))
	h.sections = int(h.u16(h.coff + coffSections))
	if h.table-h.optional < optDirectories32 || h.tableEnd() > len(raw) {
		return nil, report.Errorf(report.Invalid, "pe header at offset %d: %d bytes of optional header and %d sections do not fit into the first %d bytes of the file",
			at, h.table-h.optional, h.sections, len(raw))
	}
	switch magic := h.u16(h.optional + optMagic); {
	case magic == magicPE32:
	case magic == magicPE32Plus && h.table-h.optional >= optDirectories:
		h.plus = true
	default:
		return nil, report.Errorf(report.Invalid, "pe optional header at offset %d: unknown magic %#x", h.optional, magic)
	}
	return h, nil
}

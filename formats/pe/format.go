package pe

import (
	"bytes"
	"math"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Section is a named piece of a PE image.
type Section struct {
	Name    string // 1 to 8 bytes of printable ASCII, such as ".linux"
	Content blob.Blob
}

// Options are for Format; the zero value works.
type Options struct {
	// Align is what the file offset of each added section's content is a multiple of, a power of two; 0 means 4096, so
	// that file systems can share the content and an ISO 9660 file can point at it.
	Align int64
}

// pageSize is what UEFI may map memory protection by, so no two sections should share a page.
const pageSize = 4096

// Format adds sections to a copy of stub, in the order given, which is also their order in memory: put .linux last, as
// the kernel may unpack itself over what follows it. The result is unsigned whatever the stub was. Extents are named
// headers, stub and by section.
//
// Refused are a stub that is no 64-bit PE file or has no room for the section headers, a section that is empty or that
// the stub has already (as .sbat), and an image that would reach 4 GiB, on disk or in memory.
func Format(stub blob.Blob, sections []Section, o Options) (*blob.Image, error) {
	h, err := readHeader(stub)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(h, stub.Size(), o)
	if err != nil {
		return nil, err
	}
	if err := p.checkRoom(len(sections)); err != nil {
		return nil, err
	}
	stubEnd := p.fileEnd
	p.padLastSection()
	extents := []blob.Extent{
		{Name: "headers", Blob: blob.Bytes(h.raw[:p.headers])},
		{Name: "stub", Offset: p.headers, Blob: blob.Slice(stub, p.headers, stubEnd-p.headers)},
	}
	for _, s := range sections {
		if err := p.checkSection(s); err != nil {
			return nil, err
		}
		extents = append(extents, blob.Extent{Name: s.Name, Offset: p.fileEnd, Blob: s.Content})
		if err := p.add(s); err != nil {
			return nil, err
		}
	}
	p.finish()
	return blob.NewImage(p.fileEnd, extents...)
}

// plan is a header that sections are being added to.
type plan struct {
	*header
	align           int64 // of raw data
	memoryAlign     int64 // of addresses
	headers         int64 // bytes of the header area, with its room for more section headers
	fileEnd, memEnd int64 // behind the last section, in the file and in memory
}

func newPlan(h *header, size int64, o Options) (*plan, error) {
	if !h.plus {
		return nil, report.Errorf(report.Unsupported, "efi stub is a 32-bit PE file; a 64-bit one is needed")
	}
	p := &plan{header: h, align: o.Align, headers: int64(h.opt32(optHeadersSize))}
	if p.align == 0 {
		p.align = pageSize
	}
	fileAlign, memAlign := int64(h.opt32(optFileAlignment)), int64(h.opt32(optSectionAlignment))
	for _, a := range []int64{p.align, fileAlign, memAlign} {
		if a <= 0 || a&(a-1) != 0 || a > 1<<30 {
			return nil, report.Errorf(report.Invalid, "alignment %d of pe sections is not a power of two up to 1 GiB", a)
		}
	}
	p.align, p.memoryAlign = max(p.align, fileAlign), max(memAlign, pageSize)
	if h.sections == 0 || p.headers < int64(h.tableEnd()) || p.headers > int64(len(h.raw)) {
		return nil, report.Errorf(report.Invalid, "efi stub has %d sections and %d bytes of headers; that is no program", h.sections, p.headers)
	}
	for i := range h.sections {
		if h.sec32(i, sectionRawSize) > 0 && int64(h.sec32(i, sectionRawOffset)) < p.headers {
			return nil, report.Errorf(report.Invalid, "efi stub section %q at offset %d lies inside the headers", h.sectionName(i), h.sec32(i, sectionRawOffset))
		}
		p.fileEnd, p.memEnd = max(p.fileEnd, h.rawEnd(i)), max(p.memEnd, h.memoryEnd(i))
	}
	if p.fileEnd > size || p.fileEnd <= p.headers {
		return nil, report.Errorf(report.Invalid, "efi stub of %d bytes is truncated: its sections end at offset %d", size, p.fileEnd)
	}
	if max(blob.Align(p.fileEnd, p.align), blob.Align(p.memEnd, memAlign)) > math.MaxUint32 {
		return nil, report.Errorf(report.Invalid, "efi stub reaches 4 GiB: %d bytes in the file, %d in memory", p.fileEnd, p.memEnd)
	}
	return p, nil
}

// checkRoom looks for n unused section headers behind the last one. Room that holds something is none.
func (p *plan) checkRoom(n int) error {
	need := n * sectionSize
	room := p.raw[p.tableEnd():p.headers]
	if need > len(room) || !isPadding(room[:need]) {
		return report.Errorf(report.Invalid, "efi stub without room for %d more section headers: there are %d bytes behind its section table at offset %d, and %d are needed",
			n, len(room), p.tableEnd(), need)
	}
	return nil
}

// isPadding reports whether b is what linkers and assemblers fill gaps with: zeros or, in systemd's arm64 stub, the
// instruction NOP again and again.
func isPadding(b []byte) bool {
	nop := []byte{0x1f, 0x20, 0x03, 0xd5}
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) || bytes.Equal(b, bytes.Repeat(nop, len(b)/len(nop)))
}

func (p *plan) checkSection(s Section) error {
	if len(s.Name) == 0 || len(s.Name) > 8 || slices.ContainsFunc([]byte(s.Name), func(c byte) bool { return c <= ' ' || c > '~' }) {
		return report.Errorf(report.Invalid, "pe section name %q is not 1 to 8 printable ASCII characters", s.Name)
	}
	for i := range p.sections {
		if p.sectionName(i) == s.Name {
			return report.Errorf(report.Invalid, "pe section %q is there already; a second one would be ignored", s.Name)
		}
	}
	if s.Content == nil || s.Content.Size() == 0 {
		return report.Errorf(report.Invalid, "pe section %q is empty; leave it out", s.Name)
	}
	return nil
}

// padLastSection lets the stub's last section reach up to the first added one: Authenticode hashes sections one after
// another, and tools disagree about bytes between them.
func (p *plan) padLastSection() {
	end := blob.Align(p.fileEnd, p.align)
	for i := range p.sections {
		if p.sec32(i, sectionRawSize) == 0 || p.rawEnd(i) != p.fileEnd {
			continue
		}
		if p.sec32(i, sectionVirtualSize) == 0 { // or the padding would be loaded
			p.putSec(i, sectionVirtualSize, p.sec32(i, sectionRawSize))
		}
		p.putSec(i, sectionRawSize, uint32(end-int64(p.sec32(i, sectionRawOffset))))
		break
	}
	p.fileEnd = end
}

// add appends the header of s behind all others, in the file as in memory.
func (p *plan) add(s Section) error {
	size, i := s.Content.Size(), p.sections
	vma := blob.Align(p.memEnd, p.memoryAlign)
	if size > math.MaxUint32-max(blob.Align(vma, p.memoryAlign), p.fileEnd)-max(p.align, p.memoryAlign) {
		return report.Errorf(report.Invalid, "pe section %q of %d bytes takes the image to 4 GiB or more, which PE cannot hold", s.Name, size)
	}
	rawSize := blob.Align(size, p.align)
	clear(p.raw[p.section(i, 0):][:sectionSize])
	copy(p.raw[p.section(i, 0):], s.Name)
	p.putSec(i, sectionVirtualSize, uint32(size))
	p.putSec(i, sectionVMA, uint32(vma))
	p.putSec(i, sectionRawSize, uint32(rawSize))
	p.putSec(i, sectionRawOffset, uint32(p.fileEnd))
	p.putSec(i, sectionCharacteristics, initializedData|readable)
	p.sections++
	p.fileEnd, p.memEnd = p.fileEnd+rawSize, vma+size
	return nil
}

// finish brings the sums in the headers up to date, and forgets the symbols, checksum and signature of the stub.
func (p *plan) finish() {
	var data uint32
	for i := range p.sections {
		if p.sec32(i, sectionCharacteristics)&initializedData != 0 {
			data += p.sec32(i, sectionRawSize)
		}
	}
	p.put16(p.coff+coffSections, uint16(p.sections))
	p.put32(p.coff+coffSymbolTable, 0)
	p.put32(p.coff+coffSymbols, 0)
	p.putOpt(optInitializedData, data)
	p.putOpt(optImageSize, uint32(blob.Align(p.memEnd, int64(p.opt32(optSectionAlignment)))))
	p.putOpt(optCheckSum, 0)
	if at := p.security(); at != 0 {
		clear(p.raw[at : at+directorySize])
	}
}

package kmod

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Machine is the processor that a module is for: elf.EM_X86_64 or elf.EM_AARCH64 in all that bootwright builds.
type Machine = elf.Machine

// The parts of ELF-64 (System V gABI, chapter 4) that lead to one section. The standard library's reader is not meant for
// untrusted files, and would read every section header of thousands of modules through reflection.
const (
	headerSize  = 64
	sectionSize = 64
	maxTable    = 4 << 20 // bytes of section headers, of section names, of .modinfo
)

// modinfo is the .modinfo section of the ELF file in b.
func modinfo(b blob.Blob) (Machine, string, error) {
	var h [headerSize]byte
	if err := blob.ReadFull(b, h[:], 0); err != nil {
		return 0, "", report.Errorf(report.Invalid, "ELF header: %w", err)
	}
	le := binary.LittleEndian
	machine := Machine(le.Uint16(h[18:]))
	switch {
	case string(h[:4]) != elf.ELFMAG:
		return 0, "", report.Errorf(report.Invalid, "starts with % x, which is not an ELF file", h[:4])
	case elf.Class(h[4]) != elf.ELFCLASS64 || elf.Data(h[5]) != elf.ELFDATA2LSB:
		return 0, "", report.Errorf(report.Unsupported, "%s, %s: only 64-bit little-endian modules are supported", elf.Class(h[4]), elf.Data(h[5]))
	case elf.Type(le.Uint16(h[16:])) != elf.ET_REL:
		return 0, "", report.Errorf(report.Invalid, "ELF type %s; a module is ET_REL", elf.Type(le.Uint16(h[16:])))
	case le.Uint16(h[58:]) != sectionSize:
		return 0, "", report.Errorf(report.Invalid, "section headers of %d bytes instead of %d", le.Uint16(h[58:]), sectionSize)
	}
	count, names := int(le.Uint16(h[60:])), int(le.Uint16(h[62:]))
	headers, err := readTable(b, "section headers", le.Uint64(h[40:]), uint64(count)*sectionSize)
	if err != nil {
		return 0, "", err
	}
	if names >= count {
		return 0, "", report.Errorf(report.Invalid, "section names are in section %d of %d", names, count)
	}
	strtab, err := readSection(b, "section names", headers[names*sectionSize:])
	if err != nil {
		return 0, "", err
	}
	for i := range count {
		s := headers[i*sectionSize:]
		if name := le.Uint32(s); uint64(name) < uint64(len(strtab)) && bytes.HasPrefix(strtab[name:], []byte(".modinfo\x00")) {
			info, err := readSection(b, ".modinfo", s)
			return machine, string(info), err
		}
	}
	return 0, "", report.Errorf(report.Invalid, "no .modinfo section; it is not a kernel module")
}

// readSection reads the section that the header at the start of h describes.
func readSection(b blob.Blob, what string, h []byte) ([]byte, error) {
	return readTable(b, what, binary.LittleEndian.Uint64(h[24:]), binary.LittleEndian.Uint64(h[32:]))
}

func readTable(b blob.Blob, what string, off, size uint64) ([]byte, error) {
	end := uint64(b.Size())
	if size > maxTable || off > end || size > end-off {
		return nil, report.Errorf(report.Invalid, "%s at %d, %d bytes, of a file of %d bytes; is it truncated?", what, off, size, end)
	}
	p := make([]byte, size)
	if err := blob.ReadFull(b, p, int64(off)); err != nil {
		return nil, fmt.Errorf("%s at %d: %w", what, off, err)
	}
	return p, nil
}

package pe

import (
	"encoding/binary"
	"fmt"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Machine is the processor a file is for ("Machine Types").
type Machine uint16

// The machines that UEFI names.
const (
	I386    Machine = 0x14c
	ARM     Machine = 0x1c2
	RISCV64 Machine = 0x5064
	AMD64   Machine = 0x8664
	ARM64   Machine = 0xaa64
)

func (m Machine) String() string {
	switch m {
	case I386:
		return "i386"
	case ARM:
		return "arm"
	case RISCV64:
		return "riscv64"
	case AMD64:
		return "amd64"
	case ARM64:
		return "arm64"
	}
	return fmt.Sprintf("machine %#x", uint16(m))
}

// EFIApplication is the Subsystem of boot loaders, UKIs and kernels with an EFI stub.
const EFIApplication = 10

// File is what the headers of a PE file say.
type File struct {
	Machine    Machine
	Subsystem  uint16
	ImageBase  uint64
	EntryPoint uint32 // relative to ImageBase
	Sections   []FileSection
	Signature  blob.Blob // the attribute certificate table; nil where the file is not signed
}

// FileSection is a section as Read found it. Content is its bytes in the file without their padding: VirtualSize of
// them, or fewer where memory behind them starts as zero.
type FileSection struct {
	Section
	VMA             uint32 // relative to ImageBase
	VirtualSize     uint32 // bytes in memory
	Offset          int64  // in the file
	RawSize         uint32 // bytes in the file, padding included
	Characteristics uint32
}

// Section is the first section of that name, or nil.
func (f *File) Section(name string) *FileSection {
	for i := range f.Sections {
		if f.Sections[i].Name == name {
			return &f.Sections[i]
		}
	}
	return nil
}

// IsUKI reports whether the file is a unified kernel image: an EFI program that carries a kernel.
func (f *File) IsUKI() bool { return f.Subsystem == EFIApplication && f.Section(".linux") != nil }

// Read reads the headers of a PE file, 32- or 64-bit. A section or signature that leaves the file is an error.
func Read(b blob.Blob) (*File, error) {
	h, err := readHeader(b)
	if err != nil {
		return nil, err
	}
	f := &File{
		Machine:    Machine(h.u16(h.coff + coffMachine)),
		Subsystem:  h.u16(h.optional + optSubsystem),
		EntryPoint: h.opt32(optEntryPoint),
		ImageBase:  uint64(h.opt32(optImageBase + 4)),
	}
	if h.plus {
		f.ImageBase = binary.LittleEndian.Uint64(h.raw[h.optional+optImageBase:])
	}
	for i := range h.sections {
		s, err := h.readSection(b, i)
		if err != nil {
			return nil, err
		}
		f.Sections = append(f.Sections, s)
	}
	if at := h.security(); at != 0 && h.u32(at+4) != 0 {
		off, n := int64(h.u32(at)), int64(h.u32(at+4))
		if off > b.Size()-n {
			return nil, report.Errorf(report.Invalid, "pe signature at offset %d, %d bytes, leaves a file of %d bytes", off, n, b.Size())
		}
		f.Signature = blob.Slice(b, off, n)
	}
	return f, nil
}

func (h *header) readSection(b blob.Blob, i int) (FileSection, error) {
	s := FileSection{
		Section:         Section{Name: h.sectionName(i)},
		VMA:             h.sec32(i, sectionVMA),
		VirtualSize:     h.sec32(i, sectionVirtualSize),
		Offset:          int64(h.sec32(i, sectionRawOffset)),
		RawSize:         h.sec32(i, sectionRawSize),
		Characteristics: h.sec32(i, sectionCharacteristics),
	}
	n := int64(s.RawSize)
	if s.VirtualSize != 0 {
		n = min(n, int64(s.VirtualSize))
	}
	if s.Offset > b.Size()-n {
		return s, report.Errorf(report.Invalid, "pe section %q at offset %d, %d bytes, leaves a file of %d bytes", s.Name, s.Offset, n, b.Size())
	}
	s.Content = blob.Slice(b, s.Offset, n)
	return s, nil
}

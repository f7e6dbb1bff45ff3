package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Magic is how every ELF file starts.
const Magic = elf.ELFMAG

// Bounds on what a file may claim; real files stay far below.
const (
	maxDynamic = 1 << 20 // bytes of the dynamic section
	maxString  = 4096    // bytes of a name or search path
	maxNames   = 4096    // libraries and search paths that one file names
)

// Info is what a file asks of the dynamic linker. A static program or an object file asks nothing.
type Info struct {
	Class   elf.Class // 32 or 64 bits
	Data    elf.Data  // byte order
	Machine elf.Machine
	Type    elf.Type
	Interp  string   // PT_INTERP, the path of the dynamic linker; "" of libraries and static programs
	Soname  string   // DT_SONAME, the name by which others need this library
	Needed  []string // DT_NEEDED, in order
	RPath   []string // DT_RPATH, split at colons, tokens such as $ORIGIN not replaced
	RunPath []string // DT_RUNPATH, likewise; the linker ignores DT_RPATH where it is there
}

// Needed reads b's program headers and dynamic section. A file that is not ELF, or contradicts itself, is Invalid.
func Needed(b blob.Blob) (Info, error) {
	f, err := open(b)
	if err != nil {
		return Info{}, err
	}
	if s, ok := f.segment(elf.PT_INTERP); ok {
		if f.info.Interp, err = f.str(s.offset, s.size); err != nil {
			return Info{}, err
		}
	}
	if s, ok := f.segment(elf.PT_DYNAMIC); ok {
		if err := f.readDynamic(s); err != nil {
			return Info{}, err
		}
	}
	return f.info, nil
}

// file is an ELF file whose program headers were read.
type file struct {
	b        blob.Blob
	order    binary.ByteOrder
	info     Info
	segments []segment
}

type segment struct {
	kind                elf.ProgType
	offset, vaddr, size uint64 // in the file; where it is loaded; in the file again
}

func open(b blob.Blob) (*file, error) {
	ident := make([]byte, elf.EI_NIDENT)
	if b.Size() < elf.EI_NIDENT {
		return nil, report.Errorf(report.Invalid, "not an ELF file: %d bytes", b.Size())
	}
	if err := blob.ReadFull(b, ident, 0); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(ident, []byte(Magic)) {
		return nil, report.Errorf(report.Invalid, "not an ELF file: it starts with %q", ident[:4])
	}
	f := &file{b: b, info: Info{Class: elf.Class(ident[elf.EI_CLASS]), Data: elf.Data(ident[elf.EI_DATA])}}
	switch f.info.Data {
	case elf.ELFDATA2LSB:
		f.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		f.order = binary.BigEndian
	default:
		return nil, report.Errorf(report.Invalid, "ELF file of unknown byte order %d", ident[elf.EI_DATA])
	}
	switch f.info.Class {
	case elf.ELFCLASS32:
		return f, f.readHeaders32()
	case elf.ELFCLASS64:
		return f, f.readHeaders64()
	}
	return nil, report.Errorf(report.Invalid, "ELF file of unknown class %d", ident[elf.EI_CLASS])
}

func (f *file) readHeaders32() error {
	var h elf.Header32
	if err := f.decode(&h, 0); err != nil {
		return err
	}
	f.info.Type, f.info.Machine = elf.Type(h.Type), elf.Machine(h.Machine)
	progs := make([]elf.Prog32, h.Phnum)
	if err := f.programHeaders(progs, uint64(h.Phoff), h.Phnum, h.Phentsize); err != nil {
		return err
	}
	for _, p := range progs {
		f.segments = append(f.segments, segment{elf.ProgType(p.Type), uint64(p.Off), uint64(p.Vaddr), uint64(p.Filesz)})
	}
	return nil
}

func (f *file) readHeaders64() error {
	var h elf.Header64
	if err := f.decode(&h, 0); err != nil {
		return err
	}
	f.info.Type, f.info.Machine = elf.Type(h.Type), elf.Machine(h.Machine)
	progs := make([]elf.Prog64, h.Phnum)
	if err := f.programHeaders(progs, h.Phoff, h.Phnum, h.Phentsize); err != nil {
		return err
	}
	for _, p := range progs {
		f.segments = append(f.segments, segment{elf.ProgType(p.Type), p.Off, p.Vaddr, p.Filesz})
	}
	return nil
}

// programHeaders decodes n headers at off into progs, a slice of elf.Prog32 or elf.Prog64.
func (f *file) programHeaders(progs any, off uint64, n, size uint16) error {
	const extended = 0xffff // PN_XNUM: the number is elsewhere; only core dumps have so many
	switch {
	case n == 0:
		return nil
	case n == extended:
		return report.Errorf(report.Unsupported, "ELF file with %d program headers or more", n)
	case int(size) != binary.Size(progs)/int(n):
		return report.Errorf(report.Invalid, "ELF file with program headers of %d bytes; they have %d", size, binary.Size(progs)/int(n))
	}
	return f.decode(progs, off)
}

// decode reads the fixed-size value that v points to, or is a slice of, at offset off of the file.
func (f *file) decode(v any, off uint64) error {
	p, err := f.bytes(off, uint64(binary.Size(v)))
	if err != nil {
		return err
	}
	_, err = binary.Decode(p, f.order, v)
	return err
}

func (f *file) bytes(off, n uint64) ([]byte, error) {
	if size := uint64(f.b.Size()); off > size || n > size-off {
		return nil, report.Errorf(report.Invalid, "ELF file cut short: %d bytes at offset %d belong to it, it has %d", n, off, size)
	}
	p := make([]byte, n)
	return p, blob.ReadFull(f.b, p, int64(off))
}

// str is the NUL-terminated string in the size bytes at offset off of the file.
func (f *file) str(off, size uint64) (string, error) {
	if end := uint64(f.b.Size()); off < end {
		size = min(size, end-off, maxString)
	}
	p, err := f.bytes(off, size)
	if err != nil {
		return "", err
	}
	i := bytes.IndexByte(p, 0)
	if i < 0 {
		return "", report.Errorf(report.Invalid, "ELF file: the string at offset %d does not end within %d bytes", off, size)
	}
	return string(p[:i]), nil
}

func (f *file) segment(kind elf.ProgType) (segment, bool) {
	i := slices.IndexFunc(f.segments, func(s segment) bool { return s.kind == kind })
	if i < 0 {
		return segment{}, false
	}
	return f.segments[i], true
}

// readDynamic keeps what the dynamic section in segment s says of libraries and folders. DT_STRTAB says at what address
// the table of their names is loaded.
func (f *file) readDynamic(s segment) error {
	if s.size > maxDynamic {
		return report.Errorf(report.Unsupported, "ELF file with a dynamic section of %d bytes", s.size)
	}
	raw, err := f.bytes(s.offset, s.size)
	if err != nil {
		return err
	}
	var names []dynamic
	var vaddr, size uint64
	for _, e := range f.dynamicEntries(raw) {
		switch e.tag {
		case elf.DT_STRTAB:
			vaddr = e.value
		case elf.DT_STRSZ:
			size = e.value
		case elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH:
			names = append(names, e)
		}
	}
	switch {
	case len(names) == 0:
		return nil
	case len(names) > maxNames:
		return report.Errorf(report.Unsupported, "ELF file that names %d libraries and folders", len(names))
	}
	table, err := f.fileOffset(vaddr)
	if err != nil {
		return err
	}
	for _, e := range names {
		if e.value >= size {
			return report.Errorf(report.Invalid, "ELF file: %v points %d bytes into a string table of %d", e.tag, e.value, size)
		}
		name, err := f.str(table+e.value, size-e.value)
		if err != nil {
			return err
		}
		f.info.keep(e.tag, name)
	}
	return nil
}

func (i *Info) keep(tag elf.DynTag, s string) {
	switch tag {
	case elf.DT_NEEDED:
		i.Needed = append(i.Needed, s)
	case elf.DT_SONAME:
		i.Soname = s
	case elf.DT_RPATH:
		i.RPath = strings.Split(s, ":")
	case elf.DT_RUNPATH:
		i.RunPath = strings.Split(s, ":")
	}
}

type dynamic struct {
	tag   elf.DynTag
	value uint64
}

// dynamicEntries are the entries up to DT_NULL.
func (f *file) dynamicEntries(raw []byte) []dynamic {
	var es []dynamic
	for {
		var e dynamic
		switch {
		case f.info.Class == elf.ELFCLASS32 && len(raw) >= 8:
			e = dynamic{elf.DynTag(f.order.Uint32(raw)), uint64(f.order.Uint32(raw[4:]))}
			raw = raw[8:]
		case f.info.Class == elf.ELFCLASS64 && len(raw) >= 16:
			e = dynamic{elf.DynTag(f.order.Uint64(raw)), f.order.Uint64(raw[8:])}
			raw = raw[16:]
		}
		if e.tag == elf.DT_NULL {
			return es
		}
		es = append(es, e)
	}
}

// fileOffset is where the byte that is loaded at vaddr is in the file.
func (f *file) fileOffset(vaddr uint64) (uint64, error) {
	for _, s := range f.segments {
		if s.kind == elf.PT_LOAD && vaddr >= s.vaddr && vaddr-s.vaddr < s.size {
			return s.offset + (vaddr - s.vaddr), nil
		}
	}
	return 0, report.Errorf(report.Invalid, "ELF file: nothing is loaded at %#x, where its strings should be", vaddr)
}

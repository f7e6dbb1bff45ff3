// Package petest has an EFI program for tests of what puts sections into one (formats/pe).
package petest

import "encoding/binary"

// Stub is a small 64-bit EFI program shaped like the systemd stub: headers of 1 KiB with room for nine more
// sections, .text and .sbat 512 bytes aligned, and symbols behind them that Format must drop. It cannot run.
func Stub() []byte {
	p := make([]byte, 0x400+0x600+0x200+100)
	le := binary.LittleEndian
	copy(p, "MZ")
	le.PutUint32(p[0x3c:], 0x80)
	coff, opt, table := 0x80, 0x98, 0x188
	copy(p[coff:], "PE\x00\x00\x64\x86")
	le.PutUint16(p[coff+6:], 2)
	le.PutUint32(p[coff+12:], 0xc00) // symbols
	le.PutUint32(p[coff+16:], 5)
	le.PutUint16(p[coff+20:], 0xf0)
	le.PutUint16(p[coff+22:], 0x206)
	le.PutUint16(p[opt:], 0x20b)
	le.PutUint32(p[opt+4:], 0x600)
	le.PutUint32(p[opt+16:], 0x4000)
	le.PutUint32(p[opt+20:], 0x4000)
	le.PutUint32(p[opt+32:], 0x200)
	le.PutUint32(p[opt+36:], 0x200)
	le.PutUint32(p[opt+56:], 0x4a00)
	le.PutUint32(p[opt+60:], 0x400)
	le.PutUint32(p[opt+64:], 0x1234) // checksum
	le.PutUint16(p[opt+68:], 10)     // an EFI application
	le.PutUint32(p[opt+108:], 16)
	section := func(i int, name string, size, vma, raw, off, flags uint32) {
		s := p[table+40*i:]
		copy(s, name)
		for j, v := range []uint32{size, vma, raw, off} {
			le.PutUint32(s[8+4*j:], v)
		}
		le.PutUint32(s[36:], flags)
	}
	section(0, ".text", 0x5f0, 0x4000, 0x600, 0x400, 0x60000020)
	section(1, ".sbat", 0x42, 0x4800, 0x200, 0xa00, 0x40000040)
	for i := 0x400; i < len(p); i++ {
		p[i] = byte(i)
	}
	return p
}

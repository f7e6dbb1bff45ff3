package probe

import (
	"bytes"
	"fmt"
)

// vfat reads the boot sector of a FAT file system (Microsoft FAT specification 1.03), which has no magic worth the name:
// everything in it must make sense.
func vfat(r *reader) *Result {
	p := r.at(0, 512)
	if p == nil || string(p[510:]) != "\x55\xAA" {
		return nil
	}
	sector, cluster := uint32(le.Uint16(p[11:])), uint32(p[13])
	reserved, fats, media := uint32(le.Uint16(p[14:])), uint32(p[16]), p[21]
	if !power(sector, 512, 4096) || !power(cluster, 1, 128) || reserved == 0 || fats == 0 || fats > 4 || media != 0xF0 && media < 0xF8 {
		return nil
	}
	sectors, length := uint64(le.Uint16(p[19:])), uint64(le.Uint16(p[22:]))
	if sectors == 0 {
		sectors = uint64(le.Uint32(p[32:]))
	}
	is32 := length == 0
	if is32 {
		length = uint64(le.Uint32(p[36:]))
	}
	roots := uint64(le.Uint16(p[17:]))
	root := uint64(reserved) + uint64(fats)*length
	if length == 0 || sectors <= root || is32 != (roots == 0) {
		return nil
	}
	f := &Result{Name: VFAT, BlockSize: sector, FilesystemBlockSize: sector * cluster, Size: sectors * uint64(sector)}
	extended, at, n := p[36:], root, roots*32
	if is32 {
		first := uint64(le.Uint32(p[44:]))
		extended, at, n = p[64:], root+(max(first, 2)-2)*uint64(cluster), uint64(cluster*sector)
	}
	f.Label = fatLabel(r, int64(at)*int64(sector), int64(n))
	// A boot sector has a serial number and a label if its signature is 28 or, without the label, 29 hexadecimal.
	if sig := extended[2]; sig == 0x28 || sig == 0x29 {
		id := le.Uint32(extended[3:])
		f.UUID = fmt.Sprintf("%04X-%04X", id>>16, id&0xFFFF)
		if label := text(extended[7:18]); f.Label == "" && sig == 0x29 && label != "NO NAME" {
			f.Label = label
		}
	}
	return f
}

// fatLabel is the label in the root directory, of which n bytes at off are looked at.
func fatLabel(r *reader, off, n int64) string {
	const entry, most = 32, 512 << 10
	p := r.at(off, min(n, most))
	for ; len(p) >= entry && p[0] != 0; p = p[entry:] {
		const label, folder = 0x08, 0x10
		if attributes := p[11]; p[0] == 0xE5 || attributes&(label|folder) != label || attributes == 0x0F {
			continue
		}
		name := bytes.Clone(p[:11])
		if name[0] == 0x05 {
			name[0] = 0xE5
		}
		return text(name)
	}
	return ""
}

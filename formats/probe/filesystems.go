package probe

import (
	"bytes"
	"strings"
	"unicode/utf16"
)

// xfs reads sector 0 (struct xfs_dsb, "XFS Filesystem Disk Structures", 5.1).
func xfs(r *reader) *Result {
	p := r.at(0, 512)
	if p == nil || string(p[:4]) != "XFSB" {
		return nil
	}
	block, sector := be.Uint32(p[4:]), uint32(be.Uint16(p[102:]))
	if !power(block, 512, 65536) || !power(sector, 512, 32768) || block < sector {
		return nil
	}
	f := &Result{Name: XFS, Label: text(p[108:120]), UUID: uuid(p[32:48]), BlockSize: sector, FilesystemBlockSize: block, Size: be.Uint64(p[8:]) * uint64(block)}
	if version := be.Uint16(p[100:]) & 15; version == 5 {
		if whole := r.at(0, int64(sector)); whole != nil {
			sum := le.Uint32(whole[224:])
			clear(whole[224:228])
			if ^castagnoli(^uint32(0), whole) != sum {
				f.Damaged = "the checksum of the superblock is wrong"
			}
		}
	}
	return f
}

// Features of ext4 (struct ext4_super_block of the kernel).
const (
	extJournal    = 0x4 // compat
	extJournalDev = 0x8 // incompat
	ext64Bit      = 0x80
	extChecksum   = 0x400 // ro_compat

	ext2ROCompat = 0x1 | 0x2 | 0x4     // that ext2 and ext3 know
	ext2Incompat = 0x2 | 0x10          // that ext2 knows
	ext3Incompat = ext2Incompat | 1<<2 // and ext3
)

// ext reads the superblock at 1024, which names the newest of the three by its features.
func ext(r *reader) *Result {
	p := r.at(1024, 1024)
	if p == nil || le.Uint16(p[56:]) != 0xEF53 || le.Uint32(p[24:]) > 6 {
		return nil
	}
	compat, incompat, roCompat := le.Uint32(p[92:]), le.Uint32(p[96:]), le.Uint32(p[100:])
	if incompat&extJournalDev != 0 {
		return nil
	}
	block := uint32(1024) << le.Uint32(p[24:])
	blocks := uint64(le.Uint32(p[4:]))
	if incompat&ext64Bit != 0 {
		blocks |= uint64(le.Uint32(p[0x150:])) << 32
	}
	f := &Result{Name: Ext4, Label: text(p[120:136]), UUID: uuid(p[104:120]), BlockSize: block, FilesystemBlockSize: block, Size: blocks * uint64(block)}
	switch journal := compat&extJournal != 0; {
	case roCompat&^ext2ROCompat != 0:
	case !journal && incompat&^ext2Incompat == 0:
		f.Name = Ext2
	case journal && incompat&^ext3Incompat == 0:
		f.Name = Ext3
	}
	if roCompat&extChecksum != 0 && castagnoli(^uint32(0), p[:1020]) != le.Uint32(p[1020:]) {
		f.Damaged = "the checksum of the superblock is wrong"
	}
	return f
}

// btrfs reads the first superblock, at 64 KiB (struct btrfs_super_block).
func btrfs(r *reader) *Result {
	p := r.at(64<<10, 4096)
	if p == nil || string(p[64:72]) != "_BHRfS_M" {
		return nil
	}
	f := &Result{Name: Btrfs, Label: text(p[299:555]), UUID: uuid(p[32:48]), BlockSize: le.Uint32(p[144:]), FilesystemBlockSize: le.Uint32(p[144:]), Size: le.Uint64(p[112:])}
	if kind := le.Uint16(p[196:]); kind == 0 && ^castagnoli(^uint32(0), p[32:]) != le.Uint32(p) {
		f.Damaged = "the checksum of the superblock is wrong"
	}
	return f
}

// squashfs reads version 4.
func squashfs(r *reader) *Result {
	p := r.at(0, 96)
	if p == nil || string(p[:4]) != "hsqs" || le.Uint16(p[28:]) != 4 || !power(le.Uint32(p[12:]), 4096, 1<<20) {
		return nil
	}
	block := le.Uint32(p[12:])
	return &Result{Name: Squashfs, BlockSize: block, FilesystemBlockSize: block, Size: le.Uint64(p[40:])}
}

// erofs reads the superblock at 1024 (struct erofs_super_block).
func erofs(r *reader) *Result {
	p := r.at(1024, 128)
	if p == nil || le.Uint32(p) != 0xE0F5E1E2 || p[12] < 9 || p[12] > 16 {
		return nil
	}
	block := uint32(1) << p[12]
	return &Result{Name: EROFS, Label: text(p[64:80]), UUID: uuid(p[48:64]), BlockSize: block, FilesystemBlockSize: block, Size: uint64(le.Uint32(p[36:])) * uint64(block)}
}

// iso9660 reads the primary volume descriptor (ECMA-119, 8.4), and the label of the Joliet one, which has small letters.
func iso9660(r *reader) *Result {
	const start, sector = 32 << 10, 2048
	p := r.at(start, sector)
	if p == nil || string(p[:7]) != "\x01CD001\x01" {
		return nil
	}
	block := uint32(le.Uint16(p[128:]))
	f := &Result{Name: ISO9660, Label: text(p[40:72]), UUID: isoTime(p[830:846]), BlockSize: block, FilesystemBlockSize: block, Size: uint64(le.Uint32(p[80:])) * uint64(block)}
	if f.UUID == "" {
		f.UUID = isoTime(p[813:829])
	}
	for i := int64(1); i < 16; i++ { // descriptors that are looked at
		p := r.at(start+i*sector, sector)
		if p == nil || string(p[1:6]) != "CD001" || p[0] == 255 {
			break
		}
		if escape := string(p[88:91]); p[0] == 2 && (escape == "%/@" || escape == "%/C" || escape == "%/E") {
			f.Label = jolietLabel(f.Label, p[40:72])
		}
	}
	return f
}

// isoTime is a time of 16 digits as blkid makes a UUID of it, or "" where there is none.
func isoTime(p []byte) string {
	for _, c := range p {
		if c < '0' || c > '9' {
			return ""
		}
	}
	if len(bytes.Trim(p, "0")) == 0 {
		return ""
	}
	s := string(p)
	return strings.Join([]string{s[:4], s[4:6], s[6:8], s[8:10], s[10:12], s[12:14], s[14:]}, "-")
}

// jolietLabel is label with the letters of its Joliet form, which is cut to 16 characters, if that is the same text.
func jolietLabel(label string, p []byte) string {
	units := make([]uint16, len(p)/2)
	for i := range units {
		units[i] = be.Uint16(p[2*i:])
	}
	joliet := text([]byte(string(utf16.Decode(units))))
	if n := len(joliet); n == 0 || n > len(label) || !strings.EqualFold(joliet, label[:n]) {
		return label
	}
	return joliet + label[len(joliet):]
}

// swap reads the header of mkswap(8), whose magic ends the first page, whatever the machine's pages.
func swap(r *reader) *Result {
	for page := int64(4096); page <= 64<<10; page *= 2 {
		p := r.at(1024, 44)
		if p == nil || !r.magic(page-10, "SWAPSPACE2") {
			continue
		}
		order := le.Uint32
		if be.Uint32(p) == 1 {
			order = be.Uint32
		}
		return &Result{Name: Swap, Label: text(p[28:44]), UUID: uuid(p[12:28]), BlockSize: uint32(page), FilesystemBlockSize: uint32(page), Size: uint64(order(p[4:])) * uint64(page)}
	}
	return nil
}

// talosMeta looks for either copy of the list of machine/meta.
func talosMeta(r *reader) *Result {
	const size, copySize = 1 << 20, 256 << 10
	if r.b.Size() != size {
		return nil
	}
	for at := int64(0); at <= copySize; at += copySize {
		if r.magic(at, "\x5a\x4b\x3c\x2d") && r.magic(at+copySize-4, "\xa5\xb4\xc3\xd2") {
			return &Result{Name: TalosMeta, Size: size}
		}
	}
	return nil
}

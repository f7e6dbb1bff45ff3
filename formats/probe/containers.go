package probe

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
)

// luks reads LUKS1 and LUKS2 (LUKS2 On-Disk Format Specification 1.1.1, 2). A LUKS2 header has a copy, which serves where
// the first is damaged. A header of which both are damaged is reported too: there are keys behind it.
func luks(r *reader) *Result {
	p := r.at(0, 592)
	first := p != nil && string(p[:6]) == "LUKS\xba\xbe"
	if first && be.Uint16(p[6:]) == 1 {
		return &Result{Name: LUKS, UUID: text(p[168:208])}
	}
	if f := luks2(r, 0, "LUKS\xba\xbe"); f != nil && f.Damaged == "" {
		return f
	}
	for at := int64(16 << 10); at <= 4<<20; at *= 2 {
		if f := luks2(r, at, "SKUL\xba\xbe"); f != nil && f.Damaged == "" {
			f.Damaged = "the first header is damaged"
			return f
		}
	}
	if f := luks2(r, 0, "LUKS\xba\xbe"); f != nil {
		f.Damaged = "both headers are damaged"
		return f
	}
	return nil
}

// luks2 is the header at off with that magic.
func luks2(r *reader, off int64, magic string) *Result {
	p := r.at(off, 4096)
	if p == nil || string(p[:6]) != magic || be.Uint16(p[6:]) != 2 {
		return nil
	}
	f := &Result{Name: LUKS, Label: text(p[24:72]), UUID: text(p[168:208])}
	if !luks2Sum(r, off, p) {
		f.Damaged = "the checksum of the header is wrong"
	}
	return f
}

// luks2Sum tells whether the checksum of the header at off, which begins with p, is right. One by a function that
// cryptsetup does not use by itself is taken for right.
func luks2Sum(r *reader, off int64, p []byte) bool {
	size := be.Uint64(p[8:])
	if be.Uint64(p[256:]) != uint64(off) || size < 16<<10 || size > 4<<20 || size&(size-1) != 0 {
		return false
	}
	whole := r.at(off, int64(size))
	if whole == nil {
		return false
	}
	want := bytes.Clone(whole[448:512])
	clear(whole[448:512])
	switch text(p[72:104]) {
	case "sha256":
		sum := sha256.Sum256(whole)
		return bytes.Equal(sum[:], want[:len(sum)])
	case "sha512":
		sum := sha512.Sum512(whole)
		return bytes.Equal(sum[:], want)
	}
	return true
}

// lvm2 looks for the label of a physical volume in the first four sectors (lib/format_text/layout.h of LVM2).
func lvm2(r *reader) *Result {
	for sector := range int64(4) {
		p := r.at(sector*512, 512)
		if p == nil || string(p[:8]) != "LABELONE" || string(p[24:32]) != "LVM2 001" || le.Uint64(p[8:]) != uint64(sector) {
			continue
		}
		at := le.Uint32(p[20:])
		if at < 32 || at > 512-40 {
			continue
		}
		id := strings.ToValidUTF8(string(p[at:at+32]), "?")
		f := &Result{Name: LVM2, Size: le.Uint64(p[at+32:])}
		if len(id) == 32 {
			f.UUID = strings.Join([]string{id[:6], id[6:10], id[10:14], id[14:18], id[18:22], id[22:26], id[26:]}, "-")
		}
		if lvmSum(p[20:]) != le.Uint32(p[16:]) {
			f.Damaged = "the checksum of the label is wrong"
		}
		return f
	}
	return nil
}

// mdraid looks for superblocks of Linux's software RAID: versions 1.1 at the start, 1.2 at 4 KiB, 1.0 and 0.90 at the end
// (struct mdp_superblock_1 and mdp_superblock_s of the kernel).
func mdraid(r *reader) *Result {
	const magic = 0xA92B4EFC
	sectors := r.b.Size() / 512
	for _, at := range []int64{0, 8, (sectors - 16) &^ 7} {
		p := r.at(at*512, 256)
		if p == nil || le.Uint32(p) != magic || le.Uint32(p[4:]) != 1 || le.Uint64(p[144:]) != uint64(at) {
			continue
		}
		return &Result{Name: MDRAID, Label: text(p[32:64]), UUID: uuid(p[16:32]), Size: le.Uint64(p[136:]) * 512}
	}
	const reserved = 64 << 10
	p := r.at(r.b.Size()&^(reserved-1)-reserved, 128)
	for _, order := range []binary.ByteOrder{le, be} {
		if p != nil && order.Uint32(p) == magic && order.Uint32(p[4:]) == 0 {
			id := []byte{}
			for _, at := range []int{20, 52, 56, 60} {
				id = be.AppendUint32(id, order.Uint32(p[at:]))
			}
			return &Result{Name: MDRAID, UUID: uuid(id), Size: uint64(order.Uint32(p[32:])) * 1024}
		}
	}
	return nil
}

// bluestore is text at the start (bluestore_bdev_label_t of Ceph).
func bluestore(r *reader) *Result {
	const magic = "bluestore block device\n"
	p := r.at(0, int64(len(magic))+37)
	if p == nil || !bytes.HasPrefix(p, []byte(magic)) {
		return nil
	}
	return &Result{Name: Bluestore, UUID: strings.TrimSpace(text(p[len(magic):]))}
}

// zfs looks at the first two labels of a device, each with a list of names and values and a ring of uberblocks (ZFS
// On-Disk Specification, 1.2 and 1.3). Those at the end alone are the remains of a pool.
func zfs(r *reader) *Result {
	const label, list, ring, magic = 256 << 10, 16 << 10, 128 << 10, 0x00BAB10C
	for at := int64(0); at <= label; at += label {
		uberblocks := r.at(at+ring, ring)
		for off := 0; off < len(uberblocks); off += 1024 {
			u := uberblocks[off:]
			if le.Uint64(u) != magic && be.Uint64(u) != magic {
				continue
			}
			f := &Result{Name: ZFS}
			if p := r.at(at+list, ring-list); p != nil {
				zfsNames(f, p)
			}
			return f
		}
	}
	return nil
}

// zfsNames reads the pool's name and GUID from a list of names and values in XDR (RFC 4506): for each its length in both
// forms, name, type, count and value.
func zfsNames(f *Result, p []byte) {
	const typeUint64, typeString = 8, 9
	if len(p) < 12 || p[0] != 1 {
		return
	}
	for p = p[12:]; len(p) >= 12; {
		size, nameSize := be.Uint32(p), be.Uint32(p[8:])
		if size < 12 || uint64(size) > uint64(len(p)) || uint64(nameSize)+24 > uint64(size) {
			return
		}
		name, pair := string(p[12:12+nameSize]), p[12+(nameSize+3)&^3:size]
		if len(pair) >= 16 {
			switch kind := be.Uint32(pair); {
			case name == "name" && kind == typeString:
				n := min(uint64(be.Uint32(pair[8:])), uint64(len(pair)-12))
				f.Label = text(pair[12 : 12+n])
			case name == "pool_guid" && kind == typeUint64:
				f.UUID = strconv.FormatUint(be.Uint64(pair[8:]), 10)
			}
		}
		p = p[size:]
	}
}

// lvmSum is the checksum that LVM2 has over the label behind it.
func lvmSum(p []byte) uint32 {
	const seed = 0xF597A6CF
	return ^crc32.Update(^uint32(seed), crc32.IEEETable, p)
}

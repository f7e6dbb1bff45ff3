// Package probe tells what is on a disk or partition by its superblock: file systems, and what holds others (LUKS, LVM,
// RAID, GPT). It reads some kilobytes at known places, and knows the types of the configuration guide (section 5), with
// the guide's names, and erofs, btrfs and mdraid.
//
// Where more than one superblock is there, what holds the others wins: RAID members, which may have theirs at the end,
// then LUKS, LVM and Ceph, partition tables, file systems; and within a kind what has a checksum over what has none. An
// image that is an ISO 9660 file system and has a partition table too is iso9660 if the table was made for it, gpt if the
// disk was partitioned anew since.
//
// Left out: tables of partitions in a master boot record, journals of ext on devices of their own, suspended machines in
// swap, LVM1, and what a superblock refers to.
package probe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
)

// Names of what is recognized.
const (
	Bluestore = "bluestore"
	Btrfs     = "btrfs"
	EROFS     = "erofs"
	Ext2      = "ext2"
	Ext3      = "ext3"
	Ext4      = "ext4"
	GPT       = "gpt"
	ISO9660   = "iso9660"
	LUKS      = "luks" // 1 and 2
	LVM2      = "lvm2"
	MDRAID    = "mdraid"
	Squashfs  = "squashfs"
	Swap      = "swap"
	TalosMeta = "talosmeta" // package machine/meta
	VFAT      = "vfat"      // FAT12, FAT16 and FAT32
	XFS       = "xfs"
	ZFS       = "zfs"
)

// Result is what was recognized. Fields that the type does not have are empty.
type Result struct {
	Name                string // one of the above, or ""
	Label               string
	UUID                string // as blkid(8) writes it; of vfat the serial number, "" where it is all zeros
	BlockSize           uint32 // smallest unit of access in bytes
	FilesystemBlockSize uint32 // unit of allocation in bytes
	Size                uint64 // what the content says it takes, in bytes
	// Damaged says what is wrong with a superblock that is nevertheless clearly of this type, such as a wrong checksum.
	Damaged string
	// Also are the names of other superblocks that are there, which are remains of what was there before.
	Also []string
	// Blank tells that nothing was recognized and the first and last MiB hold only zeros.
	Blank bool
}

// probers look for one type each, in the order in which they win.
func probers() []func(*reader) *Result {
	return []func(*reader) *Result{
		mdraid, luks, lvm2, bluestore, partitionTable, xfs, ext, btrfs, squashfs, erofs, iso9660, zfs, swap, talosMeta, vfat, backupTable,
	}
}

// Probe looks at b. An error is one of reading; nothing is known then. Where only places could not be read that do not
// matter for what was recognized, there is no error.
func Probe(b blob.Blob) (Result, error) {
	r := newReader(b)
	var found []*Result
	for _, probe := range probers() {
		if f := probe(r); f != nil {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		blank := r.blank()
		return Result{Blank: blank && r.err == nil}, r.err
	}
	first := choose(found)
	for _, f := range found {
		if f.Name != first.Name {
			first.Also = append(first.Also, f.Name)
		}
	}
	first.UUID = notZero(first.UUID)
	return *first, nil
}

// choose is the first of found, except that an image with a table of its own is an image.
func choose(found []*Result) *Result {
	first := found[0]
	for _, f := range found[1:] {
		const atMost = 2 << 20 // padding and backup table behind the file system
		if first.Name == GPT && f.Name == ISO9660 && first.Size >= f.Size && first.Size-f.Size <= atMost {
			return f
		}
	}
	return first
}

// reader reads pieces of a Blob and keeps the first error. Nearly all pieces are small, and lie in the windows at its start and
// end, which are read at once where they can be.
type reader struct {
	b       blob.Blob
	windows []window
	err     error
}

// window is what is at an offset.
type window struct {
	off int64
	p   []byte
}

func newReader(b blob.Blob) *reader {
	const start, end = 68 << 10, 16 << 10
	r := &reader{b: b}
	for _, w := range []window{{0, make([]byte, min(start, b.Size()))}, {max(0, b.Size()-end), make([]byte, min(end, b.Size()))}} {
		if blob.ReadFull(b, w.p, w.off) == nil {
			r.windows = append(r.windows, w)
		}
	}
	return r
}

// at are n bytes at off; nil where there are none or they cannot be read.
func (r *reader) at(off, n int64) []byte {
	if off < 0 || n < 0 || off > r.b.Size()-n {
		return nil
	}
	for _, w := range r.windows {
		if off >= w.off && off+n <= w.off+int64(len(w.p)) {
			return bytes.Clone(w.p[off-w.off:][:n])
		}
	}
	p := make([]byte, n)
	if err := blob.ReadFull(r.b, p, off); err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("read %d bytes at %d: %w", n, off, err)
		}
		return nil
	}
	return p
}

// magic tells whether text is at off.
func (r *reader) magic(off int64, text string) bool {
	return string(r.at(off, int64(len(text)))) == text
}

// blank tells whether the first and last MiB are zero.
func (r *reader) blank() bool {
	n := min(r.b.Size(), 1<<20)
	for _, off := range []int64{0, r.b.Size() - n} {
		if p := r.at(off, n); p == nil || len(bytes.TrimLeft(p, "\x00")) > 0 {
			return false
		}
	}
	return true
}

// le and be read numbers.
var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// castagnoli is CRC-32C as file systems have it, from seed and without the last inversion.
func castagnoli(seed uint32, p []byte) uint32 {
	return ^crc32.Update(^seed, crc32.MakeTable(crc32.Castagnoli), p)
}

// uuid is the text form of 16 bytes.
func uuid(p []byte) string {
	h := hex.EncodeToString(p)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// notZero is the UUID s, or "" where all its digits are zero.
func notZero(s string) string {
	if strings.Trim(s, "0-") == "" {
		return ""
	}
	return s
}

// text is what comes before the first NUL, without spaces behind it. What is no UTF-8 is replaced.
func text(p []byte) string {
	p, _, _ = bytes.Cut(p, []byte{0})
	return strings.TrimRight(strings.ToValidUTF8(string(p), "\uFFFD"), " ")
}

// power tells whether n is a power of two from low to high.
func power(n, low, high uint32) bool { return n >= low && n <= high && n&(n-1) == 0 }

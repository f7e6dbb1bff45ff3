// Package ldcache reads and writes /etc/ld.so.cache of the GNU C library, in which its dynamic linker finds shared libraries
// by name (elf/cache.c and sysdeps/generic/dl-cache.h; the format that calls itself glibc-ld.so.cache1.1).
//
// Left out: the format of libc5, whole or in front of the other; the subfolders of glibc-hwcaps and the older bits of
// hardware capabilities; the extension that says which ldconfig made the file; big-endian files.
package ldcache

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"math"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Entry is a library.
type Entry struct {
	Name  string // by which others need it, such as libz.so.1
	Path  string // of its file
	Flags Flags
}

// Flags say which linker takes the library: one of another machine passes it over.
type Flags uint32

// The libraries of the GNU C library for the two machines that there are bases for (FLAG_ELF_LIBC6 with
// FLAG_X8664_LIB64 or FLAG_AARCH64_LIB64).
const (
	AMD64 Flags = 0x0303
	ARM64 Flags = 0x0a03
)

// FlagsOf are those of libraries for m with 64 bits; false where they are unknown.
func FlagsOf(m elf.Machine) (Flags, bool) {
	f, ok := map[elf.Machine]Flags{elf.EM_X86_64: AMD64, elf.EM_AARCH64: ARM64}[m]
	return f, ok
}

const (
	magic        = "glibc-ld.so.cache1.1"
	littleEndian = 2 // cache_file_new_flags_endian_little
	maxEntries   = 1 << 20
	maxBytes     = 64 << 20
)

// header is struct cache_file_new, without the entries that follow it.
type header struct {
	Magic     [len(magic)]byte
	Entries   uint32
	Strings   uint32 // bytes of strings, which follow the entries
	Endian    uint8
	_         [3]byte
	Extension uint32 // offset in the file; 0 is none
	_         [3]uint32
}

// row is struct file_entry_new. Strings are at offsets in the file and end with a NUL.
type row struct {
	Flags      uint32
	Name, Path uint32
	_          uint32 // once the oldest kernel that it runs on
	Hardware   uint64 // capabilities that it needs
}

// Format is the cache with entries, in the order in which the linker looks for them. Of two with one name and flags the
// linker takes the first. A name or path that is empty or holds a NUL is Invalid.
func Format(entries []Entry) (blob.Blob, error) {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Or(Compare(b.Name, a.Name), cmp.Compare(b.Flags, a.Flags)) })
	if len(entries) > maxEntries {
		return nil, report.Errorf(report.Unsupported, "a cache of %d libraries", len(entries))
	}
	h := header{Entries: uint32(len(entries)), Endian: littleEndian}
	copy(h.Magic[:], magic)
	rows := make([]row, len(entries))
	pool := pool{start: binary.Size(h) + binary.Size(rows), at: map[string]uint32{}}
	for i, e := range entries {
		for _, s := range []string{e.Name, e.Path} {
			if s == "" || bytes.IndexByte([]byte(s), 0) >= 0 {
				return nil, report.Errorf(report.Invalid, "a cache cannot hold the library %.100q at %.100q", e.Name, e.Path)
			}
		}
		rows[i] = row{Flags: uint32(e.Flags), Name: pool.add(e.Name), Path: pool.add(e.Path)}
	}
	if pool.start+len(pool.text) > maxBytes {
		return nil, report.Errorf(report.Unsupported, "a cache of %d bytes", pool.start+len(pool.text))
	}
	h.Strings = uint32(len(pool.text))
	out, err := binary.Append(nil, binary.LittleEndian, h)
	if err == nil {
		out, err = binary.Append(out, binary.LittleEndian, rows)
	}
	return blob.Bytes(append(out, pool.text...)), err
}

// pool is strings, each once.
type pool struct {
	start int // offset of text in the file
	text  []byte
	at    map[string]uint32
}

func (p *pool) add(s string) uint32 {
	at, ok := p.at[s]
	if !ok {
		at = uint32(min(p.start+len(p.text), math.MaxUint32))
		p.at[s] = at
		p.text = append(append(p.text, s...), 0)
	}
	return at
}

// Read is the entries in b, in their order. What is no cache of this format is Invalid or Unsupported.
func Read(b blob.Blob) ([]Entry, error) {
	data, err := blob.ReadAll(b, maxBytes)
	if err != nil {
		return nil, err
	}
	var h header
	if _, err := binary.Decode(data, binary.LittleEndian, &h); err != nil || string(h.Magic[:]) != magic {
		return nil, report.Errorf(report.Unsupported, "not a linker's cache of format %s", magic)
	}
	if h.Endian != 0 && h.Endian != littleEndian {
		return nil, report.Errorf(report.Unsupported, "linker's cache of byte order %d; read is 2, little endian", h.Endian)
	}
	size, each := uint64(binary.Size(h)), uint64(binary.Size(row{}))
	if uint64(h.Entries) > (uint64(len(data))-size)/each {
		return nil, report.Errorf(report.Invalid, "linker's cache cut short: %d entries do not fit its %d bytes", h.Entries, len(data))
	}
	rows := make([]row, h.Entries)
	if _, err := binary.Decode(data[size:], binary.LittleEndian, rows); err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(rows))
	for i, r := range rows {
		name, ok := text(data, r.Name)
		file, ok2 := text(data, r.Path)
		if !ok || !ok2 {
			return nil, report.Errorf(report.Invalid, "linker's cache: the strings of entry %d, at offsets %d and %d, are not in it", i, r.Name, r.Path)
		}
		out = append(out, Entry{Name: name, Path: file, Flags: Flags(r.Flags)})
	}
	return out, nil
}

// maxText is how long a string may be, so that a file in which all share one stays small when it is read.
const maxText = 4096

func text(data []byte, at uint32) (string, bool) {
	if uint64(at) >= uint64(len(data)) {
		return "", false
	}
	rest := data[at:]
	n := bytes.IndexByte(rest[:min(len(rest), maxText)], 0)
	if n < 1 {
		return "", false
	}
	return string(rest[:n]), true
}

// Compare orders names as the linker does (_dl_cache_libcmp): digits by the number that they make.
func Compare(a, b string) int {
	for a != "" {
		switch {
		case b == "":
			return 1
		case isDigit(a[0]) && isDigit(b[0]):
			var x, y int32 // which overflow, as those of the linker
			x, a = number(a)
			y, b = number(b)
			if x != y {
				return cmp.Compare(x, y)
			}
		case isDigit(a[0]):
			return 1
		case isDigit(b[0]):
			return -1
		case a[0] != b[0]:
			return cmp.Compare(a[0], b[0])
		default:
			a, b = a[1:], b[1:]
		}
	}
	return cmp.Compare(len(a), len(b))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func number(s string) (n int32, rest string) {
	for s != "" && isDigit(s[0]) {
		n, s = n*10+int32(s[0]-'0'), s[1:]
	}
	return n, s
}

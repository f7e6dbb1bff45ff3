// Package linux reads what a bootable Linux kernel says of itself: architecture, release, EFI stub, payload.
//
// It follows Documentation/arch/x86/boot.rst (bzImage, boot protocol 2.02 and later), Documentation/arch/arm64/booting.rst
// (Image) and drivers/firmware/efi/libstub/zboot-header.S (EFI zboot). Left out: other architectures, compressed files
// around a kernel (Image.gz), and unpacking a payload other than a gzip one, whose release is then unknown.
package linux

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Format is how a kernel is packed.
type Format string

// The formats.
const (
	BzImage Format = "bzImage"
	Image   Format = "Image" // arm64, uncompressed
	Zboot   Format = "EFI zboot"
)

// Kernel is what Read found. Release and Banner are empty where they are unknown; a 64-bit x86 kernel older than Linux
// 3.8 does not say so and counts as 386.
type Kernel struct {
	Format      Format
	Arch        string    // as Go names it: amd64, 386 or arm64
	Release     string    // as uname -r prints it, such as "6.1.0-56-amd64"
	Banner      string    // release, builder and build number
	EFIStub     bool      // the file is an EFI program too
	Protocol    string    // of a bzImage: the boot protocol, such as "2.15"
	Payload     blob.Blob // the compressed kernel inside; nil where there is none
	Compression string    // of Payload: gzip, xz, zstd, lz4 …; empty where unknown
}

const (
	headerBytes = 0x260     // all fixed fields of all formats
	maxImage    = 128 << 20 // how far an uncompressed kernel is searched for its banner
	bannerText  = "Linux version "
	bannerMax   = 512
)

// Read recognizes a kernel by its header. Of an arm64 kernel it searches the first 128 MiB for the release.
func Read(b blob.Blob) (*Kernel, error) {
	head := make([]byte, min(b.Size(), headerBytes))
	if err := blob.ReadFull(b, head, 0); err != nil {
		return nil, err
	}
	at := func(off int, text string) bool {
		return len(head) == headerBytes && string(head[off:off+len(text)]) == text
	}
	switch {
	case at(0x202, "HdrS"):
		return readBzImage(b, head)
	case at(56, "ARM\x64"):
		return readImage(b, head)
	case at(0, "MZ") && at(4, "zimg"):
		return readZboot(b, head)
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return nil, report.WithHint(report.Errorf(report.Invalid, "not a kernel but a gzip file"), "unpack it first")
	}
	return nil, report.Errorf(report.Invalid, "not a Linux kernel: no bzImage, arm64 Image or EFI zboot header in the first %d bytes", len(head))
}

func (k *Kernel) setBanner(s string) {
	k.Banner = strings.TrimSpace(s)
	k.Release, _, _ = strings.Cut(k.Banner, " ")
}

// readBzImage reads the x86 setup header ("The Real-Mode Kernel Header").
func readBzImage(b blob.Blob, head []byte) (*Kernel, error) {
	u16 := func(off int) uint16 { return binary.LittleEndian.Uint16(head[off:]) }
	u32 := func(off int) int64 { return int64(binary.LittleEndian.Uint32(head[off:])) }
	protocol := u16(0x206)
	k := &Kernel{Format: BzImage, Arch: "386", EFIStub: head[0] == 'M' && head[1] == 'Z', Protocol: fmt.Sprintf("%d.%02d", protocol>>8, protocol&0xff)}
	setup := int64(head[0x1f1])
	if setup == 0 {
		setup = 4 // "if 0, the real value is 4"
	}
	setup = (setup + 1) * 512
	if setup > b.Size() {
		return nil, report.Errorf(report.Invalid, "bzImage of %d bytes is truncated: its setup code alone has %d", b.Size(), setup)
	}
	if name := int64(u16(0x20e)); name != 0 && name+0x200 < setup {
		s, err := readString(b, name+0x200, min(setup, name+0x200+bannerMax))
		if err != nil {
			return nil, err
		}
		k.setBanner(s)
	}
	if protocol >= 0x20c && u16(0x236)&1 != 0 { // xloadflags, XLF_KERNEL_64
		k.Arch = "amd64"
	}
	if protocol >= 0x208 {
		off, n := setup+u32(0x248), u32(0x24c)
		if off > b.Size()-n {
			return nil, report.Errorf(report.Invalid, "bzImage of %d bytes is truncated: its payload at offset %d has %d bytes", b.Size(), off, n)
		}
		if n > 0 {
			return k, k.setPayload(blob.Slice(b, off, n))
		}
	}
	return k, nil
}

// readImage searches a raw arm64 kernel for linux_banner.
func readImage(b blob.Blob, head []byte) (*Kernel, error) {
	k := &Kernel{Format: Image, Arch: "arm64", EFIStub: head[0] == 'M' && head[1] == 'Z'}
	s, err := findBanner(io.NewSectionReader(b, 0, min(b.Size(), maxImage)))
	if err != nil {
		return nil, err
	}
	k.setBanner(s)
	return k, nil
}

// readZboot reads a kernel that unpacks itself as an EFI program; the architecture is that of its PE header.
func readZboot(b blob.Blob, head []byte) (*Kernel, error) {
	k := &Kernel{Format: Zboot, EFIStub: true}
	pe, off, n := binary.LittleEndian.Uint32(head[0x3c:]), int64(binary.LittleEndian.Uint32(head[8:])), int64(binary.LittleEndian.Uint32(head[12:]))
	if pe > headerBytes-6 || off > b.Size()-n {
		return nil, report.Errorf(report.Invalid, "EFI zboot kernel of %d bytes is truncated: its payload at offset %d has %d bytes", b.Size(), off, n)
	}
	if machine := binary.LittleEndian.Uint16(head[pe+4:]); machine != 0xaa64 {
		return nil, report.Errorf(report.Unsupported, "EFI zboot kernel for PE machine %#x; arm64 (0xaa64) is known", machine)
	}
	k.Arch = "arm64"
	if err := k.setPayload(blob.Slice(b, off, n)); err != nil || k.Compression != "gzip" {
		return k, err
	}
	unpacked, err := gzip.NewReader(blob.Reader(k.Payload))
	if err != nil {
		return k, nil // what it holds is unknown, but it is a kernel
	}
	if s, err := findBanner(io.LimitReader(unpacked, maxImage)); err == nil {
		k.setBanner(s)
	}
	return k, nil
}

func (k *Kernel) setPayload(p blob.Blob) error {
	magic := make([]byte, min(p.Size(), 9))
	if err := blob.ReadFull(p, magic, 0); err != nil {
		return err
	}
	k.Payload = p
	for _, c := range []struct{ name, magic string }{ // as lib/decompress.c has them
		{"gzip", "\x1f\x8b"}, {"xz", "\xfd7zXZ\x00"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"lz4", "\x02\x21\x4c\x18"},
		{"lzma", "\x5d\x00\x00"}, {"lzo", "\x89LZO\x00\r\n\x1a\n"}, {"bzip2", "BZh"},
	} {
		if bytes.HasPrefix(magic, []byte(c.magic)) {
			k.Compression = c.name
		}
	}
	return nil
}

// readString is the printable text from off up to a NUL or end.
func readString(b blob.Blob, off, end int64) (string, error) {
	p := make([]byte, end-off)
	if err := blob.ReadFull(b, p, off); err != nil {
		return "", err
	}
	return cutPrintable(p), nil
}

func cutPrintable(p []byte) string {
	if i := bytes.IndexFunc(p, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
		p = p[:i]
	}
	return string(p)
}

// findBanner reads r until it has seen "Linux version " and a digit, and returns the text from the digit on; the empty
// string where r ends without it.
func findBanner(r io.Reader) (string, error) {
	const step = 1 << 20
	buf := make([]byte, 0, step+bannerMax)
	for {
		n, err := io.ReadFull(r, buf[len(buf):len(buf)+step])
		buf = buf[:len(buf)+n]
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return "", err
		}
		for p := buf; ; {
			i := bytes.Index(p, []byte(bannerText))
			if i < 0 || !last && i > len(p)-bannerMax {
				break
			}
			p = p[i+len(bannerText):]
			if len(p) > 0 && '0' <= p[0] && p[0] <= '9' {
				return cutPrintable(p[:min(len(p), bannerMax-len(bannerText))]), nil
			}
		}
		if last {
			return "", nil
		}
		buf = buf[:copy(buf[:cap(buf)], buf[max(0, len(buf)-bannerMax):])]
	}
}

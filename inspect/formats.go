package inspect

import (
	"bytes"
	"unicode/utf8"

	"github.com/bootwright/bootwright/formats/qcow2"
	"github.com/bootwright/bootwright/formats/vhdx"
	"github.com/bootwright/bootwright/formats/vmdk"
)

// format is one kind of content: how it is recognised, and what looks inside.
type format struct {
	name string
	is   func(probe) bool
	open func(*opener, *Item, int) error
}

// formats is the table, the more certain signs first: an ISO that is a disk too is an ISO.
func formats() []format {
	return []format{
		{"iso9660", func(p probe) bool { return p.at(32769, "CD001") }, openISO},
		{"qcow2", func(p probe) bool { return p.at(0, "QFI\xfb") }, openVirtual(qcow2.Read)},
		{"vmdk", func(p probe) bool { return p.at(0, "KDMV") }, openVirtual(vmdk.Read)},
		{"vhdx", func(p probe) bool { return p.at(0, "vhdxfile") }, openVirtual(vhdx.Read)},
		{"meta", func(p probe) bool { return p.at(0, "\x5a\x4b\x3c\x2d") }, openMeta},
		{"gpt", func(p probe) bool { return p.at(512, "EFI PART") || p.at(4096, "EFI PART") }, openGPT},
		{"linux", isKernel, openKernel},
		{"pe", func(p probe) bool { return p.at(0, "MZ") }, openPE},
		{"elf", func(p probe) bool { return p.at(0, "\x7fELF") }, openELF},
		{"squashfs", func(p probe) bool { return p.at(0, "hsqs") }, openSquashfs},
		{"archives", func(p probe) bool { return p.at(0, "07070") || packed(p.head) != "" }, openArchives},
		{"tar", func(p probe) bool { return p.at(257, "ustar") }, openTar},
		{"fat", isFAT, openFAT},
		{"text", isText, openText},
	}
}

func isKernel(p probe) bool {
	return p.at(0x202, "HdrS") || p.at(56, "ARM\x64") || p.at(0, "MZ\x00\x00zimg")
}

// isFAT asks for a jump, a sector size and the boot signature; everything else is fat.Read's to judge.
func isFAT(p probe) bool {
	return p.at(510, "\x55\xaa") && (p.head[0] == 0xeb || p.head[0] == 0xe9) && p.head[11] == 0 &&
		(p.at(54, "FAT") || p.at(82, "FAT"))
}

// packed names the compression that head begins with, of those that the kernel unpacks.
func packed(head []byte) string {
	for _, c := range []struct{ name, magic string }{
		{"zstd", "\x28\xb5\x2f\xfd"}, {"gzip", "\x1f\x8b\x08"}, {"xz", "\xfd7zXZ\x00"}, {"lz4", "\x02\x21\x4c\x18"}, {"bzip2", "BZh"},
	} {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return c.name
		}
	}
	return ""
}

// isText: valid UTF-8 without control characters but those of plain text, cut anywhere.
func isText(p probe) bool {
	h := p.head
	for i := 0; i < utf8.UTFMax && len(h) > 0 && int64(len(p.head)) < p.size && !utf8.Valid(h); i++ {
		h = h[:len(h)-1]
	}
	return len(h) > 0 && utf8.Valid(h) && !bytes.ContainsFunc(h, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
	})
}

// shown is how much of a text is a fact of its own; longer ones are for `bootwright cat`.
const shown = 4096

func openText(_ *opener, it *Item, _ int) error {
	if it.Size > shown {
		return nil
	}
	p := make([]byte, it.Size)
	if _, err := it.Blob.ReadAt(p, 0); err != nil && int64(len(p)) != it.Size {
		return err
	}
	it.fact("text", string(bytes.TrimRight(p, "\n")))
	return nil
}

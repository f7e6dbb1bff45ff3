package inspect

import (
	debugelf "debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/elf"
	"github.com/bootwright/bootwright/formats/linux"
	"github.com/bootwright/bootwright/formats/pe"
)

func openKernel(_ *opener, it *Item, _ int) error {
	k, err := linux.Read(it.Blob)
	if err != nil {
		return err
	}
	it.fact("kernel", k.Release)
	it.fact("arch", k.Arch)
	it.fact("format", string(k.Format))
	it.fact("compression", k.Compression)
	return nil
}

// openPE shows the sections of a UKI as items; those of other programs mean nothing to the people who look here.
func openPE(o *opener, it *Item, depth int) error {
	f, err := pe.Read(it.Blob)
	if err != nil {
		return err
	}
	it.fact("arch", f.Machine.String())
	it.fact("signed", map[bool]string{true: "yes", false: "no"}[f.Signature != nil])
	if !f.IsUKI() {
		return nil
	}
	it.Type = "uki"
	for _, s := range f.Sections {
		switch s.Name {
		case ".text", ".data", ".rdata", ".reloc", ".sdmagic", ".rodata", ".dynamic", ".dynsym", ".rela":
			continue
		}
		child, ok := o.add(it, s.Name, s.Content, depth)
		if !ok {
			return nil
		}
		switch s.Name {
		case ".cmdline":
			it.fact("cmdline", child.Facts.Get("text"))
		case ".linux":
			it.fact("kernel", child.Facts.Get("kernel"))
		}
	}
	return nil
}

func openELF(_ *opener, it *Item, _ int) error {
	e, err := elf.Needed(it.Blob)
	if err != nil {
		return err
	}
	it.fact("arch", goArch(e.Machine))
	if program := e.Type == debugelf.ET_EXEC || e.Type == debugelf.ET_DYN; program && e.Interp == "" && len(e.Needed) == 0 {
		it.fact("linked", "statically")
	}
	it.fact("needs", strings.Join(e.Needed, " "))
	return nil
}

// goArch is how bootwright calls the machine of an ELF file.
func goArch(m debugelf.Machine) string {
	switch m {
	case debugelf.EM_X86_64:
		return "amd64"
	case debugelf.EM_AARCH64:
		return "arm64"
	}
	return m.String()
}

// openSquashfs reads the superblock (squashfs 4.0, little-endian).
func openSquashfs(_ *opener, it *Item, _ int) error {
	var sb [96]byte
	if err := blob.ReadFull(it.Blob, sb[:], 0); err != nil {
		return fmt.Errorf("squashfs without a whole superblock: %w", err)
	}
	le := binary.LittleEndian
	compression := map[uint16]string{1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}[le.Uint16(sb[20:])]
	it.fact("compression", compression)
	it.fact("inodes", fmt.Sprint(le.Uint32(sb[4:])))
	it.fact("block size", fmt.Sprint(le.Uint32(sb[12:])))
	it.fact("made", time.Unix(int64(le.Uint32(sb[8:])), 0).UTC().Format(time.RFC3339))
	if used := le.Uint64(sb[40:]); used > uint64(it.Size) {
		return fmt.Errorf("truncated: the superblock says %d bytes, there are %d", used, it.Size)
	}
	return nil
}

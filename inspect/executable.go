package inspect

import (
	debugelf "debug/elf"
	"strings"

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

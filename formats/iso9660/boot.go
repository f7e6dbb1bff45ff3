package iso9660

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660/eltorito"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Platform is the firmware that a boot image is for (El Torito section 2.1, UEFI section 13.3.2.1).
type Platform byte

// The platforms that Format writes.
const (
	BIOS Platform = 0
	EFI  Platform = 0xef
)

func (p Platform) String() string {
	switch p {
	case BIOS:
		return "BIOS"
	case EFI:
		return "EFI"
	}
	return fmt.Sprintf("platform %#x", byte(p))
}

// BootEntry makes a file of the tree a boot image without emulation. Firmware takes the first entry of its platform.
type BootEntry struct {
	Platform Platform
	Path     string // of a regular file, not empty
	// LoadSectors is what firmware loads or maps, in 512 bytes. 0 means 4 for BIOS, whose image loads the rest itself,
	// and all of the file for EFI; where that is over 65535, the field says 0: to the end of the volume.
	LoadSectors int
	InfoTable   bool // write mkisofs' boot information table over bytes 8 to 64 of the image, for GRUB and ISOLINUX
	GRUB2Info   bool // write GRUB's own u64 at byte 2548: the image's place in 512-byte sectors, plus 5
}

const (
	firmwareSector  = 512
	defaultBIOSLoad = 4
)

// The boot information table (mkisofs(8), "EL TORITO BOOT INFORMATION TABLE") and the field that GRUB reads.
const (
	infoTable     = 8
	infoTableSize = 56
	infoSumFrom   = 64
	grubInfo      = 2548
	grubAdd       = 5
	maxPatched    = 16 << 20 // boot images are read to sum them up
)

// checkBoot finds every boot entry's file.
func (p *plan) checkBoot(t *tree.Tree) error {
	if len(p.Boot) > eltorito.MaxEntries {
		return report.Errorf(report.Unsupported, "%d boot entries; a catalogue of one sector holds %d", len(p.Boot), eltorito.MaxEntries)
	}
	for _, e := range p.Boot {
		f := p.files[e.Path]
		switch {
		case t.Get(e.Path) == nil:
			return report.Errorf(report.Invalid, "boot image %q is not in the tree", e.Path)
		case f == nil || f.content.Size() == 0:
			return report.Errorf(report.Invalid, "boot image %q is not a regular file with content", e.Path)
		case e.Platform != BIOS && e.Platform != EFI:
			return report.Errorf(report.Unsupported, "boot image %q is for %v; BIOS and EFI can be written", e.Path, e.Platform)
		case e.LoadSectors < 0 || e.LoadSectors > math.MaxUint16:
			return report.Errorf(report.Invalid, "boot image %q: %d load sectors; the field holds 0 to 65535", e.Path, e.LoadSectors)
		case e.InfoTable && f.content.Size() < infoSumFrom, e.GRUB2Info && f.content.Size() < grubInfo+8:
			return report.Errorf(report.Invalid, "boot image %q of %d bytes is too short for the table it should get", e.Path, f.content.Size())
		case (e.InfoTable || e.GRUB2Info) && f.content.Size() > maxPatched:
			return report.Errorf(report.Invalid, "boot image %q of %d bytes is too long to be one that needs a table", e.Path, f.content.Size())
		}
		f.patch.InfoTable = f.patch.InfoTable || e.InfoTable
		f.patch.GRUB2Info = f.patch.GRUB2Info || e.GRUB2Info
	}
	return nil
}

// patchBoot lays the tables over the content of the boot images that get one, now that their blocks are known.
func (p *plan) patchBoot() error {
	for _, f := range p.order {
		if f.patch.GRUB2Info {
			at := binary.LittleEndian.AppendUint64(nil, uint64(f.offset/firmwareSector+grubAdd))
			if err := f.overlay("grub boot information", grubInfo, at); err != nil {
				return err
			}
		}
		if f.patch.InfoTable { // last, as it sums up the image as it will be
			table, err := f.infoTable()
			if err != nil {
				return fmt.Errorf("%s: %w", f.node.Path, err)
			}
			if err := f.overlay("boot information table", infoTable, table); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *file) overlay(name string, off int64, data []byte) error {
	im, err := blob.Overlay(f.content, blob.Extent{Name: name, Offset: off, Blob: blob.Bytes(data)})
	if err == nil {
		f.content = im
	}
	return err
}

// infoTable says where the primary volume descriptor and the image are, and sums the image up as 32-bit words.
func (f *file) infoTable() ([]byte, error) {
	p, err := blob.ReadAll(f.content, maxPatched)
	if err != nil {
		return nil, err
	}
	p = append(p, make([]byte, 3)...) // the last word may be cut short
	var sum uint32
	for at := infoSumFrom; at+4 <= len(p); at += 4 {
		sum += binary.LittleEndian.Uint32(p[at:])
	}
	table := make([]byte, infoTableSize)
	for i, v := range []uint32{systemArea, uint32(f.offset / sector), uint32(f.content.Size()), sum} {
		binary.LittleEndian.PutUint32(table[4*i:], v)
	}
	return table, nil
}

// bootCatalogue is nil without boot entries.
func (p *plan) bootCatalogue() []byte {
	var entries []eltorito.Entry
	for _, e := range p.Boot {
		f := p.files[e.Path]
		entries = append(entries, eltorito.Entry{
			Platform: byte(e.Platform), Sectors: e.loadSectors(f.content.Size()), Block: uint32(f.offset / sector)})
	}
	if entries == nil {
		return nil
	}
	return eltorito.Encode(entries)
}

func (e BootEntry) loadSectors(size int64) uint16 {
	n := (size + firmwareSector - 1) / firmwareSector
	switch {
	case e.LoadSectors != 0:
		return uint16(e.LoadSectors)
	case e.Platform == BIOS:
		return defaultBIOSLoad
	case n > math.MaxUint16:
		return 0
	}
	return uint16(n)
}

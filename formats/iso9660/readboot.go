package iso9660

import (
	"encoding/binary"
	"fmt"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660/eltorito"
	"github.com/bootwright/bootwright/internal/report"
)

// BootImage is an entry of the boot catalogue.
type BootImage struct {
	Platform    Platform
	Bootable    bool
	Emulation   byte // 0 none; 1, 2 and 3 a floppy of 1.2, 1.44 and 2.88 MB; 4 a hard disk
	LoadSectors int  // of 512 bytes, as the catalogue has it
	Offset      int64
	// Content is what firmware loads or maps: LoadSectors, or a whole floppy; for 0 or 1 of an EFI image and for a hard
	// disk everything up to the end of the volume, or of the file for an image that was appended to the volume.
	Content blob.Blob
	Path    string // of the file that begins at Offset, or ""
}

// readBoot reads the catalogue that the boot record vd points at, if there is one. files are paths by offset.
func readBoot(b blob.Blob, vd []byte, volume int64, files map[int64]string) ([]BootImage, error) {
	if vd == nil {
		return nil, nil
	}
	at := int64(binary.LittleEndian.Uint32(vd[bootCatalog:])) * sector
	if at > b.Size()-sector {
		return nil, report.Errorf(report.Invalid, "boot catalogue at offset %d leaves an image of %d bytes", at, b.Size())
	}
	p := make([]byte, sector)
	if err := blob.ReadFull(b, p, at); err != nil {
		return nil, err
	}
	entries, err := eltorito.Parse(p)
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", at, err)
	}
	var out []BootImage
	for _, e := range entries {
		image, err := bootImage(b, e, volume)
		if err != nil {
			return nil, err
		}
		image.Path = files[image.Offset]
		out = append(out, image)
	}
	return out, nil
}

// bootImage cuts the image of e out of b.
func bootImage(b blob.Blob, e eltorito.Entry, volume int64) (BootImage, error) {
	i := BootImage{
		Platform:    Platform(e.Platform),
		Bootable:    e.Bootable,
		Emulation:   e.Emulation,
		LoadSectors: int(e.Sectors),
		Offset:      int64(e.Block) * sector,
	}
	if i.Offset >= b.Size() {
		return i, report.Errorf(report.Invalid, "%v boot image at offset %d leaves an image of %d bytes", i.Platform, i.Offset, b.Size())
	}
	size := int64(e.Sectors) * firmwareSector
	switch {
	case e.Emulation == 1:
		size = 1200 << 10
	case e.Emulation == 2:
		size = 1440 << 10
	case e.Emulation == 3:
		size = 2880 << 10
	case e.Emulation > 3 || i.Platform == EFI && e.Sectors <= 1:
		if size = volume - i.Offset; size <= 0 {
			size = b.Size()
		}
	}
	i.Content = blob.Slice(b, i.Offset, min(size, b.Size()-i.Offset))
	return i, nil
}

package iso9660

import (
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// BootImage is an entry of the boot catalogue.
type BootImage struct {
	Platform    Platform
	Bootable    bool
	Emulation   byte // 0 none, 1 to 3 a floppy of 1.2, 1.44 or 2.88 MB, 4 a hard disk
	LoadSectors int  // of 512 bytes, as the catalogue has it
	Offset      int64
	// Content is what firmware loads or maps: LoadSectors, or a whole floppy; for 0 or 1 of an EFI image and for a hard
	// disk everything up to the end of the volume.
	Content blob.Blob
	Path    string // of the file that begins at Offset, or ""
}

// readBoot reads the catalogue that the boot record points at, if there is one. files are paths by offset.
func readBoot(b blob.Blob, record []byte, volume int64, files map[int64]string) ([]BootImage, error) {
	if record == nil {
		return nil, nil
	}
	at := int64(binary.LittleEndian.Uint32(record[bootCatalog:])) * sector
	if at > b.Size()-sector {
		return nil, report.Errorf(report.Invalid, "boot catalogue at offset %d leaves an image of %d bytes", at, b.Size())
	}
	p := make([]byte, sector)
	if err := blob.ReadFull(b, p, at); err != nil {
		return nil, err
	}
	if p[0] != validationID || p[validationKey] != 0x55 || p[validationKey+1] != 0xaa || checksum(p[:catalogEntry]) != 0 {
		return nil, report.Errorf(report.Invalid, "boot catalogue at offset %d does not begin with a valid entry", at)
	}
	var out []BootImage
	add := func(p []byte, platform Platform) error {
		image, err := readEntry(b, p, platform, volume)
		image.Path = files[image.Offset]
		out = append(out, image)
		return err
	}
	platform, left := Platform(p[1]), 1
	for p = p[catalogEntry:]; len(p) > 0; p = p[catalogEntry:] {
		switch {
		case left > 0:
			left--
			if err := add(p, platform); err != nil {
				return nil, err
			}
		case p[0] == headerMore || p[0] == headerLast:
			platform, left = Platform(p[1]), int(binary.LittleEndian.Uint16(p[2:]))
		case p[0] != 0x44: // the extension of an entry's selection criteria
			return out, nil
		}
	}
	return out, nil
}

func readEntry(b blob.Blob, p []byte, platform Platform, volume int64) (BootImage, error) {
	i := BootImage{
		Platform:    platform,
		Bootable:    p[0] == entryBootable,
		Emulation:   p[1] & 0xf,
		LoadSectors: int(binary.LittleEndian.Uint16(p[entrySectors:])),
		Offset:      int64(binary.LittleEndian.Uint32(p[entryBlock:])) * sector,
	}
	end := min(volume, b.Size())
	if i.Offset >= end {
		return i, report.Errorf(report.Invalid, "%v boot image at offset %d leaves a volume of %d bytes", platform, i.Offset, end)
	}
	size := int64(i.LoadSectors) * firmwareSector
	switch {
	case i.Emulation == 1:
		size = 1200 << 10
	case i.Emulation == 2:
		size = 1440 << 10
	case i.Emulation == 3:
		size = 2880 << 10
	case i.Emulation > 3 || platform == EFI && i.LoadSectors <= 1:
		size = end - i.Offset
	}
	i.Content = blob.Slice(b, i.Offset, min(size, end-i.Offset))
	return i, nil
}

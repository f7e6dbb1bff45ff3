package bake

import (
	"os"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea"
)

// The area in an ISO. systemd-stub reads the credentials of a UKI (*.cred) from the folder that is called like it. GRUB reads
// an initrd of the ISO 9660 file system: an archive, whose sectors are those of the area and of its two neighbours.
const (
	ESPPath   = "EFI/Linux/bootwright.efi.extra.d/config.cred"
	ESPBefore = "EFI/Linux/bootwright.efi.extra.d/config.begin"
	ESPBehind = "EFI/Linux/bootwright.efi.extra.d/config.end"
	ISOPath   = "boot/config.img"
	AreaAt    = 4096 // offset of the area in ISOPath: the size of ESPBefore, a multiple of every sector and cluster

	espImage = "boot/efi.img"
)

// Area is the reserved place of an image and what is in it.
type Area struct {
	Offset  int64 // in the image, bytes
	Size    int64
	Entries []configarea.Entry
}

// Free is how many bytes are left.
func (a *Area) Free() int64 { return a.Size - configarea.Size(a.Entries) }

// Find finds and decodes the area of an ISO. An error is Invalid for what is no ISO and for one that is damaged, and
// Unsupported for one that has no area, or has it where writing it would not be enough.
func Find(image blob.Blob) (*Area, error) {
	at, text, err := locate(image)
	if err != nil {
		return nil, err
	}
	entries, err := configarea.Decode(text)
	if err != nil {
		return nil, report.WithHint(report.Errorf(report.Invalid, "%s: %w", ESPPath, err), "`bootwright config inject` or `config reset` writes it anew")
	}
	return &Area{Offset: at, Size: int64(len(text)), Entries: entries}, nil
}

// locate is where the area is in an ISO, and its bytes, whatever is in it.
func locate(image blob.Blob) (offset int64, text []byte, err error) {
	image = leaf{image}
	v, err := iso9660.Read(image)
	if err != nil {
		return 0, nil, report.WithHint(err, "machine configurations go into ISOs that bootwright built")
	}
	inISO, esp := v.Tree.Get(ISOPath), v.Tree.Get(espImage)
	if inISO == nil || esp == nil {
		return 0, nil, report.WithHint(report.Errorf(report.Unsupported, "the ISO has no place for machine configurations"), "build it again with this bootwright")
	}
	boot, err := fat.Read(esp.Open())
	if err != nil {
		return 0, nil, report.Errorf(report.KindOf(err), "/%s: %w", espImage, err)
	}
	inESP := boot.Tree.Get(ESPPath)
	if inESP == nil {
		return 0, nil, report.Errorf(report.Unsupported, "/%s has no %s", espImage, ESPPath)
	}
	at, ok := place(image, inISO.Open())
	same, alsoOK := place(image, inESP.Open())
	if !ok || !alsoOK || at+AreaAt != same || inISO.Size() < AreaAt+inESP.Size() {
		return 0, nil, report.Errorf(report.Unsupported, "/%s and %s in /%s are not the same sectors; the ISO was written anew by another program", ISOPath, ESPPath, espImage)
	}
	text, err = blob.ReadAll(inESP.Open(), configarea.MaxSize)
	if err != nil {
		return 0, nil, report.Errorf(report.Invalid, "%s: %w", ESPPath, err)
	}
	return same, text, nil
}

// leaf hides what an image is made of, so that offsets are its own.
type leaf struct{ blob.Blob }

// place is where content lies in image, if it lies there in one piece.
func place(image, content blob.Blob) (int64, bool) {
	runs := blob.Map(content)
	if len(runs) != 1 || runs[0].Blob.Size() != content.Size() {
		return 0, false
	}
	return blob.Offset(image, runs[0].Blob)
}

// Write makes entries what the area of the image at path holds, and nothing else: the image stays as it is but for these
// bytes. More than fits is refused before anything is written. Whenever the power fails, a machine finds what was there or
// what is to be there; configarea.Rewrite says where it finds neither, and says so.
func Write(path string, entries []configarea.Entry) (*Area, error) {
	image, err := blob.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	at, text, err := locate(image)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%s: %w", path, err)
	}
	writes, err := configarea.Rewrite(text, entries)
	if err != nil {
		return nil, report.WithHint(report.Errorf(report.KindOf(err), "%s: %w", path, err),
			"build the ISO with more room, such as --set customization.machineConfig.room=%d", Room(entries, 0))
	}
	if err := writeAll(path, at, writes); err != nil {
		return nil, err
	}
	return &Area{Offset: at, Size: int64(len(text)), Entries: entries}, nil
}

// writeAll has each write on the medium before the next one begins.
func writeAll(path string, at int64, writes []configarea.Write) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, w := range writes {
		if _, err := f.WriteAt(w.Data, at+w.Offset); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

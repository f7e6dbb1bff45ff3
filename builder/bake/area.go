package bake

import (
	"os"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/layout"
)

// The area in an image. systemd-stub reads the credentials of a UKI (*.cred) from the folder that is called like it. GRUB reads
// an initrd, an archive: on an ISO its sectors are those of the area and of its two neighbours, on a disk it is a copy in the
// partition BOOT.
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
	Offset  int64 // in the image, bytes; of the first copy
	Size    int64
	Entries []configarea.Entry
}

// Free is how many bytes are left.
func (a *Area) Free() int64 { return a.Size - configarea.Size(a.Entries) }

// Find finds and decodes the area of an ISO or a raw disk. An error is Invalid for what is neither and for one that is
// damaged, and Unsupported for one that has no area, or has it where writing it would not be enough.
func Find(image blob.Blob) (*Area, error) {
	copies, err := locate(image)
	if err != nil {
		return nil, err
	}
	entries, err := configarea.Decode(copies[0].text)
	if err != nil {
		return nil, report.WithHint(report.Errorf(report.Invalid, "%s: %w", ESPPath, err), "`bootwright config inject` or `config reset` writes it anew")
	}
	return &Area{Offset: copies[0].at, Size: int64(len(copies[0].text)), Entries: entries}, nil
}

// copyOf is one place of the area, and its bytes, whatever is in them.
type copyOf struct {
	at   int64 // in the image
	text []byte
}

// locate finds the area in an image: one copy, or one for each way in which a disk starts.
func locate(image blob.Blob) ([]copyOf, error) {
	image = leaf{image}
	v, err := iso9660.Read(image)
	if err == nil {
		c, err := inISO(image, v.Tree)
		return []copyOf{c}, err
	}
	if table, gptErr := gpt.Read(image); gptErr == nil {
		return onDisk(image, table)
	}
	return nil, report.WithHint(err, "machine configurations go into ISOs and raw disk images that bootwright built")
}

func inISO(image blob.Blob, files *tree.Tree) (copyOf, error) {
	archive, esp := files.Get(ISOPath), files.Get(espImage)
	if archive == nil || esp == nil {
		return copyOf{}, report.WithHint(report.Errorf(report.Unsupported, "the ISO has no place for machine configurations"), "build it again with this bootwright")
	}
	c, err := inVolume(image, "/"+espImage, esp.Open(), ESPPath, 0)
	if err != nil {
		return c, err
	}
	if at, ok := place(image, archive.Open()); !ok || at+AreaAt != c.at || archive.Size() < AreaAt+int64(len(c.text)) {
		return c, report.Errorf(report.Unsupported, "/%s and %s in /%s are not the same sectors; the ISO was written anew by another program", ISOPath, ESPPath, espImage)
	}
	return c, nil
}

// onDisk are the areas of the EFI system partition and of BOOT, as far as a disk has these.
func onDisk(image blob.Blob, table *gpt.Table) ([]copyOf, error) {
	var out []copyOf
	for _, p := range table.Partitions {
		where := map[string]struct {
			path string
			skip int64
		}{layout.EFI: {ESPPath, 0}, layout.Boot: {ISOPath, AreaAt}}[p.Name]
		if where.path == "" {
			continue
		}
		c, err := inVolume(image, "partition "+p.Name, blob.Slice(image, p.Start, p.Size), where.path, where.skip)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, report.WithHint(report.Errorf(report.Unsupported, "the disk has no place for machine configurations"), "build it again with this bootwright")
	}
	return out, nil
}

// inVolume is the area in a file of a FAT volume, behind its first skip bytes. What is behind the area is less than its unit.
func inVolume(image blob.Blob, name string, volume blob.Blob, path string, skip int64) (copyOf, error) {
	v, err := fat.Read(volume)
	if err != nil {
		return copyOf{}, report.Errorf(report.KindOf(err), "%s: %w", name, err)
	}
	file := v.Tree.Get(path)
	if file == nil || file.Size() < skip {
		return copyOf{}, report.Errorf(report.Unsupported, "%s has no %s", name, path)
	}
	at, ok := place(image, file.Open())
	if !ok {
		return copyOf{}, report.Errorf(report.Unsupported, "%s in %s is in several pieces; it was written anew by another program", path, name)
	}
	text, err := blob.ReadAll(blob.Slice(file.Open(), skip, file.Size()-skip), configarea.MaxSize+AreaAt)
	if err != nil {
		return copyOf{}, report.Errorf(report.Invalid, "%s: %w", path, err)
	}
	return copyOf{at + skip, text[:len(text)/configarea.Unit*configarea.Unit]}, nil
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
	copies, err := locate(image)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%s: %w", path, err)
	}
	todo := make([][]configarea.Write, len(copies))
	for i, c := range copies {
		if todo[i], err = configarea.Rewrite(c.text, entries); err != nil {
			return nil, report.WithHint(report.Errorf(report.KindOf(err), "%s: %w", path, err),
				"build the image with more room, such as --set customization.machineConfig.room=%d", Room(entries, 0))
		}
	}
	for i, c := range copies {
		if err := writeAll(path, c.at, todo[i]); err != nil {
			return nil, err
		}
	}
	return &Area{Offset: copies[0].at, Size: int64(len(copies[0].text)), Entries: entries}, nil
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

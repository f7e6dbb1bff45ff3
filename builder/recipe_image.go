package builder

import (
	"fmt"

	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/diskimage"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/disk"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/profiles"
)

// makeImage is the disk of a machine with the system on it, in the format that its platform takes. Formats that do not compress
// refer to the disk, so that several of one plan share its bytes.
func makeImage(k *kit) ([]File, error) {
	raw, err := k.disk()
	if err != nil {
		return nil, err
	}
	spec, o := k.imageSpec(raw), k.plan.Output.ImageOptions
	options, err := profiles.ParseDiskOptions(o.DiskFormatOptions)
	if err != nil {
		return nil, err
	}
	image, err := diskimage.Format(k.ctx, spec, o.DiskFormat, options)
	if err != nil {
		return nil, err
	}
	if k.plan.Output.OutFormat == profiles.OCIArchive {
		return k.makeContainerDisk(image)
	}
	packed, err := diskimage.Pack(spec, image, k.plan.Output.OutFormat)
	if err != nil {
		return nil, err
	}
	name, mediaType := diskimage.Name(spec, o.DiskFormat, k.plan.Output.OutFormat)
	files := []File{{name, mediaType, packed}}
	if options.Flat {
		files = append(files, File{diskimage.Extent(spec), mediaType, raw})
	}
	return files, nil
}

// disk is the raw disk.
func (k *kit) disk() (*blob.Image, error) {
	o := k.plan.Output.ImageOptions
	s := disk.Spec{
		Bootloader: layout.Bootloader(o.Bootloader), SectorSize: o.DiskSectorSize, Size: o.DiskSize,
		BootSector: k.part(base.GRUBBoot), Core: k.part(base.GRUBCore),
		Meta: k.metaValues(), Epoch: k.plan.Time(), ID: k.plan.disk().ID,
	}
	var err error
	if s.EFI, err = k.efiTree(); err != nil {
		return nil, err
	}
	if s.Boot, err = k.bootTree(); err != nil {
		return nil, err
	}
	return disk.Format(s)
}

// efiTree is what the EFI system partition holds: the boot menu, the UKI and, beside it, machine configurations.
func (k *kit) efiTree() (*tree.Tree, error) {
	uki, err := k.uki()
	if err != nil {
		return nil, err
	}
	config, err := k.config()
	if err != nil {
		return nil, err
	}
	var t tree.Tree
	t.File(bootentry.Removable(k.plan.Arch), 0o644, k.part(base.SystemdBoot))
	t.File("EFI/Linux/bootwright.efi", 0o644, uki)
	t.File(bake.ESPBefore, 0o644, config.Before)
	t.File(bake.ESPPath, 0o644, config.Area)
	t.File(bake.ESPBehind, 0o644, config.Behind)
	t.File("loader/loader.conf", 0o644, blob.String("timeout 3\neditor yes\n"))
	return &t, nil
}

// bootTree is what GRUB reads on a BIOS.
func (k *kit) bootTree() (*tree.Tree, error) {
	initramfs, err := k.initramfs()
	if err != nil {
		return nil, err
	}
	config, err := k.config()
	if err != nil {
		return nil, err
	}
	var t tree.Tree
	t.File("boot/vmlinuz", 0o644, k.part(base.Kernel))
	t.File("boot/initramfs.img", 0o644, initramfs)
	t.File(bake.ISOPath, 0o644, config.Whole())
	t.File("boot/grub/grub.cfg", 0o644, blob.String(k.grubMenu()))
	return &t, nil
}

// metaValues are what the META partition holds: what the profile says, and with which boot loaders the disk came.
func (k *kit) metaValues() meta.Values {
	v := meta.Values{}
	for _, m := range k.plan.Meta {
		v[meta.Tag(m.Key)] = []byte(m.Value)
	}
	if o := k.plan.Output.ImageOptions; o.Bootloader == string(layout.DualBoot) {
		v[meta.DiskImageBootloader] = []byte(o.Bootloader)
	}
	return v
}

// imageSpec is what the disk's formats are made of.
func (k *kit) imageSpec(raw *blob.Image) diskimage.Spec {
	disk := k.plan.disk()
	return diskimage.Spec{
		Raw: raw, Name: k.target(), Version: k.plan.Version, Arch: k.plan.Arch, Epoch: k.plan.Time(), ID: disk.ID,
		UEFI:   layout.Bootloader(k.plan.Output.ImageOptions.Bootloader) == layout.SDBoot,
		Sector: k.plan.Output.ImageOptions.DiskSectorSize,
		Made:   func(encoder string, make diskimage.Maker) (blob.Blob, error) { return k.made(disk, encoder, make) },
		Packed: func(encoder string, make diskimage.Maker) (blob.Blob, error) { return k.made(k.plan, encoder, make) },
	}
}

// disk is p without the format, for what all formats of one disk share.
func (p *Plan) disk() *Plan {
	q := *p
	q.Output.OutFormat, q.Output.ImageOptions.DiskFormat, q.Output.ImageOptions.DiskFormatOptions = "", "", ""
	return &q
}

// made is content that has to be computed, kept by what p and encoder say of it.
func (k *kit) made(p *Plan, encoder string, make diskimage.Maker) (blob.Blob, error) {
	return k.spool.Spool(k.ctx, fmt.Sprintf("image %s %s", p.Digest(), encoder), make)
}

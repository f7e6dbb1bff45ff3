package builder

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/disk"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gzip"
	"github.com/bootwright/bootwright/formats/ovf"
	"github.com/bootwright/bootwright/formats/qcow2"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/vhd"
	"github.com/bootwright/bootwright/formats/vmdk"
	"github.com/bootwright/bootwright/formats/xz"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/report"
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
	image, err := k.diskImage(raw)
	if err != nil {
		return nil, err
	}
	name := k.target() + "." + k.plan.Output.ImageOptions.DiskFormat
	packed, err := k.pack(name, image)
	if err != nil {
		return nil, err
	}
	if out := k.plan.Output.OutFormat; out != "raw" {
		name += out
	}
	return []File{{name, mediaTypes()[name[strings.LastIndex(name, "."):]], packed}}, nil
}

func mediaTypes() map[string]string {
	return map[string]string{
		".raw": "application/octet-stream", ".qcow2": "application/x-qemu-disk", ".vhd": "application/x-vhd", ".vmdk": "application/x-vmdk",
		".ova": "application/x-virtualbox-ova", ".zst": "application/zstd", ".gz": "application/gzip", ".xz": "application/x-xz",
	}
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
	t.File("EFI/BOOT/BOOT"+efiSuffix(k.plan.Arch)+".EFI", 0o644, k.part(base.SystemdBoot))
	t.File("EFI/Linux/bootwright.efi", 0o644, uki)
	t.File(bake.ESPBefore, 0o644, config.before)
	t.File(bake.ESPPath, 0o644, config.area)
	t.File(bake.ESPBehind, 0o644, config.behind)
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
	t.File(bake.ISOPath, 0o644, config.archive())
	t.File("boot/grub/grub.cfg", 0o644, blob.String(grubConfig("/boot/vmlinuz", "/boot/initramfs.img /"+bake.ISOPath, k.plan.Version, k.plan.Cmdline)))
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

// diskImage is the raw disk in the format of the plan.
func (k *kit) diskImage(raw *blob.Image) (blob.Blob, error) {
	o := k.plan.Output.ImageOptions
	switch o.DiskFormat {
	case "raw":
		return raw, nil
	case "qcow2":
		options, err := profiles.ParseDiskOptions(o.DiskFormatOptions)
		if err != nil {
			return nil, err
		}
		return qcow2.Format(raw, qcow2.Options{ClusterSize: options.ClusterSize})
	case "vhd":
		return vhd.Format(raw, vhd.Options{ID: k.plan.disk().ID("vhd"), Epoch: k.plan.Time()})
	case "vmdk":
		return k.vmdk(raw)
	case "ova":
		return k.ova(raw)
	}
	return nil, report.Errorf(report.Unsupported, "unknown disk format %q", o.DiskFormat)
}

// disk is p without the format, for what all formats of one disk share.
func (p *Plan) disk() *Plan {
	q := *p
	q.Output.OutFormat, q.Output.ImageOptions.DiskFormat, q.Output.ImageOptions.DiskFormatOptions = "", "", ""
	return &q
}

// vmdk is compressed and so has to be made, once for a disk.
func (k *kit) vmdk(raw *blob.Image) (blob.Blob, error) {
	p := k.plan.disk()
	id := p.ID("vmdk")
	return k.made(p, vmdk.Encoder, func(ctx context.Context, w io.Writer) error {
		return vmdk.Stream(ctx, w, raw, vmdk.Options{ID: binary.LittleEndian.Uint32(id[:]) >> 1})
	})
}

func (k *kit) ova(raw *blob.Image) (blob.Blob, error) {
	stream, err := k.vmdk(raw)
	if err != nil {
		return nil, err
	}
	digest, err := blob.Sum(k.ctx, stream)
	if err != nil {
		return nil, err
	}
	name := k.target()
	description, err := ovf.Descriptor(ovf.Machine{
		Name: name, Version: k.plan.Version, Arch: k.plan.Arch, UEFI: layout.Bootloader(k.plan.Output.ImageOptions.Bootloader) == layout.SDBoot,
		Capacity: raw.Size(), DiskSize: stream.Size(), DiskFile: name + ".vmdk",
	})
	if err != nil {
		return nil, err
	}
	sum, err := blob.Sum(k.ctx, description)
	if err != nil {
		return nil, err
	}
	manifest := ovf.Manifest(ovf.File{Name: name + ".ovf", Digest: sum}, ovf.File{Name: name + ".vmdk", Digest: digest})
	return tar.Archive([]tar.File{{Name: name + ".ovf", Content: description}, {Name: name + ".mf", Content: manifest}, {Name: name + ".vmdk", Content: stream}},
		tar.Options{Epoch: k.plan.Time()})
}

// pack puts around the image what the plan asks for.
func (k *kit) pack(name string, image blob.Blob) (blob.Blob, error) {
	switch k.plan.Output.OutFormat {
	case "raw":
		return image, nil
	case ".zst":
		return k.made(k.plan, zstd.Version, func(ctx context.Context, w io.Writer) error {
			return zstd.Compress(ctx, w, image, zstd.Options{})
		})
	case ".gz":
		return k.made(k.plan, gzip.Version, func(ctx context.Context, w io.Writer) error { return gzip.Compress(ctx, w, image, 0) })
	case ".xz":
		return k.made(k.plan, xz.Version, func(ctx context.Context, w io.Writer) error { return xz.Compress(ctx, w, image) })
	case ".tar.gz":
		archive, err := tar.Archive([]tar.File{{Name: "disk.raw", Content: image}}, tar.Options{Epoch: k.plan.Time()})
		if err != nil {
			return nil, err
		}
		return k.made(k.plan, gzip.Version, func(ctx context.Context, w io.Writer) error { return gzip.Compress(ctx, w, archive, 0) })
	}
	return nil, report.Errorf(report.Unsupported, "%s: unknown output format %q", name, k.plan.Output.OutFormat)
}

// made is content that has to be computed, kept by what p and encoder say of it.
func (k *kit) made(p *Plan, encoder string, make func(ctx context.Context, w io.Writer) error) (blob.Blob, error) {
	return k.spool.Spool(k.ctx, fmt.Sprintf("image %s %s", p.Digest(), encoder), make)
}

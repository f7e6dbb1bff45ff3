package base

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/formats/blob"
)

// grubDir is where the package of GRUB for BIOS keeps its modules and boot sectors.
const grubDir = "usr/lib/grub/i386-pc"

// grub makes the images of GRUB for BIOS, by title. They hold nothing of one machine: bootwright's recipes patch in where
// they lie on the medium.
func grub(ctx context.Context, tools *tools, p *debian.Pool, work string) (map[string]blob.Blob, error) {
	const pkg = "grub-pc-bin"
	modules := filepath.Join(work, "grub")
	if err := os.MkdirAll(modules, 0o755); err != nil {
		return nil, err
	}
	// moddep.lst says which modules a module needs; kernel.img and the like are what the images are made of.
	paths, err := p.Match(pkg, grubDir+"/*.mod", grubDir+"/*.img", grubDir+"/*.lst")
	if err != nil {
		return nil, err
	}
	for _, at := range paths {
		content, err := p.File(pkg, at)
		if err != nil {
			return nil, err
		}
		if err := place(filepath.Join(modules, filepath.Base(at)), content, 0o644); err != nil {
			return nil, err
		}
	}
	if err := place(filepath.Join(modules, "early.cfg"), blob.String(grubConfig), 0o644); err != nil {
		return nil, err
	}
	images := map[string]blob.Blob{}
	for title, file := range map[string]string{GRUBBoot: "boot.img", GRUBHybrid: "boot_hybrid.img"} {
		if images[title], err = p.File(pkg, grubDir+"/"+file); err != nil {
			return nil, err
		}
	}
	for title, format := range map[string]string{GRUBCore: "i386-pc", GRUBElTorito: "i386-pc-eltorito"} {
		out := filepath.Join(work, title)
		args := []string{"-d", modules, "-O", format, "-p", "/boot/grub", "-c", filepath.Join(modules, "early.cfg"), "-o", out}
		if err := run(ctx, tools.command(ctx, grubMkimage, slices.Concat(args, grubModules())...)); err != nil {
			return nil, err
		}
		content, err := os.ReadFile(out)
		if err != nil {
			return nil, err
		}
		images[title] = blob.Bytes(content)
	}
	return images, nil
}

// efi are systemd's boot menu and stub for arch, by title.
func efi(p *debian.Pool, arch string) (map[string]blob.Blob, error) {
	suffix := map[string]string{"amd64": "x64", "arm64": "aa64"}[arch]
	images := map[string]blob.Blob{}
	for title, file := range map[string]string{SystemdBoot: "systemd-boot" + suffix + ".efi", SystemdStub: "linux" + suffix + ".efi.stub"} {
		var err error
		if images[title], err = p.File("systemd-boot-efi", "usr/lib/systemd/boot/efi/"+file); err != nil {
			return nil, err
		}
	}
	return images, nil
}

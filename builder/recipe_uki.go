package builder

import (
	"fmt"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/machine/bootassets"
)

func makeUKIFile(k *kit) ([]File, error) {
	uki, err := k.uki()
	if err != nil {
		return nil, err
	}
	return []File{{k.target() + "-uki.efi", "application/vnd.microsoft.portable-executable", uki}}, nil
}

// uki is the unified kernel image (UAPI.5): the EFI stub with everything that boots as its sections.
func (k *kit) uki() (*blob.Image, error) {
	initramfs, err := k.initramfs()
	if err != nil {
		return nil, err
	}
	image, err := k.describe().UKI(k.part(base.SystemdStub), k.part(base.Kernel), initramfs, k.plan.Cmdline)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.place(base.SystemdStub), err)
	}
	return image, nil
}

// describe says what boots.
func (k *kit) describe() *bootassets.Description {
	p := k.plan
	return &bootassets.Description{
		Version: p.Version, Arch: p.Arch, Platform: p.Platform, KernelVersion: p.KernelVersion, Cmdline: p.Cmdline, Epoch: p.Epoch,
	}
}

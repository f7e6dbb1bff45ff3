package builder

import (
	"fmt"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/pe"
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
	image, err := pe.Format(k.part(base.SystemdStub), []pe.Section{
		{Name: ".osrel", Content: blob.String(k.osRelease())},
		{Name: ".cmdline", Content: blob.String(k.plan.Cmdline)},
		{Name: ".uname", Content: blob.String(k.plan.KernelVersion)},
		{Name: ".initrd", Content: initramfs},
		{Name: ".linux", Content: k.part(base.Kernel)},
	}, pe.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.place(base.SystemdStub), err)
	}
	return image, nil
}

// osRelease is what boot menus show and sort by (os-release(5)).
func (k *kit) osRelease() string {
	return fmt.Sprintf("ID=bootwright\nNAME=bootwright\nPRETTY_NAME=%q\nVERSION_ID=%q\n",
		"bootwright "+k.plan.Version+" ("+k.plan.Platform+")", k.plan.Version)
}

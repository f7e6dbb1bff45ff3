package builder

import (
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/installer"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/machine/bootassets"
)

// makeInstaller is a container image with the program that installs and upgrades machines, and with what it writes onto them.
func makeInstaller(k *kit) ([]File, error) {
	assets, err := k.assets()
	if err != nil {
		return nil, err
	}
	image, err := installer.Image(k.ctx, k.part(inputInstaller), assets)
	if err != nil {
		return nil, err
	}
	k.images = []oci.Image{image}
	return containerFile(k.plan, "installer-"+k.plan.Arch+".tar", image)
}

// assets are what an installer, or a medium that installs itself, puts onto a disk.
func (k *kit) assets() (*bootassets.Assets, error) {
	initramfs, err := k.initramfs()
	if err != nil {
		return nil, err
	}
	head, tail := bootassets.Split(initramfs, k.part(base.Root))
	files := map[string]blob.Blob{bootassets.Head: head, bootassets.Tail: tail}
	known := map[string]blob.Digest{}
	for name, title := range map[string]string{
		bootassets.Kernel: base.Kernel, bootassets.Root: base.Root, bootassets.Stub: base.SystemdStub, bootassets.SDBoot: base.SystemdBoot,
		bootassets.GRUBBoot: base.GRUBBoot, bootassets.GRUBCore: base.GRUBCore,
	} {
		if in, ok := k.plan.Input(title); ok {
			files[name], known[name] = k.part(title), in.Digest
		}
	}
	return bootassets.New(k.ctx, k.describe().Installed(), files, known)
}

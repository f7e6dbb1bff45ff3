// Package installer describes the container image of an installer (OCI image-spec 1.1: manifest.md, layer.md, config.md): a program
// that writes a system onto disks, and the boot assets that it writes.
//
// Layers, from the one that changes least: the base's kernel, its root image, its boot loaders, the program, and one with what is of
// this system alone. They are tar archives without compression, for what is in them is compressed already; so each is a header
// around a reference to what the base has, installers of one base share them by digest, and nothing is copied to make one.
package installer

import (
	"context"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/container"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/machine/bootassets"
)

// Program is where the installer is in its image: the entry point.
const Program = "bin/installer"

// Image is the image of an installer that brings assets. It reads what it makes layers of, for their digests.
func Image(ctx context.Context, program blob.Blob, assets *bootassets.Assets) (oci.Image, error) {
	dir := path.Join(bootassets.Folder, assets.Arch)
	file := func(name string) tar.File { return tar.File{Name: path.Join(dir, name), Content: assets.File(name)} }
	loaders := []tar.File{file(bootassets.SDBoot), file(bootassets.Stub)}
	for _, name := range []string{bootassets.GRUBBoot, bootassets.GRUBCore} {
		if assets.File(name) != nil {
			loaders = append(loaders, file(name))
		}
	}
	layers := [][]tar.File{
		{file(bootassets.Kernel)},
		{file(bootassets.Root)},
		loaders,
		{{Name: Program, Content: program, Mode: 0o755}},
		{file(bootassets.Head), file(bootassets.Tail), {Name: path.Join(dir, bootassets.DescriptionFile), Content: assets.Text()}},
	}
	return container.Image(ctx, container.Spec{
		Arch: assets.Arch, Created: assets.Time(), What: "installer", Layers: layers,
		Config: v1.Config{
			Entrypoint: []string{"/" + Program}, WorkingDir: "/", Env: []string{"PATH=/bin"},
			Labels: map[string]string{"org.opencontainers.image.title": "bootwright installer", "org.opencontainers.image.version": assets.Version},
		},
	})
}

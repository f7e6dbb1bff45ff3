// Package container describes container images that hold what a plan makes, and puts them into archives and registries (OCI image-spec
// 1.1: manifest.md, layer.md, config.md, image-layout.md). Their layers are tar archives without compression: headers around
// references to what the store has, so that nothing is copied to make one. The same content gives the same digests.
package container

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
)

// Spec says what is in an image.
type Spec struct {
	Arch    string
	Created time.Time // of the image; the files have no time, so that images of other plans share layers
	What    string    // it is, as its history says
	Layers  [][]tar.File
	Config  v1.Config
}

// Image is the image that s says. It reads what it makes layers of, for their digests.
func Image(ctx context.Context, s Spec) (oci.Image, error) {
	im := oci.Image{Arch: s.Arch, ConfigType: string(types.OCIConfigJSON)}
	for _, files := range s.Layers {
		layer, err := tar.Archive(files, tar.Options{})
		if err != nil {
			return im, err
		}
		digest, err := blob.Sum(ctx, layer)
		if err != nil {
			return im, err
		}
		im.Files = append(im.Files, oci.File{MediaType: string(types.OCIUncompressedLayer), Digest: digest, Content: layer})
	}
	var err error
	im.Config, err = s.config(im.Files)
	return im, err
}

func (s Spec) config(layers []oci.File) ([]byte, error) {
	created := v1.Time{Time: s.Created}
	c := v1.ConfigFile{Architecture: s.Arch, OS: "linux", Created: created, Config: s.Config, RootFS: v1.RootFS{Type: "layers"}}
	for i, l := range layers {
		h, err := v1.NewHash(string(l.Digest))
		if err != nil {
			return nil, err
		}
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, h)
		c.History = append(c.History, v1.History{Created: created, CreatedBy: fmt.Sprintf("bootwright build %s, layer %d", s.What, i+1)})
	}
	return json.Marshal(c)
}

// qemu is the user and the group of the process that opens the disk (KubeVirt user guide, "containerDisk Workflow Example").
const qemu = 107

// Disk is KubeVirt's containerDisk: an image with nothing but a qcow2 disk, in the folder where KubeVirt looks for it.
func Disk(ctx context.Context, arch, version string, created time.Time, qcow2 blob.Blob) (oci.Image, error) {
	return Image(ctx, Spec{
		Arch: arch, Created: created, What: "image",
		Layers: [][]tar.File{{
			{Name: "disk/", Mode: 0o555, Owner: qemu},
			{Name: "disk/disk.qcow2", Content: qcow2, Mode: 0o440, Owner: qemu},
		}},
		Config: v1.Config{Labels: map[string]string{"org.opencontainers.image.title": "bootwright disk", "org.opencontainers.image.version": version}},
	})
}

// Package installer describes the container image of an installer (OCI image-spec 1.1: manifest.md, layer.md, config.md): a program
// that writes a system onto disks, and the boot assets that it writes.
//
// Layers, from the one that changes least: the base's kernel, its root image, its boot loaders, the program, and one with what is of
// this system alone. They are tar archives without compression, for what is in them is compressed already; so each is a header
// around a reference to what the base has, installers of one base share them by digest, and nothing is copied to make one.
package installer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/base/oci"
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
	im := oci.Image{Arch: assets.Arch, ConfigType: string(types.OCIConfigJSON)}
	for _, files := range layers {
		layer, err := tar.Archive(files, tar.Options{}) // without the plan's time: the same for every plan
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
	im.Config, err = config(&assets.Description, im.Files)
	return im, err
}

func config(d *bootassets.Description, layers []oci.File) ([]byte, error) {
	created := v1.Time{Time: d.Time()}
	c := v1.ConfigFile{
		Architecture: d.Arch, OS: "linux", Created: created,
		Config: v1.Config{
			Entrypoint: []string{"/" + Program}, WorkingDir: "/", Env: []string{"PATH=/bin"},
			Labels: map[string]string{"org.opencontainers.image.title": "bootwright installer", "org.opencontainers.image.version": d.Version},
		},
		RootFS: v1.RootFS{Type: "layers"},
	}
	for i, l := range layers {
		h, err := v1.NewHash(string(l.Digest))
		if err != nil {
			return nil, err
		}
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, h)
		c.History = append(c.History, v1.History{Created: created, CreatedBy: fmt.Sprintf("bootwright build installer, layer %d", i+1)})
	}
	return json.Marshal(c)
}

// Archive is an OCI image layout in a tar archive, of one image or of an index of several architectures, that is named tag. A
// manifest.json beside it is for programs that know docker's archives only; it names the first image.
func Archive(images []oci.Image, tag string, epoch time.Time) (*blob.Image, error) {
	a := archive{blobs: map[blob.Digest]blob.Blob{}}
	var index []v1.Descriptor
	for _, im := range images {
		d, err := a.image(im)
		if err != nil {
			return nil, err
		}
		index = append(index, d)
	}
	if len(index) > 1 {
		d, err := a.json(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: index}, types.OCIImageIndex)
		if err != nil {
			return nil, err
		}
		index = []v1.Descriptor{d}
	}
	index[0].Annotations = map[string]string{"org.opencontainers.image.ref.name": tag}
	files := []tar.File{{Name: "oci-layout", Content: blob.String(`{"imageLayoutVersion":"1.0.0"}`)}}
	for _, doc := range []struct {
		name string
		v    any
	}{
		{"index.json", v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: index}},
		{"manifest.json", []dockerImage{docker(images[0])}},
	} {
		text, err := json.Marshal(doc.v)
		if err != nil {
			return nil, err
		}
		files = append(files, tar.File{Name: doc.name, Content: blob.Bytes(text)})
	}
	for _, d := range slices.Sorted(maps.Keys(a.blobs)) {
		files = append(files, tar.File{Name: blobPath(d), Content: a.blobs[d]})
	}
	return tar.Archive(files, tar.Options{Epoch: epoch})
}

func blobPath(d blob.Digest) string { return "blobs/sha256/" + d.Hex() }

// dockerImage is an element of manifest.json (docker image spec 1.2, "Combined Image JSON + Filesystem Changeset Format").
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// archive collects the blobs of images.
type archive struct{ blobs map[blob.Digest]blob.Blob }

func docker(im oci.Image) dockerImage {
	d := dockerImage{Config: blobPath(blob.SumBytes(im.Config)), RepoTags: []string{}}
	for _, l := range im.Files {
		d.Layers = append(d.Layers, blobPath(l.Digest))
	}
	return d
}

func (a archive) add(content blob.Blob, digest blob.Digest, mediaType types.MediaType) (v1.Descriptor, error) {
	a.blobs[digest] = content
	h, err := v1.NewHash(string(digest))
	return v1.Descriptor{MediaType: mediaType, Size: content.Size(), Digest: h}, err
}

func (a archive) json(v any, mediaType types.MediaType) (v1.Descriptor, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return a.add(blob.Bytes(text), blob.SumBytes(text), mediaType)
}

// image adds an image, with the manifest that builder/base/oci and builder/fetch write, so that its digest is the same.
func (a archive) image(im oci.Image) (v1.Descriptor, error) {
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	var err error
	if m.Config, err = a.add(blob.Bytes(im.Config), blob.SumBytes(im.Config), types.MediaType(im.ConfigType)); err != nil {
		return v1.Descriptor{}, err
	}
	for _, f := range im.Files {
		d, err := a.add(f.Content, f.Digest, types.MediaType(f.MediaType))
		if err != nil {
			return d, err
		}
		m.Layers = append(m.Layers, d)
	}
	d, err := a.json(m, types.OCIManifestSchema1)
	d.Platform = &v1.Platform{Architecture: im.Arch, OS: "linux"}
	return d, err
}

package container

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
)

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

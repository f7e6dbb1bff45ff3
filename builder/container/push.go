package container

import (
	"context"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Tag is what images of a version are called: tags have no letters such as + (distribution-spec, "Pulling manifests").
func Tag(version string) string {
	return strings.Map(func(r rune) rune {
		if r == '+' || r == '~' {
			return '-'
		}
		return r
	}, version)
}

// Push puts images where r says, a registry that client talks to or an OCI image layout in a folder, and returns the digest of what
// the tag names then: the image, or for several an index. In a registry each image has a tag of its own too, with its architecture
// behind it; a layout keeps images of other architectures that the tag names already.
func Push(ctx context.Context, client *fetch.Client, r reference.Reference, images []oci.Image) (digest blob.Digest, err error) {
	switch {
	case r.Scheme == reference.Layout && r.Digest == "":
		for _, im := range images {
			if digest, err = oci.Write(ctx, r.Name, r.Tag, im, nil); err != nil {
				return "", err
			}
		}
		return digest, nil
	case !r.Remote() || r.Digest != "":
		return "", report.WithHint(report.Errorf(report.Invalid, "an image cannot be pushed to %q", r), "give HOST/REPO[:TAG] of a registry, or oci:DIR[:TAG]")
	case len(images) == 1:
		return push(ctx, client, r, images[0])
	}
	var index []v1.Descriptor
	for _, im := range images {
		one := r
		one.Tag = r.TagOrLatest() + "-" + im.Arch
		if _, err := push(ctx, client, one, im); err != nil {
			return "", err
		}
		d, err := archive{blobs: map[blob.Digest]blob.Blob{}}.image(im)
		if err != nil {
			return "", err
		}
		index = append(index, d)
	}
	return client.PushIndex(ctx, r, index)
}

func push(ctx context.Context, client *fetch.Client, r reference.Reference, im oci.Image) (blob.Digest, error) {
	config := fetch.Layer{
		Digest: blob.SumBytes(im.Config), Size: int64(len(im.Config)), MediaType: string(types.OCIConfigJSON), Blob: blob.Bytes(im.Config),
	}
	var layers []fetch.Layer
	for _, f := range im.Files {
		layers = append(layers, fetch.Layer{Digest: f.Digest, Size: f.Content.Size(), MediaType: f.MediaType, Blob: f.Content})
	}
	return client.Push(ctx, r, config, layers)
}

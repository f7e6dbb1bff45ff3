package fetch

import (
	"context"
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/fetch/registry"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Push puts an image into the registry that r names, under its tag or "latest", and returns the digest of its manifest. What
// the tag named before is replaced. Mirrors have no part in it, their registry's TLS and credentials have. Of config and layers,
// Digest, Size, MediaType, Annotations and Blob count. Errors name r and have the kinds of Open.
func (c *Client) Push(ctx context.Context, r reference.Reference, config Layer, layers []Layer) (blob.Digest, error) {
	if !r.Remote() || r.Digest != "" {
		return "", report.Errorf(report.Invalid, "%s: images are pushed to a repository of a registry and a tag", r)
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	var err error
	if m.Config, err = config.descriptor(); err != nil {
		return "", err
	}
	pieces := []registry.Piece{config.piece()}
	for _, l := range layers {
		d, err := l.descriptor()
		if err != nil {
			return "", err
		}
		m.Layers = append(m.Layers, d)
		pieces = append(pieces, l.piece())
	}
	text, err := json.Marshal(m) // as builder/base/oci writes it, so that the digest is the same
	if err == nil {
		err = c.remote.Push(ctx, r, text, pieces)
	}
	return blob.SumBytes(text), within(ctx, r, err)
}

// PushIndex puts an index of images that the repository has already into the registry that r names, as Push does.
func (c *Client) PushIndex(ctx context.Context, r reference.Reference, images []v1.Descriptor) (blob.Digest, error) {
	if !r.Remote() || r.Digest != "" {
		return "", report.Errorf(report.Invalid, "%s: images are pushed to a repository of a registry and a tag", r)
	}
	text, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: images})
	if err == nil {
		err = c.remote.Push(ctx, r, text, nil)
	}
	return blob.SumBytes(text), within(ctx, r, err)
}

func (l Layer) descriptor() (v1.Descriptor, error) {
	h, err := v1.NewHash(string(l.Digest))
	return v1.Descriptor{MediaType: types.MediaType(l.MediaType), Size: l.Size, Digest: h, Annotations: l.Annotations}, err
}

func (l Layer) piece() registry.Piece {
	return registry.Piece{Digest: l.Digest, MediaType: l.MediaType, Content: l.Blob}
}

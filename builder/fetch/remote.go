package fetch

import (
	"context"
	"encoding/json"

	"github.com/bootwright/bootwright/builder/fetch/registry"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// remote is a repository of a registry.
type remote struct {
	*registry.Repository
	ref reference.Reference
}

func (r remote) roots(ctx context.Context) ([]descriptor, error) {
	if r.ref.Digest != "" {
		return []descriptor{{Digest: r.ref.Digest, Size: unknown}}, nil
	}
	d, err := r.tagged(ctx, r.ref.TagOrLatest())
	return []descriptor{d}, err
}

// tagged is the manifest or index that a tag names now.
func (r remote) tagged(ctx context.Context, tag string) (descriptor, error) {
	e, err := r.Tagged(ctx, tag, func(p []byte) error {
		_, err := parseManifest(p, "")
		return err
	})
	if err != nil {
		return descriptor{}, err
	}
	return descriptor{Digest: e.Digest, Size: e.Blob.Size()}, nil
}

func (r remote) manifest(ctx context.Context, d descriptor) (blob.Blob, error) {
	return r.Manifest(ctx, d.Digest, d.Size)
}

func (r remote) blob(ctx context.Context, d descriptor) (blob.Blob, error) {
	return r.Blob(ctx, d.Digest, d.Size)
}

// attached are what the registry has of signatures of d: under cosign's tag, and what refers to it.
func (r remote) attached(ctx context.Context, d blob.Digest) ([]descriptor, error) {
	var out []descriptor
	cosign, referrers := attachedTags(d)
	root, err := r.tagged(ctx, cosign)
	switch {
	case err == nil:
		out = append(out, root)
	case report.KindOf(err) != report.NotFound:
		return nil, err
	}
	list, err := r.referrers(ctx, d)
	if report.KindOf(err) == report.NotFound {
		list, err = r.index(ctx, referrers)
	}
	if err != nil && report.KindOf(err) != report.NotFound {
		return nil, err
	}
	return append(out, list...), nil
}

// referrers asks the registry's API, which many registries do not have: then it is NotFound.
func (r remote) referrers(ctx context.Context, d blob.Digest) ([]descriptor, error) {
	var m manifest
	err := r.Referrers(ctx, d, func(p []byte) error {
		m = manifest{}
		if err := json.Unmarshal(p, &m); err != nil || m.SchemaVersion != 2 || m.checkDescriptors() != nil {
			return report.Errorf(report.NotFound, "no list of referrers")
		}
		return nil
	})
	return m.Manifests, err
}

// index are the entries of the index that a tag names.
func (r remote) index(ctx context.Context, tag string) ([]descriptor, error) {
	root, err := r.tagged(ctx, tag)
	if err != nil {
		return nil, err
	}
	m, _, err := readManifest(ctx, r, root)
	if err != nil {
		return nil, err
	}
	return m.Manifests, nil
}

package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// attached are what the registry has of signatures of d: under cosign's tag, and what refers to it (distribution-spec 1.1,
// "Listing Referrers").
func (r registry) attached(ctx context.Context, d blob.Digest) ([]descriptor, error) {
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
func (r registry) referrers(ctx context.Context, d blob.Digest) ([]descriptor, error) {
	var out []descriptor
	err := r.each(ctx, func(at *endpoint) error {
		body, err := at.getSmall(ctx, "referrers/"+string(d), string(types.OCIImageIndex))
		if err != nil {
			return lacksAPI(err)
		}
		defer body.Close()
		var m manifest
		if err := json.NewDecoder(body).Decode(&m); err != nil || m.SchemaVersion != 2 {
			return report.Errorf(report.NotFound, "no list of referrers")
		}
		out = nil
		for _, e := range m.Manifests {
			if e.check() == nil {
				out = append(out, e)
			}
		}
		return nil
	})
	return out, err
}

// lacksAPI makes NotFound of how registries say that they do not know such requests.
func lacksAPI(err error) error {
	if e, ok := errors.AsType[*transport.Error](err); ok && e.StatusCode >= 400 && e.StatusCode < 500 &&
		!slices.Contains([]int{401, 403, 408, 429}, e.StatusCode) {
		return report.Errorf(report.NotFound, "no list of referrers: %s", plain(err))
	}
	return err
}

// index are the entries of the index that a tag names.
func (r registry) index(ctx context.Context, tag string) ([]descriptor, error) {
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

func (l layout) attached(ctx context.Context, d blob.Digest) ([]descriptor, error) {
	p, err := readFile(filepath.Join(l.ref.Name, "index.json"))
	if err != nil {
		return nil, err
	}
	return attachedIn(ctx, l, p, d)
}

func (a archive) attached(ctx context.Context, d blob.Digest) ([]descriptor, error) {
	t, err := openTar(a.ref.Name)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if !t.has("index.json") {
		return nil, nil // docker save writes no signatures
	}
	p, err := t.read("index.json")
	if err != nil {
		return nil, err
	}
	return attachedIn(ctx, a, p, d)
}

func (f folder) attached(context.Context, blob.Digest) ([]descriptor, error) { return nil, nil }

// attachedIn are the signatures of d in a layout: what has cosign's tag, and images with d for their subject. Those that
// cannot be read are no signatures.
func attachedIn(ctx context.Context, src source, index []byte, d blob.Digest) ([]descriptor, error) {
	var all manifest
	if err := json.Unmarshal(index, &all); err != nil {
		return nil, report.Errorf(report.Invalid, "index.json is not valid JSON: %w", err)
	}
	cosign, _ := attachedTags(d)
	var out []descriptor
	for _, e := range all.Manifests[:min(len(all.Manifests), maxEntries)] {
		if e.check() != nil || e.Digest == d {
			continue
		}
		if e.Annotations[annotationTag] == cosign {
			out = append(out, e)
			continue
		}
		if m, _, err := readManifest(ctx, src, e); err == nil && m.Subject != nil && m.Subject.Digest == d {
			out = append(out, e)
		}
	}
	return out, nil
}

// maxEntries is how many entries of a layout's index are looked at for signatures.
const maxEntries = 1000

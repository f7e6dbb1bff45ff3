package fetch

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

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

package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// layout is an OCI image layout in a folder (image-spec, image-layout.md). Its blobs may be symbolic links: their digest
// says what they must hold, wherever that lies.
type layout struct {
	store *store.Store
	ref   reference.Reference
}

func (l layout) roots(ctx context.Context) ([]descriptor, error) {
	if l.ref.Digest != "" {
		return []descriptor{{Digest: l.ref.Digest, Size: unknown}}, nil
	}
	if err := l.exists(); err != nil {
		return nil, err
	}
	p, err := readFile(filepath.Join(l.ref.Name, "index.json"))
	if err != nil {
		return nil, err
	}
	return parseIndex(p, l.ref.Tag)
}

// exists says it plainly where the folder is missing or no layout.
func (l layout) exists() error {
	info, err := os.Stat(l.ref.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return report.Errorf(report.NotFound, "no such folder")
	case err != nil:
		return report.Errorf(report.Invalid, "%w", err)
	case !info.IsDir():
		return report.WithHint(report.Errorf(report.Invalid, "is not a folder"), "did you mean tar:%s?", l.ref.Name)
	}
	if _, err := os.Stat(filepath.Join(l.ref.Name, "oci-layout")); errors.Is(err, fs.ErrNotExist) {
		return report.WithHint(report.Errorf(report.Invalid, "is not an OCI layout: it has no file oci-layout"), "a folder of parts is written dir:%s", l.ref.Name)
	}
	return nil
}

func (l layout) manifest(ctx context.Context, d descriptor) (blob.Blob, error) { return l.blob(ctx, d) }

func (l layout) blob(ctx context.Context, d descriptor) (blob.Blob, error) {
	e, err := l.store.Check(ctx, filepath.Join(l.ref.Name, "blobs", "sha256", d.Digest.Hex()), d.Digest)
	if errors.Is(err, store.ErrContent) || errors.Is(err, fs.ErrNotExist) {
		err = report.WithHint(err, "the layout is damaged or incomplete: copy it or make it again")
	}
	return e.Blob, err
}

// parseIndex is what tag names in a layout's index.json.
func parseIndex(p []byte, tag string) ([]descriptor, error) {
	var index manifest
	if err := json.Unmarshal(p, &index); err != nil {
		return nil, report.Errorf(report.Invalid, "index.json is not valid JSON: %w", err)
	}
	tags := make([][]string, len(index.Manifests))
	for i, d := range index.Manifests {
		if err := d.check(); err != nil {
			return nil, report.Errorf(report.KindOf(err), "index.json: %w", err)
		}
		if t := d.Annotations[annotationTag]; t != "" {
			tags[i] = []string{t}
		}
	}
	match, err := named(tags, tag)
	if err != nil {
		return nil, err
	}
	out := make([]descriptor, len(match))
	for i, m := range match {
		out[i] = index.Manifests[m]
	}
	return out, nil
}

// readFile reads a small file without trusting its length.
func readFile(path string) ([]byte, error) {
	f, err := blob.OpenFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, report.Errorf(report.NotFound, "%w", err)
	case err != nil:
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	defer f.Close()
	p, err := readSmall(f)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%s: %w", path, err)
	}
	return p, nil
}

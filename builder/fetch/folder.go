package fetch

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// configFile is the one file of a folder that is its image's config; all others are layers.
const configFile = "manifest.json"

// folder is a plain folder of parts. Its manifest is made from its content: config and layers by name, with their
// names as titles and no media type of their own.
type folder struct {
	store *store.Store
	ref   reference.Reference
}

func (f folder) roots(ctx context.Context) ([]descriptor, error) {
	p, err := f.describe(ctx)
	if err != nil {
		return nil, err
	}
	return []descriptor{{Digest: blob.SumBytes(p), Size: int64(len(p))}}, nil
}

func (f folder) manifest(ctx context.Context, d descriptor) (blob.Blob, error) {
	p, err := f.describe(ctx)
	if err != nil {
		return nil, err
	}
	if now := blob.SumBytes(p); now != d.Digest {
		return nil, changed(now)
	}
	return bytes.NewReader(p), nil
}

func (f folder) blob(ctx context.Context, d descriptor) (blob.Blob, error) {
	e, err := f.store.Check(ctx, filepath.Join(f.ref.Name, d.Annotations[annotationTitle]), d.Digest)
	return e.Blob, err
}

// describe is the manifest of what the folder holds now.
func (f folder) describe(ctx context.Context) ([]byte, error) {
	files, err := os.ReadDir(f.ref.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, report.Errorf(report.NotFound, "no such folder")
	case err != nil:
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	if !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() == configFile }) {
		return nil, report.Errorf(report.NotFound, "has no %s, so that it is no image", configFile)
	}
	var m manifest
	for _, file := range files {
		e, err := f.store.Check(ctx, filepath.Join(f.ref.Name, file.Name()), "")
		if err != nil {
			return nil, err
		}
		d := descriptor{
			MediaType: "application/octet-stream", Digest: e.Digest, Size: e.Blob.Size(),
			Annotations: map[string]string{annotationTitle: file.Name()},
		}
		if file.Name() == configFile {
			d.MediaType = "application/json"
			m.Config = &d
		} else {
			m.Layers = append(m.Layers, d)
		}
	}
	return m.marshal()
}

func changed(now blob.Digest) error {
	return report.WithHint(report.Errorf(report.Invalid, "changed since it was locked; now it is %s", now), "lock it again")
}

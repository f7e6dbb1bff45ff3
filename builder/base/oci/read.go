package oci

import (
	"encoding/json"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// index is index.json; an error that is fs.ErrNotExist where there is none.
func (l layout) index() (*v1.IndexManifest, error) {
	return readIndex(filepath.Join(string(l), "index.json"), "")
}

// images are the image manifests that d stands for: itself, or those of the index that it refers to.
func (l layout) images(d v1.Descriptor) ([]v1.Descriptor, error) {
	if !d.MediaType.IsIndex() {
		d.Annotations = nil
		return []v1.Descriptor{d}, nil
	}
	index, err := readIndex(l.path(d.Digest), blob.Digest(d.Digest.String()))
	if err != nil {
		return nil, err
	}
	return index.Manifests, nil
}

// readIndex reads the file at path, whose digest must be want unless that is empty.
func readIndex(path string, want blob.Digest) (*v1.IndexManifest, error) {
	f, err := blob.OpenFile(path)
	if err != nil {
		return nil, report.Errorf(report.NotFound, "%w", err)
	}
	defer f.Close()
	p, err := blob.ReadAll(f, maxIndex)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%s: %w", path, err)
	}
	if got := blob.SumBytes(p); want != "" && got != want {
		return nil, report.Errorf(report.Invalid, "%s: its content has digest %s", path, got)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(p, &index); err != nil {
		return nil, report.Errorf(report.Invalid, "%s: %w", path, err)
	}
	return &index, nil
}

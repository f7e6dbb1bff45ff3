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
	path := filepath.Join(string(l), "index.json")
	p, err := readDocument(path)
	if err != nil {
		return nil, err
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(p, &index); err != nil {
		return nil, report.Errorf(report.Invalid, "%s: %w", path, err)
	}
	return &index, nil
}

// images are the image manifests that d stands for: itself, or those of the index that it refers to.
func (l layout) images(d v1.Descriptor) ([]v1.Descriptor, error) {
	if !d.MediaType.IsIndex() {
		d.Annotations = nil
		return []v1.Descriptor{d}, nil
	}
	var index v1.IndexManifest
	err := l.read(d, &index)
	return index.Manifests, err
}

// read reads the JSON document that d refers to.
func (l layout) read(d v1.Descriptor, v any) error {
	p, err := l.document(d)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(p, v); err != nil {
		return report.Errorf(report.Invalid, "%s: %w", l.path(d.Digest), err)
	}
	return nil
}

// document is the small content that d refers to, verified.
func (l layout) document(d v1.Descriptor) ([]byte, error) {
	if _, err := blob.ParseDigest(d.Digest.String()); err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	p, err := readDocument(l.path(d.Digest))
	if err != nil {
		return nil, err
	}
	if got := blob.SumBytes(p); string(got) != d.Digest.String() {
		return nil, report.Errorf(report.Invalid, "%s: its content has digest %s", l.path(d.Digest), got)
	}
	return p, nil
}

func readDocument(path string) ([]byte, error) {
	f, err := blob.OpenFile(path)
	if err != nil {
		return nil, report.Errorf(report.NotFound, "%w", err)
	}
	defer f.Close()
	p, err := blob.ReadAll(f, maxDocument)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%s: %w", path, err)
	}
	return p, nil
}

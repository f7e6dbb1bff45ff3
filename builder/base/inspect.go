package base

import (
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Stored is a base in an OCI image layout.
type Stored struct {
	Manifest
	Image blob.Digest       // of the image manifest
	Files map[string]string // path of the file with a part, by title
}

// Inspect reads what the bases are that tag names in the OCI image layout in dir, one for each architecture. An empty tag
// stands for the only one there is. Documents are verified by digest, the parts are not read.
func Inspect(dir, tag string) ([]*Stored, error) {
	l := layout(dir)
	var top v1.IndexManifest
	if err := readJSON(filepath.Join(dir, "index.json"), &top); err != nil {
		return nil, report.WithHint(err, "name the folder of an OCI image layout, such as `bootwright base build` writes")
	}
	d, err := choose(top.Manifests, tag)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%s: %w", dir, err)
	}
	images, err := l.images(d)
	if err != nil {
		return nil, err
	}
	var all []*Stored
	for _, image := range images {
		s, err := l.stored(image)
		if err != nil {
			return nil, report.Errorf(report.KindOf(err), "%s: image %s: %w", dir, image.Digest, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// choose is the descriptor that tag names.
func choose(all []v1.Descriptor, tag string) (v1.Descriptor, error) {
	var tags []string
	for _, d := range all {
		tags = append(tags, d.Annotations[annotationTag])
	}
	if tag == "" && len(all) == 1 {
		return all[0], nil
	}
	i := slices.Index(tags, tag)
	if i < 0 || tag == "" {
		return v1.Descriptor{}, report.Errorf(report.NotFound, "no base is tagged %q; there are %q", tag, tags)
	}
	return all[i], nil
}

func (l layout) stored(image v1.Descriptor) (*Stored, error) {
	var m v1.Manifest
	if err := l.read(image, &m); err != nil {
		return nil, err
	}
	if m.Config.MediaType != ConfigMediaType {
		return nil, report.Errorf(report.Invalid, "not a base: its config is %.100q", m.Config.MediaType)
	}
	config, err := l.document(m.Config)
	if err != nil {
		return nil, err
	}
	manifest, err := ParseManifest(config)
	if err != nil {
		return nil, err
	}
	s := &Stored{Manifest: *manifest, Image: blob.Digest(image.Digest.String()), Files: map[string]string{}}
	for _, p := range manifest.Parts {
		s.Files[p.Title] = filepath.Join(string(l), "blobs", strings.Replace(string(p.Digest), ":", "/", 1))
	}
	return s, nil
}

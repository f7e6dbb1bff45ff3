package fetch

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/fetch/registry"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Limits on what others wrote.
const (
	maxManifest  = registry.MaxManifest // bytes of a manifest, index or config that is read into memory
	maxDepth     = 4                    // indexes inside indexes
	maxManifests = 64                   // looked at in one Resolve
)

// Annotations of descriptors that mean something here (image-spec, annotations.md).
const (
	annotationTitle = "org.opencontainers.image.title"
	annotationTag   = "org.opencontainers.image.ref.name"
)

// descriptor refers to content (image-spec, descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType,omitempty"`
	Digest      blob.Digest       `json:"digest"`
	Size        int64             `json:"size"` // bytes; unknown where a reference's own digest is all there is
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *platform         `json:"platform,omitempty"`

	ArtifactType string `json:"artifactType,omitempty"` // of the manifest, in an index
}

// layer is what d says of a layer, whose content is not open yet.
func (d *descriptor) layer() Layer {
	return Layer{Digest: d.Digest, Size: d.Size, MediaType: d.MediaType, Title: d.Annotations[annotationTitle], Annotations: d.Annotations}
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// unknown is the size of a descriptor made from a digest alone.
const unknown = -1

// manifest is an image manifest or an index; the fields do not overlap.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

func (m *manifest) isIndex() bool { return m.Config == nil }

// parseManifest reads an image manifest or an index and checks every descriptor in it. mediaType is what its descriptor
// claims, or empty: reading one kind as the other would let one digest mean two images.
func parseManifest(p []byte, mediaType string) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal(p, &m); err != nil {
		return nil, report.Errorf(report.Invalid, "manifest is not valid JSON: %w", err)
	}
	switch {
	case m.SchemaVersion == 1:
		return nil, report.Errorf(report.Unsupported, "manifest of schema version 1; the image has to be pushed again by a tool of this decade")
	case m.SchemaVersion != 2:
		return nil, report.Errorf(report.Invalid, "manifest of schema version %d, not 2", m.SchemaVersion)
	case m.Config != nil && m.Manifests != nil:
		return nil, report.Errorf(report.Invalid, "manifest is an image and an index at once")
	case m.Config == nil && m.Layers != nil:
		return nil, report.Errorf(report.Invalid, "image manifest has no config")
	case m.Config == nil && m.Manifests == nil:
		return nil, report.Errorf(report.Invalid, "manifest lists neither layers nor manifests")
	}
	for _, claim := range []string{m.MediaType, mediaType} {
		if err := m.checkMediaType(claim); err != nil {
			return nil, err
		}
	}
	return &m, m.checkDescriptors()
}

func (m *manifest) checkMediaType(claim string) error {
	t := types.MediaType(claim)
	switch {
	case claim == "", t.IsIndex() && m.isIndex(), t.IsImage() && !m.isIndex():
		return nil
	case t.IsIndex() || t.IsImage():
		return report.Errorf(report.Invalid, "manifest says it is %s, and its fields say otherwise", claim)
	}
	return report.Errorf(report.Unsupported, "manifest of media type %.100q", claim)
}

func (m *manifest) checkDescriptors() error {
	titles := map[string]bool{}
	all := slices.Concat(m.Layers, m.Manifests)
	if m.Config != nil {
		all = append(all, *m.Config)
	}
	for _, d := range all {
		if err := d.check(); err != nil {
			return err
		}
	}
	for _, d := range m.Layers {
		title := d.Annotations[annotationTitle]
		if title == "" {
			continue
		}
		if err := tree.CheckPath(title); err != nil {
			return report.Errorf(report.Invalid, "title of layer %s: %w", d.Digest, err)
		}
		if title == "." || titles[title] {
			return report.Errorf(report.Invalid, "title %q of layer %s is not its own", title, d.Digest)
		}
		titles[title] = true
	}
	return nil
}

func (d *descriptor) check() error {
	if algorithm, _, ok := strings.Cut(string(d.Digest), ":"); ok && algorithm == "sha512" {
		return report.Errorf(report.Unsupported, "digest %.150q: only sha256 is known", d.Digest)
	}
	if _, err := blob.ParseDigest(string(d.Digest)); err != nil {
		return report.Errorf(report.Invalid, "descriptor: %w", err)
	}
	if d.Size < 0 {
		return report.Errorf(report.Invalid, "descriptor of %s has size %d", d.Digest, d.Size)
	}
	return nil
}

// marshal is a manifest made here, always the same bytes for the same content.
func (m *manifest) marshal() ([]byte, error) {
	m.SchemaVersion, m.MediaType = 2, string(types.OCIManifestSchema1)
	return json.Marshal(m)
}

// architecture is what an image's config says of it, in the field of image-spec (config.md) or that of a base, or empty.
func architecture(config []byte) string {
	var c struct{ Architecture, Arch string }
	if json.Unmarshal(config, &c) != nil {
		return "" // configs of other media types need not be JSON
	}
	return cmp.Or(c.Architecture, c.Arch)
}

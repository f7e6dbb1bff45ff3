package base

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// Annotations of descriptors (image-spec, annotations.md).
const (
	annotationTag   = "org.opencontainers.image.ref.name"
	annotationTitle = "org.opencontainers.image.title"
)

// maxDocument is the most that is read of an index, manifest or configuration.
const maxDocument = 4 << 20

// layout is an OCI image layout in a folder (image-spec, image-layout.md).
type layout string

// Write stores the base in the OCI image layout in dir, which it makes if need be, under tag. Bases of other
// architectures that tag names already stay: tag then names an index of all. A blob that is there is not written again, and
// index.json is replaced last, so that a write that was cut short changes nothing that was there. It returns the
// digest of the image's manifest.
func (b *Base) Write(ctx context.Context, dir, tag string, p *progress.Progress) (_ blob.Digest, err error) {
	if err := checkTag(tag); err != nil {
		return "", err
	}
	var total int64
	for _, part := range b.Manifest.Parts {
		total += part.Size
	}
	step := p.Step("write "+dir, total)
	defer func() { step.Done(err) }()
	l := layout(dir)
	if err := l.create(); err != nil {
		return "", fmt.Errorf("oci layout: %w", err)
	}
	image, err := l.putImage(ctx, b, step)
	if err != nil {
		return "", fmt.Errorf("oci layout: %w", err)
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return "", fmt.Errorf("oci layout: %w", err)
	}
	defer unlock()
	if err := l.tag(ctx, image, tag); err != nil {
		return "", fmt.Errorf("oci layout %s: %w", dir, err)
	}
	return blob.Digest(image.Digest.String()), nil
}

// checkTag refuses what a registry would (distribution-spec, "Pulling manifests").
func checkTag(tag string) error {
	ok := tag != "" && len(tag) <= 128 && !strings.ContainsAny(tag[:1], ".-")
	for _, c := range tag {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c))
	}
	if !ok {
		return report.Errorf(report.Invalid, "%q cannot be a tag: letters, digits, '.', '_' and '-', at most 128, and not '.' or '-' first", tag)
	}
	return nil
}

// create makes the folders and the marker of a layout.
func (l layout) create() error {
	if err := os.MkdirAll(filepath.Join(string(l), "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	marker := filepath.Join(string(l), "oci-layout")
	if _, err := os.Stat(marker); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return l.replace(context.Background(), "oci-layout", v1Layout{"1.0.0"})
}

type v1Layout struct {
	Version string `json:"imageLayoutVersion"`
}

// putImage stores the parts, the configuration and the image manifest, and returns the manifest's descriptor.
func (l layout) putImage(ctx context.Context, b *Base, step *progress.Step) (v1.Descriptor, error) {
	config, err := l.putBytes(ctx, b.Manifest.encode(), ConfigMediaType)
	if err != nil {
		return v1.Descriptor{}, err
	}
	image := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config}
	for _, p := range b.Manifest.Parts {
		d, err := descriptor(p.MediaType, p.Digest, p.Size)
		if err != nil {
			return v1.Descriptor{}, err
		}
		if err := l.put(ctx, b.Part(p.Title), d, step); err != nil {
			return v1.Descriptor{}, fmt.Errorf("%s: %w", p.Title, err)
		}
		d.Annotations = map[string]string{annotationTitle: p.Title}
		image.Layers = append(image.Layers, d)
	}
	d, err := l.putJSON(ctx, image, types.OCIManifestSchema1)
	d.Platform = &v1.Platform{Architecture: b.Manifest.Arch, OS: "linux"}
	return d, err
}

func descriptor(mediaType string, digest blob.Digest, size int64) (v1.Descriptor, error) {
	h, err := v1.NewHash(string(digest))
	return v1.Descriptor{MediaType: types.MediaType(mediaType), Digest: h, Size: size}, err
}

// put stores content under its digest. What is there with the right length was renamed into place when it was whole.
func (l layout) put(ctx context.Context, content blob.Blob, d v1.Descriptor, step *progress.Step) error {
	path := l.path(d.Digest)
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Size() == d.Size {
		step.Add(d.Size)
		return nil
	}
	return blob.WriteFile(ctx, path, content, blob.WriteOptions{Progress: step.Add})
}

func (l layout) path(h v1.Hash) string { return filepath.Join(string(l), "blobs", h.Algorithm, h.Hex) }

func (l layout) putBytes(ctx context.Context, p []byte, mediaType types.MediaType) (v1.Descriptor, error) {
	d, err := descriptor(string(mediaType), blob.SumBytes(p), int64(len(p)))
	if err != nil {
		return d, err
	}
	return d, l.put(ctx, blob.Bytes(p), d, nil)
}

func (l layout) putJSON(ctx context.Context, v any, mediaType types.MediaType) (v1.Descriptor, error) {
	p, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return l.putBytes(ctx, p, mediaType)
}

// replace puts a document into the layout's folder, under a name of its own.
func (l layout) replace(ctx context.Context, name string, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return blob.WriteFile(ctx, filepath.Join(string(l), name), blob.Bytes(p), blob.WriteOptions{})
}

// tag makes tag name the image, beside the images of other architectures that it names already.
func (l layout) tag(ctx context.Context, image v1.Descriptor, tag string) error {
	top, err := l.index()
	if err != nil {
		return err
	}
	images := []v1.Descriptor{image}
	for _, d := range top.Manifests {
		if d.Annotations[annotationTag] != tag {
			continue
		}
		old, err := l.images(d)
		if err != nil {
			return err
		}
		images = append(images, slices.DeleteFunc(old, func(o v1.Descriptor) bool {
			return o.Digest == image.Digest || o.Platform != nil && o.Platform.Equals(*image.Platform)
		})...)
	}
	slices.SortFunc(images, func(a, b v1.Descriptor) int { return cmp.Compare(architecture(a), architecture(b)) })
	named := images[0]
	if len(images) > 1 {
		if named, err = l.putJSON(ctx, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: images}, types.OCIImageIndex); err != nil {
			return err
		}
	}
	named.Annotations = map[string]string{annotationTag: tag}
	top.Manifests = append(slices.DeleteFunc(top.Manifests, func(d v1.Descriptor) bool { return d.Annotations[annotationTag] == tag }), named)
	slices.SortStableFunc(top.Manifests, func(a, b v1.Descriptor) int {
		return cmp.Compare(a.Annotations[annotationTag], b.Annotations[annotationTag])
	})
	return l.replace(ctx, "index.json", top)
}

func architecture(d v1.Descriptor) string {
	if d.Platform == nil {
		return ""
	}
	return d.Platform.Architecture
}

// index is index.json, or a new one.
func (l layout) index() (*v1.IndexManifest, error) {
	index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	path := filepath.Join(string(l), "index.json")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return index, nil
	}
	return index, readJSON(path, index)
}

// images are the image manifests that d stands for: itself, or those of the index that it refers to. Their tags are
// left out.
func (l layout) images(d v1.Descriptor) ([]v1.Descriptor, error) {
	d.Annotations = nil
	if !d.MediaType.IsIndex() {
		return []v1.Descriptor{d}, nil
	}
	var index v1.IndexManifest
	err := l.read(d, &index)
	return index.Manifests, err
}

// read reads the JSON document that d refers to, once its digest is verified.
func (l layout) read(d v1.Descriptor, v any) error {
	p, err := l.document(d)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(p, v); err != nil {
		return report.Errorf(report.Invalid, "%s %s: %w", d.MediaType, d.Digest, err)
	}
	return nil
}

func (l layout) document(d v1.Descriptor) ([]byte, error) {
	p, err := readDocument(l.path(d.Digest))
	if err != nil {
		return nil, err
	}
	if got := blob.SumBytes(p); string(got) != d.Digest.String() {
		return nil, report.Errorf(report.Invalid, "%s: its content has digest %s", l.path(d.Digest), got)
	}
	return p, nil
}

func readJSON(path string, v any) error {
	p, err := readDocument(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(p, v); err != nil {
		return report.Errorf(report.Invalid, "%s: %w", path, err)
	}
	return nil
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

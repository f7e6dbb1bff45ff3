package oci

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

	"github.com/bootwright/bootwright/builder/base/flock"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// Annotations of descriptors (image-spec, annotations.md).
const (
	annotationTag   = "org.opencontainers.image.ref.name"
	annotationTitle = "org.opencontainers.image.title"
)

const (
	defaultTag = "latest"
	maxIndex   = 4 << 20 // bytes of an index that are read
)

// Image is a configuration and files, for one architecture.
type Image struct {
	Arch       string // as Go and OCI name it
	ConfigType string // media type of Config
	Config     []byte
	Files      []File
}

// File is one file of an image.
type File struct {
	Title     string // may be empty for a layer that has no name
	MediaType string
	Digest    blob.Digest // of Content
	Content   blob.Blob
}

// layout is an image layout in a folder.
type layout string

// Write stores im in the layout in dir, which it makes if need be, under tag, or "latest" if that is empty. Images of other
// architectures that tag names already stay: tag then names an index of all. A blob that is there undamaged is not written again, and index.json is
// replaced last, so that a write that is cut short changes nothing that was there. It returns the digest of the image's
// manifest. Progress is told of the bytes of files and may be nil.
func Write(ctx context.Context, dir, tag string, im Image, p *progress.Step) (blob.Digest, error) {
	if tag == "" {
		tag = defaultTag
	}
	if err := checkTag(tag); err != nil {
		return "", err
	}
	l := layout(dir)
	d, err := l.write(ctx, tag, im, p)
	if err != nil {
		return "", fmt.Errorf("oci layout %s: %w", dir, err)
	}
	return blob.Digest(d.Digest.String()), nil
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

// Check reports what would keep Write from putting tag into dir, as far as that shows without a trace: work that
// ends there need not begin.
func Check(dir, tag string) error {
	if tag != "" {
		if err := checkTag(tag); err != nil {
			return err
		}
	}
	at := filepath.Clean(dir)
	for at != filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		at = filepath.Dir(at)
	}
	probe, err := os.MkdirTemp(at, ".check-")
	if err != nil {
		return report.Errorf(report.Invalid, "oci layout %s: %w", dir, err)
	}
	return os.Remove(probe)
}

func (l layout) write(ctx context.Context, tag string, im Image, p *progress.Step) (v1.Descriptor, error) {
	if err := l.create(ctx); err != nil {
		return v1.Descriptor{}, err
	}
	d, err := l.putImage(ctx, im, p)
	if err != nil {
		return d, err
	}
	// The folder itself is locked, so that no file stays behind.
	dir, err := os.Open(string(l))
	if err != nil {
		return d, err
	}
	defer dir.Close()
	if err := flock.Wait(ctx, dir); err != nil {
		return d, err
	}
	return d, l.tag(ctx, d, tag)
}

// create makes the folders and the marker of a layout.
func (l layout) create(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(string(l), "blobs", "sha256"), 0o755); err != nil {
		return report.Errorf(report.Invalid, "%w", err)
	}
	if _, err := os.Stat(filepath.Join(string(l), "oci-layout")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return l.replace(ctx, "oci-layout", map[string]string{"imageLayoutVersion": "1.0.0"})
}

// putImage stores the files, the configuration and the image manifest, and returns the manifest's descriptor.
func (l layout) putImage(ctx context.Context, im Image, p *progress.Step) (v1.Descriptor, error) {
	config, err := l.putBytes(ctx, im.Config, types.MediaType(im.ConfigType))
	if err != nil {
		return v1.Descriptor{}, err
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config}
	for _, f := range im.Files {
		d, err := descriptor(types.MediaType(f.MediaType), f.Digest, f.Content.Size())
		if err != nil {
			return v1.Descriptor{}, err
		}
		if err := l.put(ctx, f.Content, d, p); err != nil {
			return v1.Descriptor{}, fmt.Errorf("%s: %w", f.Title, err)
		}
		if f.Title != "" {
			d.Annotations = map[string]string{annotationTitle: f.Title}
		}
		manifest.Layers = append(manifest.Layers, d)
	}
	d, err := l.putJSON(ctx, manifest, types.OCIManifestSchema1)
	d.Platform = &v1.Platform{Architecture: im.Arch, OS: "linux"}
	return d, err
}

func descriptor(mediaType types.MediaType, digest blob.Digest, size int64) (v1.Descriptor, error) {
	h, err := v1.NewHash(string(digest))
	return v1.Descriptor{MediaType: mediaType, Digest: h, Size: size}, err
}

// put stores content under its digest, unless it is there undamaged.
func (l layout) put(ctx context.Context, content blob.Blob, d v1.Descriptor, p *progress.Step) error {
	if l.has(ctx, d) {
		p.Add(d.Size)
		return nil
	}
	return blob.WriteFile(ctx, l.path(d.Digest), content, blob.WriteOptions{Progress: p.Add})
}

func (l layout) has(ctx context.Context, d v1.Descriptor) bool {
	f, err := blob.OpenFile(l.path(d.Digest))
	if err != nil {
		return false
	}
	defer f.Close()
	if f.Size() != d.Size {
		return false
	}
	got, err := blob.Sum(ctx, f)
	return err == nil && string(got) == d.Digest.String()
}

func (l layout) path(h v1.Hash) string { return filepath.Join(string(l), "blobs", h.Algorithm, h.Hex) }

func (l layout) putBytes(ctx context.Context, p []byte, mediaType types.MediaType) (v1.Descriptor, error) {
	d, err := descriptor(mediaType, blob.SumBytes(p), int64(len(p)))
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
	if errors.Is(err, fs.ErrNotExist) {
		top, err = &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, nil
	}
	if err != nil {
		return err
	}
	hasTag := func(d v1.Descriptor) bool { return d.Annotations[annotationTag] == tag }
	named := image
	if i := slices.IndexFunc(top.Manifests, hasTag); i >= 0 {
		if named, err = l.join(ctx, top.Manifests[i], image); err != nil {
			return err
		}
	}
	named.Annotations = map[string]string{annotationTag: tag}
	top.Manifests = append(slices.DeleteFunc(top.Manifests, hasTag), named)
	slices.SortStableFunc(top.Manifests, func(a, b v1.Descriptor) int {
		return cmp.Compare(a.Annotations[annotationTag], b.Annotations[annotationTag])
	})
	return l.replace(ctx, "index.json", top)
}

// join is the descriptor of image and of what old names for other platforms: image itself, or an index.
func (l layout) join(ctx context.Context, old, image v1.Descriptor) (v1.Descriptor, error) {
	images, err := l.images(old)
	if err != nil {
		return old, err
	}
	images = slices.DeleteFunc(images, func(d v1.Descriptor) bool { return platform(d) == "" || platform(d) == platform(image) })
	if len(images) == 0 {
		return image, nil
	}
	images = append(images, image)
	slices.SortFunc(images, func(a, b v1.Descriptor) int { return cmp.Compare(platform(a), platform(b)) })
	return l.putJSON(ctx, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: images}, types.OCIImageIndex)
}

func platform(d v1.Descriptor) string {
	if d.Platform == nil {
		return ""
	}
	return d.Platform.String()
}

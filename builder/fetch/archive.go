package fetch

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Limits on a tar archive.
const (
	maxMembers = 100_000
	maxLinks   = 8 // from link to link
)

// annotationMember is the path in a docker save archive that a descriptor's content has there.
const annotationMember = "bootwright.member"

// archive is a tar archive of an OCI image layout, or what docker save wrote before it wrote those.
type archive struct {
	store *store.Store
	ref   reference.Reference
}

func (a archive) roots(ctx context.Context) ([]descriptor, error) {
	if a.ref.Digest != "" {
		return []descriptor{{Digest: a.ref.Digest, Size: unknown}}, nil
	}
	t, err := openTar(a.ref.Name)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if t.has("index.json") {
		p, err := t.read("index.json")
		if err != nil {
			return nil, err
		}
		return parseIndex(p, a.ref.Tag)
	}
	e, err := a.describe(ctx, t)
	if err != nil {
		return nil, err
	}
	return []descriptor{{Digest: e.Digest, Size: e.Blob.Size()}}, nil
}

func (a archive) manifest(ctx context.Context, d descriptor) (blob.Blob, error) {
	b, err := a.store.Blob(ctx, d.Digest)
	if report.KindOf(err) != report.NotFound {
		return b, err
	}
	t, err := openTar(a.ref.Name)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if t.has("index.json") {
		return a.blob(ctx, d)
	}
	e, err := a.describe(ctx, t)
	if err == nil && e.Digest != d.Digest {
		err = changed(e.Digest)
	}
	return e.Blob, err
}

func (a archive) blob(ctx context.Context, d descriptor) (blob.Blob, error) {
	e, err := a.store.Obtain(ctx, d.Digest, d.Size, func(context.Context) (io.ReadCloser, error) {
		t, err := openTar(a.ref.Name)
		if err != nil {
			return nil, err
		}
		member := d.Annotations[annotationMember]
		if t.has("index.json") {
			member = "blobs/sha256/" + d.Digest.Hex()
		}
		s, err := t.open(member)
		if err != nil {
			t.Close()
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{s, t}, nil
	})
	return e.Blob, err
}

// saved is an image in the manifest.json of docker save.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// describe makes the manifest of an archive without index.json, which is what docker save writes. It is remembered by
// the archive's digest, as it takes a hash of everything.
func (a archive) describe(ctx context.Context, t *tarFile) (store.Entry, error) {
	if !t.has("manifest.json") {
		return store.Entry{}, report.Errorf(report.Invalid, "is neither an OCI layout (no index.json) nor from docker save (no manifest.json)")
	}
	p, err := t.read("manifest.json")
	if err != nil {
		return store.Entry{}, err
	}
	im, err := pickSaved(p, a.ref.Tag)
	if err != nil {
		return store.Entry{}, err
	}
	whole, err := a.store.Check(ctx, a.ref.Name, "")
	if err != nil {
		return store.Entry{}, err
	}
	key := "docker save manifest 1 of " + string(whole.Digest) + " tag " + a.ref.Tag
	return a.store.Spool(ctx, key, func(ctx context.Context, w io.Writer) error {
		config, err := t.describe(ctx, im.Config, types.DockerConfigJSON)
		if err != nil {
			return err
		}
		m := manifest{Config: &config}
		for _, member := range im.Layers {
			layer, err := t.describe(ctx, member, t.layerType(member))
			if err != nil {
				return err
			}
			m.Layers = append(m.Layers, layer)
		}
		p, err := m.marshal()
		if err != nil {
			return err
		}
		_, err = w.Write(p)
		return err
	})
}

// pickSaved is the image that tag means in the manifest.json of docker save.
func pickSaved(p []byte, tag string) (saved, error) {
	var images []saved
	if err := json.Unmarshal(p, &images); err != nil {
		return saved{}, report.Errorf(report.Invalid, "manifest.json is not what docker save writes: %w", err)
	}
	tags := make([][]string, len(images))
	for i, im := range images {
		tags[i] = im.RepoTags
	}
	match, err := named(tags, tag)
	if err != nil {
		return saved{}, err
	}
	if len(match) != 1 {
		return saved{}, report.Errorf(report.Invalid, "manifest.json lists %d images of that name", len(match))
	}
	return images[match[0]], nil
}

// tarFile is an open archive and where its files lie in it.
type tarFile struct {
	*blob.File
	members map[string]member
}

type member struct {
	off, size int64
	link      string // another member that it stands for
}

// openTar reads the headers of an uncompressed tar archive.
func openTar(name string) (*tarFile, error) {
	f, err := blob.OpenFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, report.Errorf(report.NotFound, "no such file")
	case err != nil:
		err = report.Errorf(report.Invalid, "%w", err)
		if info, serr := os.Stat(name); serr == nil && info.IsDir() {
			err = report.WithHint(err, "did you mean oci:%s?", name)
		}
		return nil, err
	}
	t := &tarFile{f, map[string]member{}}
	if err := t.scan(); err != nil {
		defer f.Close()
		if compressed(f) {
			return nil, report.WithHint(report.Errorf(report.Unsupported, "is compressed"), "decompress it first")
		}
		return nil, report.Errorf(report.Invalid, "is not a whole tar archive: %w", err)
	}
	return t, nil
}

func (t *tarFile) scan() error {
	// The tar reader takes whole headers and seeks over content, so that after Next the reader stands where it begins.
	r := blob.Reader(t.File)
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(t.members) == maxMembers {
			return report.Errorf(report.Invalid, "more than %d files", maxMembers)
		}
		off, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeReg:
			t.members[path.Clean(h.Name)] = member{off: off, size: h.Size}
		case tar.TypeLink:
			t.members[path.Clean(h.Name)] = member{link: path.Clean(h.Linkname)}
		case tar.TypeSymlink: // docker writes them for layers that images share
			t.members[path.Clean(h.Name)] = member{link: path.Join(path.Dir(h.Name), h.Linkname)}
		}
	}
}

func (t *tarFile) has(name string) bool {
	_, ok := t.members[name]
	return ok
}

// open is the content of a file in the archive.
func (t *tarFile) open(name string) (*io.SectionReader, error) {
	m, ok := t.members[path.Clean(name)]
	for hops := 0; ok && m.link != "" && hops < maxLinks; hops++ {
		m, ok = t.members[m.link]
	}
	if !ok || m.link != "" {
		return nil, report.Errorf(report.NotFound, "holds no file %.300q", name)
	}
	return io.NewSectionReader(t.File, m.off, m.size), nil
}

func (t *tarFile) read(name string) ([]byte, error) {
	s, err := t.open(name)
	if err != nil {
		return nil, err
	}
	p, err := readSmall(s)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%s: %w", name, err)
	}
	return p, nil
}

// describe hashes a file in the archive.
func (t *tarFile) describe(ctx context.Context, name string, mediaType types.MediaType) (descriptor, error) {
	s, err := t.open(name)
	if err != nil {
		return descriptor{}, err
	}
	d, err := blob.Sum(ctx, s)
	if err != nil {
		return descriptor{}, report.Errorf(report.Unavailable, "%s: %w", name, err)
	}
	return descriptor{MediaType: string(mediaType), Digest: d, Size: s.Size(), Annotations: map[string]string{annotationMember: name}}, nil
}

// layerType tells layers as docker writes them from those that other tools compressed first.
func (t *tarFile) layerType(name string) types.MediaType {
	if s, err := t.open(name); err == nil && compressed(s) {
		return types.DockerLayer
	}
	return types.DockerUncompressedLayer
}

// compressed reports whether b begins like gzip, zstd, xz or bzip2.
func compressed(b blob.Blob) bool {
	var magic [4]byte
	if blob.ReadFull(b, magic[:], 0) != nil {
		return false
	}
	for _, m := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zX", "BZh"} {
		if string(magic[:len(m)]) == m {
			return true
		}
	}
	return false
}

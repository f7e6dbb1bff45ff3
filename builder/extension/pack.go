package extension

import (
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Labels of an image's config (image-spec, annotations.md).
const (
	labelTitle       = "org.opencontainers.image.title"
	labelVersion     = "org.opencontainers.image.version"
	labelAuthors     = "org.opencontainers.image.authors"
	labelDescription = "org.opencontainers.image.description"
)

// Pack is the extension t as a container image of one layer for arch, as Go names it. The layer is a gzipped tar archive,
// which every tool takes; it goes into s. The same tree gives the same image: owners are root, and times that t does not
// say are 1970.
func Pack(ctx context.Context, s *store.Store, t *tree.Tree, arch string) (oci.Image, error) {
	m, err := extensions.ReadManifest("", t)
	if err != nil {
		return oci.Image{}, err
	}
	layer, diffID, err := compress(ctx, s, t)
	if err != nil {
		return oci.Image{}, err
	}
	config, err := config(m, arch, diffID)
	if err != nil {
		return oci.Image{}, err
	}
	file := oci.File{MediaType: string(types.OCILayer), Digest: layer.Digest, Content: layer.Blob}
	return oci.Image{Arch: arch, ConfigType: string(types.OCIConfigJSON), Config: config, Files: []oci.File{file}}, nil
}

// compress is t as a layer, and the digest of the tar archive in it.
func compress(ctx context.Context, s *store.Store, t *tree.Tree) (store.Entry, v1.Hash, error) {
	r, w := io.Pipe()
	sum := sha256.New()
	go func() {
		z := gzip.NewWriter(w)
		err := tar.Write(io.MultiWriter(z, sum), t, tar.Options{})
		w.CloseWithError(cmp.Or(err, z.Close()))
	}()
	e, err := s.Put(ctx, "", -1, r)
	r.CloseWithError(err) // ends the writer where Put gave up; else it has ended
	if err != nil {
		return e, v1.Hash{}, err
	}
	return e, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}, nil
}

func config(m *extensions.Manifest, arch string, diffID v1.Hash) ([]byte, error) {
	labels := map[string]string{}
	for label, value := range map[string]string{
		labelTitle: m.Metadata.Name, labelVersion: m.Metadata.Version, labelAuthors: m.Metadata.Author, labelDescription: m.Metadata.Description,
	} {
		if value != "" {
			labels[label] = value
		}
	}
	created := v1.Time{Time: time.Unix(0, 0).UTC()}
	return json.Marshal(v1.ConfigFile{
		Architecture: arch, OS: "linux", Created: created,
		Config:  v1.Config{Labels: labels},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}},
		History: []v1.History{{Created: created, CreatedBy: "bootwright extension pack"}},
	})
}

// Write puts im where r says, an OCI image layout in a folder or in a tar archive, or a registry that images talks to, and returns
// the digest of its manifest. A layout keeps what is in it already; an archive is replaced, and so is a tag of a registry.
func Write(ctx context.Context, images *fetch.Client, r reference.Reference, im oci.Image) (blob.Digest, error) {
	switch {
	case r.Digest != "":
	case r.Remote():
		return push(ctx, images, r, im)
	case r.Scheme == reference.Layout:
		return oci.Write(ctx, r.Name, r.Tag, im, nil)
	case r.Scheme == reference.Archive:
		return writeArchive(ctx, r, im)
	}
	return "", report.WithHint(report.Errorf(report.Invalid, "an extension cannot be written to %q", r), "write oci:DIR[:TAG], tar:FILE[:TAG] or HOST/REPO[:TAG]")
}

func push(ctx context.Context, images *fetch.Client, r reference.Reference, im oci.Image) (blob.Digest, error) {
	config := fetch.Layer{
		Digest: blob.SumBytes(im.Config), Size: int64(len(im.Config)), MediaType: im.ConfigType, Blob: blob.Bytes(im.Config),
	}
	var layers []fetch.Layer
	for _, f := range im.Files {
		layers = append(layers, fetch.Layer{Digest: f.Digest, Size: f.Content.Size(), MediaType: f.MediaType, Blob: f.Content})
	}
	return images.Push(ctx, r, config, layers)
}

// writeArchive makes the layout in a folder of its own first.
func writeArchive(ctx context.Context, r reference.Reference, im oci.Image) (digest blob.Digest, err error) {
	dir, err := os.MkdirTemp("", "bootwright-extension-")
	if err != nil {
		return "", err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(dir)) }()
	layout := filepath.Join(dir, "layout")
	if digest, err = oci.Write(ctx, layout, r.Tag, im, nil); err != nil {
		return "", err
	}
	t, err := tree.FromDir(layout)
	if err != nil {
		return "", err
	}
	for _, n := range t.Nodes() { // permissions that do not depend on the umask
		n.Mode = n.Mode.Type() | 0o644
		if n.Mode.IsDir() {
			n.Mode |= 0o111
		}
	}
	f, err := os.Create(filepath.Join(dir, "archive"))
	if err != nil {
		return "", err
	}
	if err := errors.Join(tar.Write(f, t, tar.Options{}), f.Close()); err != nil {
		return "", err
	}
	archive, err := blob.OpenFile(f.Name())
	if err != nil {
		return "", err
	}
	defer archive.Close()
	return digest, blob.WriteFile(ctx, r.Name, archive, blob.WriteOptions{})
}

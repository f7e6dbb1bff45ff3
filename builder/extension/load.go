package extension

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/report"
)

// The limits where a Loader names none.
const (
	DefaultMaxBytes = 4 << 30
	DefaultMaxFiles = 200_000
)

// maxConfig is how much of an image's config is read, in bytes.
const maxConfig = 4 << 20

// Loader reads extensions.
type Loader struct {
	Images   *fetch.Client
	Store    *store.Store
	MaxBytes int64 // most bytes of all layers together, unpacked; zero means DefaultMaxBytes
	MaxFiles int   // most files and folders; zero means DefaultMaxFiles
}

// Extension is an extension whose every byte was verified. Its contents belong to the Loader's store.
type Extension struct {
	Locked reference.Locked // without a digest for a folder
	Tree   *tree.Tree       // manifest.yaml, rootfs and whatever else there is
}

// Load opens the extension that r means for arch, as Go names it; empty takes the only image there is. A dir: reference
// is a folder with manifest.yaml and rootfs. What passes a limit is Unsupported, other errors are those of fetch.Client.
func (l *Loader) Load(ctx context.Context, r reference.Reference, arch string) (*Extension, error) {
	if err := l.Images.Unsigned(r); err != nil {
		return nil, err
	}
	if r.Scheme == reference.Folder {
		t, err := tree.FromDir(r.Name)
		if err == nil && t.Len() > l.maxFiles() {
			err = tooMany(l.maxFiles())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r, err)
		}
		return &Extension{reference.Locked{Reference: r}, t}, nil
	}
	locked, err := l.Images.Resolve(ctx, r, arch)
	if err != nil {
		return nil, err
	}
	im, err := l.Images.Open(ctx, locked)
	if err != nil {
		return nil, err
	}
	t, err := l.flatten(ctx, im)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", locked.Reference, err)
	}
	return &Extension{locked, t}, nil
}

func (l *Loader) maxFiles() int {
	if l.MaxFiles == 0 {
		return DefaultMaxFiles
	}
	return l.MaxFiles
}

func (l *Loader) maxBytes() int64 {
	if l.MaxBytes == 0 {
		return DefaultMaxBytes
	}
	return l.MaxBytes
}

func tooMany(most int) error {
	return report.WithHint(report.Errorf(report.Unsupported, "more than %d files and folders", most), "raise --max-files, or input.extensionRules.maxFiles in a profile, if that is right")
}

// flatten is what the layers of im make together.
func (l *Loader) flatten(ctx context.Context, im *fetch.Image) (*tree.Tree, error) {
	digests, err := diffIDs(im)
	if err != nil {
		return nil, err
	}
	out := &tree.Tree{}
	left := l.maxBytes()
	for i, layer := range im.Layers {
		archive, err := l.unpack(ctx, layer, left)
		if err == nil && digests != nil && archive.Digest != digests[i] {
			err = report.Errorf(report.Invalid, "unpacked it is %s, and the image's config says %s", archive.Digest, digests[i])
		}
		if err == nil {
			left -= archive.Blob.Size()
			out, err = l.apply(ctx, out, archive.Blob)
		}
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", layer.Digest, err)
		}
	}
	return out, nil
}

func (l *Loader) apply(ctx context.Context, lower *tree.Tree, archive blob.Blob) (*tree.Tree, error) {
	layer, err := tar.ReadBlob(archive, tar.ReadOptions{
		MaxFiles: l.maxFiles(),
		MaxBytes: l.maxBytes(),
		Spool: func(_ string, size int64, r io.Reader) (blob.Blob, error) {
			e, err := l.Store.Put(ctx, "", size, r)
			return e.Blob, err
		},
	})
	if err != nil {
		return nil, err
	}
	out, err := overlay(lower, layer)
	if err == nil && out.Len() > l.maxFiles() {
		err = tooMany(l.maxFiles())
	}
	return out, err
}

// diffIDs are the digests of the unpacked layers, as the config has them; nil where it has none, as that of an artifact.
func diffIDs(im *fetch.Image) ([]blob.Digest, error) {
	kinds := []types.MediaType{types.OCIConfigJSON, types.DockerConfigJSON}
	if !slices.Contains(kinds, types.MediaType(im.Config.MediaType)) {
		return nil, nil
	}
	text, err := blob.ReadAll(im.Config.Blob, maxConfig)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "config: %w", err)
	}
	var config struct {
		RootFS struct {
			DiffIDs []blob.Digest `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, report.Errorf(report.Invalid, "config: %w", err)
	}
	if ids := config.RootFS.DiffIDs; len(ids) != len(im.Layers) {
		return nil, report.Errorf(report.Invalid, "the image has %d layers, and its config speaks of %d", len(im.Layers), len(ids))
	}
	return config.RootFS.DiffIDs, nil
}

// unpack is the tar archive in a layer, of at most limit bytes.
func (l *Loader) unpack(ctx context.Context, layer fetch.Layer, limit int64) (store.Entry, error) {
	if t := types.MediaType(layer.MediaType); t != "" && !t.IsLayer() {
		return store.Entry{}, report.Errorf(report.Unsupported, "of media type %.100q, which is no tar archive", layer.MediaType)
	}
	tooLong := report.WithHint(report.Errorf(report.Unsupported, "unpacks to more than the %d bytes that are left of the limit", limit),
		"raise --max-bytes, or input.extensionRules.maxBytes in a profile, if that is right")
	open, err := opener(layer.Blob)
	if err != nil {
		return store.Entry{}, err
	}
	e := store.Entry{Digest: layer.Digest, Blob: layer.Blob}
	if open != nil {
		e, err = l.Store.Spool(ctx, "unpacked layer 1 "+string(layer.Digest), func(ctx context.Context, w io.Writer) error {
			r, err := open()
			if err != nil {
				return broken(err)
			}
			defer r.Close()
			n, err := io.Copy(w, io.LimitReader(patient{ctx, r}, limit+1))
			if err == nil && n > limit {
				err = tooLong
			}
			return err
		})
	}
	if err == nil && e.Blob.Size() > limit {
		err = tooLong
	}
	return e, err
}

// unlimited is a length that no layer has: the limit is counted outside of decompressors.
const unlimited = 1 << 62

// opener is how to decompress b; nil where it is not compressed. Tools disagree on media types, but not on how the files
// begin.
func opener(b blob.Blob) (func() (io.ReadCloser, error), error) {
	head := make([]byte, min(b.Size(), 4))
	if err := blob.ReadFull(b, head, 0); err != nil {
		return nil, err
	}
	switch {
	case string(head) == zstd.Magic:
		return func() (io.ReadCloser, error) { return zstd.NewReader(blob.Reader(b), unlimited) }, nil
	case len(head) > 2 && head[0] == 0x1f && head[1] == 0x8b:
		return func() (io.ReadCloser, error) { return gzip.NewReader(blob.Reader(b)) }, nil
	}
	return nil, nil
}

// patient reads until ctx ends, and blames what is wrong on the content.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p patient) Read(q []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(q)
	return n, broken(err)
}

// broken makes what a decompressor says of its input Invalid.
func broken(err error) error {
	switch {
	case err == nil, err == io.EOF, report.KindOf(err) != report.Internal:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return report.Errorf(report.Invalid, "truncated: the compressed data ends early")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return report.Errorf(report.Invalid, "%w", err)
	}
	return err
}

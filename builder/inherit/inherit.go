// Package inherit finds the profiles that a profile is based on: built in, in a file, or in an image of a registry or layout.
//
// A profile in an image is an OCI artifact (image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"): a manifest, one of whose
// layers has the media type MediaType and is the profile as text. Config and other layers are not looked at, so that what `oras push`
// makes is one too.
package inherit

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

// Media types of a profile in an image: of the layer, and of the config, which Push leaves empty.
const (
	MediaType       = "application/vnd.bootwright.profile.v1+yaml"
	configMediaType = "application/vnd.bootwright.profile.config.v1+json"
)

// maxProfile is more than profiles.Load takes, so that it is the one to complain, in bytes.
const maxProfile = 2 << 20

// inFile is how the place of a profile in a file begins; the rest is its path.
const inFile = "file:"

// InFile is the place of the profile in the file at path, for profiles.ResolveFrom.
func InFile(path string) string { return inFile + path }

// Finder finds profiles; images is asked for a client when the first one in an image is. A file is looked for beside the one that names
// it.
func Finder(ctx context.Context, images func() (*fetch.Client, error)) profiles.Finder {
	return func(from, name string) (*profiles.Profile, string, error) {
		switch {
		case profiles.IsBuiltinName(name):
			p, err := profiles.Builtin(name)
			return p, "", err
		case isPath(name):
			return file(from, name)
		}
		client, err := images()
		if err != nil {
			return nil, "", err
		}
		return image(ctx, client, name)
	}
}

// isPath tells a file from a reference.
func isPath(name string) bool {
	switch ext := filepath.Ext(name); {
	case strings.HasPrefix(name, "./"), strings.HasPrefix(name, "../"), filepath.IsAbs(name):
		return true
	default:
		return (ext == ".yaml" || ext == ".yml" || ext == ".json") && !strings.Contains(name, ":")
	}
}

func file(from, name string) (*profiles.Profile, string, error) {
	path := name
	if !filepath.IsAbs(name) {
		in, ok := strings.CutPrefix(from, inFile)
		if !ok && from != "" {
			return nil, "", report.Errorf(report.Invalid, "a profile in an image has no file %s beside it", name)
		}
		path = filepath.Join(filepath.Dir(in), name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProfile))
	if err != nil {
		return nil, "", err
	}
	p, err := profiles.Load(path, text)
	return p, InFile(path), err
}

func image(ctx context.Context, client *fetch.Client, name string) (*profiles.Profile, string, error) {
	ref, err := reference.Parse(name)
	if err != nil {
		return nil, "", err
	}
	locked, err := client.Resolve(ctx, ref, "")
	if err != nil {
		return nil, "", err
	}
	im, err := client.OpenSome(ctx, locked, func(l fetch.Layer) bool { return l.MediaType == MediaType && l.Size < maxProfile })
	if err != nil {
		return nil, "", err
	}
	where := locked.Reference.String()
	for _, l := range im.Layers {
		if l.Blob == nil {
			continue
		}
		text, err := blob.ReadAll(l.Blob, maxProfile)
		if err != nil {
			return nil, "", err
		}
		p, err := profiles.Load(where, text)
		return p, where, err
	}
	return nil, "", report.WithHint(report.Errorf(report.Invalid, "%s holds no profile", where), "a layer of media type %s would be one", MediaType)
}

// Push puts the profile text, which messages call name, where r says: a registry, or an OCI image layout in a folder. It returns the
// digest of the image. The error is Invalid for what is no profile, or one that is based on a file, which nobody would find.
func Push(ctx context.Context, client *fetch.Client, r reference.Reference, name string, text []byte) (blob.Digest, error) {
	p, err := profiles.Load(name, text)
	if err != nil {
		return "", err
	}
	if isPath(p.BaseProfileName) {
		return "", report.WithHint(report.Errorf(report.Invalid, "%s is based on the file %s, which an image has not", name, p.BaseProfileName), "push that one too, and name its image")
	}
	config, content := []byte("{}"), blob.Bytes(text)
	if r.Scheme == reference.Layout && r.Digest == "" {
		return oci.Write(ctx, r.Name, r.Tag, oci.Image{
			ConfigType: configMediaType, Config: config,
			Files: []oci.File{{Title: title, MediaType: MediaType, Digest: blob.SumBytes(text), Content: content}},
		}, nil)
	}
	return client.Push(ctx, r,
		fetch.Layer{Digest: blob.SumBytes(config), Size: int64(len(config)), MediaType: configMediaType, Blob: blob.Bytes(config)},
		[]fetch.Layer{{
			Digest: blob.SumBytes(text), Size: content.Size(), MediaType: MediaType, Blob: content,
			Annotations: map[string]string{"org.opencontainers.image.title": title},
		}})
}

// title is how tools that unpack an image call the profile.
const title = "profile.yaml"

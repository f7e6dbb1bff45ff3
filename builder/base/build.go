package base

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// BuildOptions say which base to make. The zero value makes a generic one for the architecture of the machine, from the
// machine's Debian sources.
type BuildOptions struct {
	Arch             string   // amd64 or arm64, whatever the machine is
	Flavour          string   // see Flavours
	Cache            string   // folder that keeps downloaded packages; default: bootwright/apt in the user's cache directory
	Work             string   // folder for a temporary folder of some 700 MB; default: Cache, because programs must run from there
	FirmwarePackages []string // packages of firmware to look into besides firmware-linux-free
	Sources          string   // sources.list(5) file to use instead of the machine's
	Offline          bool     // use the packages of an earlier build and ask no mirror
	Progress         *progress.Progress

	level int // zstd level of the root image; default: zstdLevel, which tests of other things do not wait for
}

// Base is a base that was made and not yet stored. Its parts lie in a temporary folder until Close.
type Base struct {
	Manifest Manifest
	parts    map[string]blob.Blob
	closers  []func() error
}

// Flavours are the kernels to choose from, the default first: generic for any machine, cloud for virtual ones.
func Flavours() []string { return []string{"generic", "cloud"} }

// kernelMeta is the package that depends on the current kernel.
func kernelMeta(flavour, arch string) string {
	if flavour == "generic" {
		return "linux-image-" + arch
	}
	return "linux-image-" + flavour + "-" + arch
}

// Arches are the architectures that a base can be made for.
func Arches() []string { return []string{"amd64", "arm64"} }

// withDefaults fills in what is left out and refuses what is not known.
func (o BuildOptions) withDefaults() (BuildOptions, error) {
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	if o.Flavour == "" {
		o.Flavour = Flavours()[0]
	}
	o.level = cmp.Or(o.level, zstdLevel)
	switch {
	case !slices.Contains(Arches(), o.Arch):
		return o, report.Errorf(report.Unsupported, "no base can be made for the architecture %q; there are %s", o.Arch, strings.Join(Arches(), " and "))
	case !slices.Contains(Flavours(), o.Flavour):
		return o, report.Errorf(report.Unsupported, "unknown flavour %q; there are %s", o.Flavour, strings.Join(Flavours(), " and "))
	case !slices.Contains(Arches(), runtime.GOARCH):
		return o, report.Errorf(report.Unsupported, "a base cannot be made on a machine of architecture %s", runtime.GOARCH)
	}
	if o.Cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return o, report.WithHint(report.Errorf(report.NotFound, "package cache: %w", err), "set HOME or XDG_CACHE_HOME")
		}
		o.Cache = filepath.Join(dir, "bootwright", "apt")
	}
	if o.Work == "" {
		o.Work = o.Cache
	}
	for _, p := range []*string{&o.Cache, &o.Work, &o.Sources} {
		if *p != "" {
			abs, err := filepath.Abs(*p)
			if err != nil {
				return o, err
			}
			*p = abs
		}
	}
	return o, nil
}

// Build makes a base. The caller closes it.
func Build(ctx context.Context, o BuildOptions) (_ *Base, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	work, remove, err := newWork(ctx, o.Work)
	if err != nil {
		return nil, err
	}
	b := &Base{Manifest: Manifest{SchemaVersion: SchemaVersion, Arch: o.Arch, Flavour: o.Flavour}}
	b.closers = append(b.closers, remove)
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	m := &maker{BuildOptions: o, work: work, base: b}
	if err = m.fetch(ctx); err != nil {
		return nil, err
	}
	if err = m.make(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Close removes the temporary files of the base.
func (b *Base) Close() error {
	var errs []error
	for _, c := range slices.Backward(b.closers) {
		errs = append(errs, c())
	}
	b.closers = nil
	return errors.Join(errs...)
}

// Write stores the base in the OCI image layout in dir under tag, beside the bases of other architectures that tag names
// already; see oci.Write. It returns the digest of the image's manifest.
func (b *Base) Write(ctx context.Context, dir, tag string, p *progress.Progress) (_ blob.Digest, err error) {
	config, err := json.Marshal(b.Manifest)
	if err != nil {
		return "", err
	}
	im := oci.Image{Arch: b.Manifest.Arch, ConfigType: ConfigMediaType, Config: config}
	var total int64
	for _, part := range b.Manifest.Parts {
		total += part.Size
		im.Files = append(im.Files, oci.File{Title: part.Title, MediaType: part.MediaType, Digest: part.Digest, Content: b.parts[part.Title]})
	}
	step := p.Step("write "+dir, total)
	defer func() { step.Done(err) }()
	return oci.Write(ctx, dir, tag, im, step)
}

// Package extend lays the system extensions of a plan over its base: it reads them (builder/extension), checks them all at
// once (extensions), composes them (extensions/compose), names each layer by its digest and makes their images
// (formats/squashfs), which are kept by that.
package extend

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/extensions/compose"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

// Extension is one system extension of a plan.
type Extension struct {
	Name    string               `json:"name" yaml:"name"`
	Version string               `json:"version" yaml:"version"`
	Digest  blob.Digest          `json:"digest" yaml:"digest"` // of the image manifest; of what is in it, for a folder
	Layer   blob.Digest          `json:"layer" yaml:"layer"`   // of the files that are laid over the root: neither other extensions nor their order have a part in it
	Brings  compose.Contribution `json:"brings" yaml:"brings"`
	Source  string               `json:"source" yaml:"source"`                     // a reference that holds it; not part of the plan's digest
	Signer  blob.Digest          `json:"signer,omitempty" yaml:"signer,omitempty"` // as a plan's base has it; not part of its digest either
}

// Base is what extensions are laid over.
type Base struct {
	Name    string // in messages
	Arch    string // as Go names it
	Release string // of the kernel, as uname -r prints it
	Digest  blob.Digest
	Root    blob.Blob // the root image, which Digest names
}

// Result is extensions laid over a base.
type Result struct {
	Rows     []Extension // complete
	Warnings report.Findings

	composed *compose.Composition
	shared   blob.Digest // of the layer on top, if there is one
	release  string
}

// loaded is an extension that was read.
type loaded struct {
	source string
	*extension.Extension
}

// Lay reads the extensions that the sources of rows name, by their digests where rows have some, and lays them over base,
// the first the lowest. All faults of all extensions are one error, of kind Invalid.
func Lay(ctx context.Context, l extension.Loader, base Base, rows []Extension, rules profiles.ExtensionRules) (*Result, error) {
	facts, err := extension.RootFacts(base.Root, base.Arch, base.Release)
	if err != nil {
		return nil, fmt.Errorf("the base %s: %w", base.Name, err)
	}
	facts.Version = rules.TalosVersion
	all, err := load(ctx, l, base.Arch, rows)
	if err != nil {
		return nil, err
	}
	x := &Result{release: base.Release}
	var sound []compose.Source
	for _, e := range all {
		found := extensions.Validate(e.Tree, facts, extensions.Options{Name: e.source, SignedModules: rules.SignedModules})
		x.Warnings = append(x.Warnings, found...)
		facts.Earlier = append(facts.Earlier, e.Tree)
		if found.Err() == nil {
			sound = append(sound, compose.Source{Name: e.source, Tree: e.Tree})
		}
	}
	composed, found := compose.Compose(sound, compose.Target{
		Root: facts.Root, Modules: facts.Modules, Release: base.Release, Arch: base.Arch, MayReplace: rules.MayReplace,
	})
	x.composed, x.Warnings = composed, append(x.Warnings, found...)
	if err := x.Warnings.Err(); err != nil {
		return nil, err
	}
	return x, x.name(ctx, l, base.Digest, all)
}

// load reads extensions. It says of all why they cannot be read.
func load(ctx context.Context, l extension.Loader, arch string, rows []Extension) ([]loaded, error) {
	var out []loaded
	var faults []error
	for _, e := range rows {
		x, err := loadOne(ctx, l, arch, e)
		if err != nil {
			faults = append(faults, fmt.Errorf("system extension: %w", err))
			continue
		}
		out = append(out, loaded{e.Source, x})
	}
	if len(faults) > 0 {
		return nil, report.Errorf(report.KindOf(faults[0]), "%w", errors.Join(faults...))
	}
	return out, nil
}

func loadOne(ctx context.Context, l extension.Loader, arch string, e Extension) (*extension.Extension, error) {
	ref, err := reference.Parse(e.Source)
	if err != nil {
		return nil, err
	}
	if e.Digest != "" && ref.Scheme != reference.Folder {
		ref.Digest = e.Digest
	}
	return l.Load(ctx, ref, arch)
}

// name gives every layer, and every folder, its digest.
func (x *Result) name(ctx context.Context, l extension.Loader, root blob.Digest, all []loaded) error {
	for i, layer := range x.composed.Layers {
		e := Extension{Name: layer.Metadata.Name, Version: layer.Metadata.Version, Brings: layer.Brings, Source: all[i].source}
		var err error
		if locked := all[i].Locked; locked.Digest != "" {
			e.Digest, e.Source, e.Signer = locked.Digest, locked.Reference.String(), l.Images.Signer(locked)
			e.Layer, err = keptDigest(ctx, l, fmt.Sprintf("layer 1 of extension %s over %s", locked.Digest, root), layer.Tree)
		} else if e.Digest, err = compose.Digest(ctx, all[i].Tree); err == nil {
			e.Layer, err = compose.Digest(ctx, layer.Tree)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Source, err)
		}
		x.Rows = append(x.Rows, e)
	}
	var err error
	if x.composed.Shared != nil {
		x.shared, err = compose.Digest(ctx, x.composed.Shared)
	}
	return err
}

// keptDigest is the digest of t, which key names, so that its contents are read once.
func keptDigest(ctx context.Context, l extension.Loader, key string, t *tree.Tree) (blob.Digest, error) {
	e, err := l.Store.Spool(ctx, key, func(ctx context.Context, w io.Writer) error {
		d, err := compose.Digest(ctx, t)
		if err == nil {
			_, err = io.WriteString(w, string(d))
		}
		return err
	})
	if err != nil {
		return "", err
	}
	text, err := blob.ReadAll(e.Blob, 100)
	if err != nil {
		return "", err
	}
	return blob.ParseDigest(string(text))
}

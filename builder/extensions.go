package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/extensions/compose"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
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
	Signer  blob.Digest          `json:"signer,omitempty" yaml:"signer,omitempty"` // as Base has it
}

// extended is what the extensions of a plan make of its base.
type extended struct {
	*compose.Composition
	rows   []Extension // the plan's
	shared blob.Digest // of the layer on top, if there is one
}

// loaded is an extension that was read.
type loaded struct {
	source string
	*extension.Extension
}

// lockExtensions adds the profile's extensions to the plan, which has everything else.
func (b *Builder) lockExtensions(ctx context.Context, p *profiles.Profile, locked reference.Locked, plan *Plan) error {
	if len(p.Input.SystemExtensions) == 0 {
		return nil
	}
	image, err := b.Images.OpenSome(ctx, locked, func(l fetch.Layer) bool { return l.Title == base.Root })
	if err != nil {
		return err
	}
	var root blob.Blob
	for _, l := range image.Layers {
		if l.Title == base.Root {
			root = l.Blob
		}
	}
	plan.ExtensionRules, plan.LayerEncoder = p.Input.ExtensionRules, squashfs.Encoder
	for _, i := range p.Input.SystemExtensions {
		plan.Extensions = append(plan.Extensions, Extension{Source: i.Reference()})
	}
	x, found, err := b.extend(ctx, plan, root)
	if err != nil {
		return err
	}
	if b.Warn != nil && len(found) > 0 {
		b.Warn(found)
	}
	plan.Extensions, plan.extended = x.rows, x
	return nil
}

// openExtensions is extend for Build: of a plan that Lock made it was done, of one that was saved it must give what the plan
// says.
func (b *Builder) openExtensions(ctx context.Context, plan *Plan, root blob.Blob) (*extended, error) {
	if len(plan.Extensions) == 0 || plan.extended != nil {
		return plan.extended, nil
	}
	x, _, err := b.extend(ctx, plan, root)
	if err != nil {
		return nil, err
	}
	for i, got := range x.rows {
		want := plan.Extensions[i]
		if got.Name != want.Name || got.Version != want.Version || got.Digest != want.Digest || got.Layer != want.Layer {
			return nil, report.Errorf(report.Invalid, "%s is not the extension that the plan was made with: %s %s with layer %s, not %s %s with %s",
				want.Source, got.Name, got.Version, got.Layer.Short(), want.Name, want.Version, want.Layer.Short())
		}
	}
	return x, nil
}

// extend reads the plan's extensions, checks them all and lays them over the root image. Its findings are warnings; faults
// of all extensions are one error.
func (b *Builder) extend(ctx context.Context, plan *Plan, root blob.Blob) (*extended, report.Findings, error) {
	facts, err := extension.RootFacts(root, plan.Arch, plan.KernelVersion)
	if err != nil {
		return nil, nil, fmt.Errorf("the base %s: %w", plan.Base.Source, err)
	}
	facts.Version = plan.ExtensionRules.TalosVersion
	all, err := b.loadExtensions(ctx, plan)
	if err != nil {
		return nil, nil, err
	}
	var found report.Findings
	var sound []compose.Source
	for _, e := range all {
		fs := extensions.Validate(e.Tree, facts, extensions.Options{Name: e.source, SignedModules: plan.ExtensionRules.SignedModules})
		found = append(found, fs...)
		facts.Earlier = append(facts.Earlier, e.Tree)
		if fs.Err() == nil {
			sound = append(sound, compose.Source{Name: e.source, Tree: e.Tree})
		}
	}
	composed, fs := compose.Compose(sound, compose.Target{
		Root: facts.Root, Modules: facts.Modules, Release: plan.KernelVersion, Arch: plan.Arch, MayReplace: plan.ExtensionRules.MayReplace,
	})
	if found = append(found, fs...); found.Err() != nil {
		return nil, nil, found.Err()
	}
	x, err := b.digestLayers(ctx, plan, all, composed)
	return x, found, err
}

// loadExtensions reads the plan's extensions, by digest where it has one. It says of all why they cannot be read.
func (b *Builder) loadExtensions(ctx context.Context, plan *Plan) ([]loaded, error) {
	loader := extension.Loader{Images: b.Images, Store: b.Store}
	var out []loaded
	var faults []error
	for _, e := range plan.Extensions {
		ref, err := reference.Parse(e.Source)
		if err == nil && e.Digest != "" && ref.Scheme != reference.Folder {
			ref.Digest = e.Digest
		}
		var x *extension.Extension
		if err == nil {
			x, err = loader.Load(ctx, ref, plan.Arch)
		}
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

// digestLayers names what was composed of the extensions all.
func (b *Builder) digestLayers(ctx context.Context, plan *Plan, all []loaded, composed *compose.Composition) (*extended, error) {
	x := &extended{Composition: composed}
	root, _ := plan.Input(base.Root)
	for i, l := range composed.Layers {
		e := Extension{Name: l.Metadata.Name, Version: l.Metadata.Version, Brings: l.Brings, Source: all[i].source}
		var err error
		if locked := all[i].Locked; locked.Digest != "" {
			e.Digest, e.Source, e.Signer = locked.Digest, locked.Reference.String(), b.Images.Signer(locked)
			e.Layer, err = b.keptDigest(ctx, fmt.Sprintf("layer 1 of extension %s over %s", locked.Digest, root.Digest), l.Tree)
		} else {
			if e.Digest, err = compose.Digest(ctx, all[i].Tree); err == nil {
				e.Layer, err = compose.Digest(ctx, l.Tree)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Source, err)
		}
		x.rows = append(x.rows, e)
	}
	if composed.Shared == nil {
		return x, nil
	}
	var err error
	x.shared, err = compose.Digest(ctx, composed.Shared)
	return x, err
}

// keptDigest is the digest of t, which key names, so that its contents are read once.
func (b *Builder) keptDigest(ctx context.Context, key string, t *tree.Tree) (blob.Digest, error) {
	e, err := b.Store.Spool(ctx, key, func(ctx context.Context, w io.Writer) error {
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

// checkExtensions is Plan.check for extensions.
func (p *Plan) checkExtensions(r recipe) error {
	switch {
	case len(p.Extensions) == 0:
		return nil
	case !r.init:
		return report.Errorf(report.Invalid, "the plan has extensions, for which %s has no place", p.Kind)
	case p.LayerEncoder != squashfs.Encoder:
		return planFromElsewhere("it makes layers with %s, this bootwright with %s", p.LayerEncoder, squashfs.Encoder)
	}
	for _, e := range p.Extensions {
		for _, d := range []blob.Digest{e.Digest, e.Layer} {
			if _, err := blob.ParseDigest(string(d)); err != nil {
				return report.Errorf(report.Invalid, "extension %.100q of the plan: %w", e.Name, err)
			}
		}
	}
	return nil
}

// withoutSources is es as the plan's digest has them.
func withoutSources(es []Extension) []Extension {
	out := slices.Clone(es)
	for i := range out {
		out[i].Source, out[i].Signer = "", ""
	}
	return out
}

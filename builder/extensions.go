package builder

import (
	"context"
	"slices"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extend"
	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

// lockExtensions adds the profile's extensions to the plan, which has everything else.
func (b *Builder) lockExtensions(ctx context.Context, p *profiles.Profile, locked reference.Locked, plan *Plan) error {
	if len(p.Input.SystemExtensions) == 0 {
		return nil
	}
	image, err := b.Images.OpenSome(ctx, locked, func(l fetch.Layer) bool { return l.Title == base.Root })
	if err != nil {
		return err
	}
	plan.ExtensionRules, plan.LayerEncoder = p.Input.ExtensionRules, extend.Encoder
	for _, i := range p.Input.SystemExtensions {
		plan.Extensions = append(plan.Extensions, extend.Extension{Source: i.Reference()})
	}
	root, _ := plan.Input(base.Root)
	i := slices.IndexFunc(image.Layers, func(l fetch.Layer) bool { return l.Digest == root.Digest && l.Blob != nil })
	if i < 0 {
		return report.Errorf(report.Invalid, "the base %s has no part %s, which its manifest has", plan.Base.Source, base.Root)
	}
	if plan.extended, err = b.extend(ctx, plan, image.Layers[i].Blob); err != nil {
		return err
	}
	if b.Warn != nil && len(plan.extended.Warnings) > 0 {
		b.Warn(plan.extended.Warnings)
	}
	plan.Extensions = plan.extended.Rows
	return nil
}

// openExtensions is what the plan's extensions make of its base; nil without any. A plan that Lock made has it; one that
// was saved must give what it says.
func (b *Builder) openExtensions(ctx context.Context, plan *Plan, root blob.Blob) (*extend.Result, error) {
	if len(plan.Extensions) == 0 || plan.extended != nil {
		return plan.extended, nil
	}
	x, err := b.extend(ctx, plan, root)
	if err != nil {
		return nil, err
	}
	return x, x.CheckSame(plan.Extensions)
}

func (b *Builder) extend(ctx context.Context, plan *Plan, root blob.Blob) (*extend.Result, error) {
	in, _ := plan.Input(base.Root)
	over := extend.Base{Name: plan.Base.Source, Arch: plan.Arch, Release: plan.KernelVersion, Digest: in.Digest, Root: root}
	rules := plan.ExtensionRules
	loader := extension.Loader{Images: b.Images, Store: b.Store, MaxBytes: rules.MaxBytes, MaxFiles: rules.MaxFiles}
	return extend.Lay(ctx, loader, over, plan.Extensions, rules)
}

// checkExtensions is Plan.check for extensions.
func (p *Plan) checkExtensions(r recipe) error {
	switch {
	case len(p.Extensions) == 0:
		return nil
	case !r.init:
		return report.Errorf(report.Invalid, "the plan has extensions, for which %s has no place", p.Kind)
	case p.LayerEncoder != extend.Encoder:
		return planFromElsewhere("it makes layers with %s, this bootwright with %s", p.LayerEncoder, extend.Encoder)
	}
	return extend.Check(p.Extensions)
}

package builder

import (
	"context"
	"strings"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Where a plan's inputs come from.
const (
	sourceBase    = "base"    // a part of the plan's base
	sourceBuiltin = "builtin" // carried by bootwright itself
	sourceFile    = "file:"   // and a path
	sourceGiven   = "given"   // machine configurations that have to be given again to a plan that was saved
)

// Build lays out the plan's artifact. It opens and verifies every input by digest first, compresses what the store does not
// hold yet, and reads nothing else: the files' content is read when somebody reads their Blobs.
func (b *Builder) Build(ctx context.Context, plan *Plan) (*Artifact, error) {
	if err := plan.check(); err != nil {
		return nil, err
	}
	r, err := recipeFor(plan.Kind)
	if err != nil {
		return nil, err
	}
	k := &kit{ctx: ctx, plan: plan, spool: store.Spooler{Store: b.Store}}
	if k.inputs, err = b.openInputs(ctx, plan); err != nil {
		return nil, err
	}
	for _, name := range r.inputs(plan.Arch) {
		if k.inputs[name] == nil {
			return nil, report.Errorf(report.Invalid, "the plan has no input %s, which %s needs", name, plan.Kind)
		}
	}
	if k.extended, err = b.openExtensions(ctx, plan, k.part(base.Root)); err != nil {
		return nil, err
	}
	files, err := r.make(k)
	if err != nil {
		return nil, err
	}
	return &Artifact{Plan: plan, Files: files, Images: k.images, secrets: k.secrets()}, nil
}

func (b *Builder) openInputs(ctx context.Context, plan *Plan) (map[string]blob.Blob, error) {
	parts, err := b.openBase(ctx, plan)
	if err != nil {
		return nil, err
	}
	inputs := map[string]blob.Blob{}
	for _, in := range plan.Inputs {
		if inputs[in.Name], err = b.openInput(ctx, plan, in, parts); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

// openBase opens by digest the parts of its base that the plan reads. A base that is not at its place any more is no error if the store
// has what the plan needs of it.
func (b *Builder) openBase(ctx context.Context, plan *Plan) (map[blob.Digest]blob.Blob, error) {
	ref, err := reference.Parse(plan.Base.Source)
	if err != nil {
		return nil, err
	}
	ref.Digest = plan.Base.Digest
	locked := reference.Locked{Reference: ref}
	image, err := b.Images.OpenSome(ctx, locked, func(l fetch.Layer) bool { return plan.reads(l.Digest) })
	if err != nil {
		if parts, ok := b.stored(ctx, plan); ok && b.Images.Trusts(locked) {
			return parts, nil
		}
		return nil, err
	}
	parts := map[blob.Digest]blob.Blob{}
	for _, l := range image.Layers {
		if l.Blob != nil {
			parts[l.Digest] = l.Blob
		}
	}
	return parts, nil
}

// stored are the base's parts that the plan needs, if the store has them all.
func (b *Builder) stored(ctx context.Context, plan *Plan) (map[blob.Digest]blob.Blob, bool) {
	parts := map[blob.Digest]blob.Blob{}
	for _, in := range plan.Inputs {
		if in.Source != sourceBase {
			continue
		}
		part, err := b.Store.Blob(ctx, in.Digest)
		if err != nil {
			return nil, false
		}
		parts[in.Digest] = part
	}
	return parts, true
}

func (b *Builder) openInput(ctx context.Context, plan *Plan, in Input, parts map[blob.Digest]blob.Blob) (blob.Blob, error) {
	path, isFile := strings.CutPrefix(in.Source, sourceFile)
	switch {
	case in.Name == inputConfig || in.Name == inputEmbedded:
		return plan.openConfig(in)
	case isFile:
		e, err := b.Store.Check(ctx, path, in.Digest)
		return e.Blob, err
	case in.Source == sourceBuiltin:
		return b.openProgram(ctx, plan, in)
	case in.Source != sourceBase:
		return nil, report.Errorf(report.Invalid, "input %s of the plan has the source %q; it should be %s, %s or %sPATH", in.Name, in.Source, sourceBase, sourceBuiltin, sourceFile)
	case parts[in.Digest] == nil:
		return nil, report.Errorf(report.NotFound, "the base %s has no part %s, which the plan takes for %s", plan.Base.Source, in.Digest, in.Name)
	}
	return parts[in.Digest], nil
}

// openProgram is the init or the installer of this bootwright, kept in the store so that plans of earlier ones can still be built.
func (b *Builder) openProgram(ctx context.Context, plan *Plan, in Input) (blob.Blob, error) {
	if e, err := b.Store.Blob(ctx, in.Digest); err == nil {
		return e, nil
	}
	program, err := b.program(in.Name, plan.Arch)
	if err != nil {
		return nil, err
	}
	e, err := b.Store.Put(ctx, "", program.Size(), blob.Reader(program))
	if err != nil {
		return nil, err
	}
	if e.Digest != in.Digest {
		return nil, planFromElsewhere("its %s is %s, this bootwright's %s", in.Name, in.Digest.Short(), e.Digest.Short())
	}
	return e.Blob, nil
}

package builder

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/initramfs"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

// Builder builds plans. Its Blobs belong to Store and can be read until that is closed.
type Builder struct {
	Store  *store.Store
	Images *fetch.Client
	Init   func(arch string) (blob.Blob, error) // the init's executable, such as embedded.Init
	// Installer is the installer's, such as embedded.Installer.
	Installer func(arch string) (blob.Blob, error)
	Warn      func(report.Findings) // told what is doubtful in machine configurations; may be nil
}

// Lock turns a resolved profile into a Plan: every reference becomes a digest. Of the base it reads the manifests, and
// leaves the parts to Build; extensions it reads, with the root image that they are laid over, to check them. Errors have the kinds of fetch.Open, or Invalid where an input is not what it is given for.
func (b *Builder) Lock(ctx context.Context, p *profiles.Profile) (*Plan, error) {
	r, err := recipeFor(p.Output.Kind)
	if err != nil {
		return nil, err
	}
	locked, manifest, err := b.lockBase(ctx, p)
	if err != nil {
		return nil, err
	}
	plan := &Plan{
		Plan: PlanVersion, Kind: p.Output.Kind, Recipe: r.version, Encoder: initramfs.Encoder,
		Arch: p.Arch, Platform: p.Platform, Version: p.Version, Epoch: manifest.Epoch,
		Base:          Base{Name: manifest.Name, Version: manifest.Version, Digest: locked.Reference.Digest, Source: locked.Reference.String(), Signer: b.Images.Signer(locked)},
		KernelVersion: manifest.KernelVersion, Output: p.Output, Profiles: p.Origins(),
	}
	if plan.Version == "" {
		plan.Version = manifest.Version
	}
	if p.Epoch != nil {
		plan.Epoch = p.Epoch.Unix()
	}
	if plan.Cmdline, err = p.Cmdline(); err != nil {
		return nil, err
	}
	if r.meta {
		plan.Meta = p.Customization.MetaContents
	}
	for _, title := range r.needs(p.Arch) {
		in, err := b.lockPart(ctx, p, manifest, title)
		if err != nil {
			return nil, err
		}
		plan.Inputs = append(plan.Inputs, in)
	}
	for _, name := range []string{inputInit, inputInstaller} {
		if name == inputInit && !r.init || name == inputInstaller && !r.installer {
			continue
		}
		in, err := b.lockProgram(ctx, name, p.Arch)
		if err != nil {
			return nil, err
		}
		plan.Inputs = append(plan.Inputs, in)
	}
	if err := b.lockConfigs(p, r, plan); err != nil {
		return nil, err
	}
	if err := b.checkFiles(ctx, plan); err != nil {
		return nil, err
	}
	if err := b.lockExtensions(ctx, p, locked, plan); err != nil {
		return nil, err
	}
	return plan, nil
}

func (b *Builder) lockBase(ctx context.Context, p *profiles.Profile) (reference.Locked, *base.Manifest, error) {
	if p.Base == "" {
		return reference.Locked{}, nil, report.WithHint(report.Errorf(report.Invalid, "the profile names no base"),
			"name one with --base, such as oci:DIR, or make one with `bootwright base build -o oci:DIR`")
	}
	return b.Base(ctx, p.Base, p.Arch)
}

// Base finds the base that a reference means and reads its manifest. An empty arch takes the only one there is.
func (b *Builder) Base(ctx context.Context, name, arch string) (reference.Locked, *base.Manifest, error) {
	ref, err := reference.Parse(name)
	if err != nil {
		return reference.Locked{}, nil, err
	}
	locked, err := b.Images.Resolve(ctx, ref, arch)
	if err != nil {
		return locked, nil, err
	}
	image, err := b.Images.OpenSome(ctx, locked, func(fetch.Layer) bool { return false })
	if err != nil {
		return locked, nil, err
	}
	manifest, err := base.ReadManifest(image.Config.Blob)
	if err != nil {
		return locked, nil, report.Errorf(report.KindOf(err), "%s is not a base: %w", locked.Reference, err)
	}
	if arch != "" && manifest.Arch != arch {
		return locked, nil, report.Errorf(report.Invalid, "%s is for %s, not for %s", locked.Reference, manifest.Arch, arch)
	}
	return locked, manifest, nil
}

// lockPart is a part of the base, or the file that the profile names instead.
func (b *Builder) lockPart(ctx context.Context, p *profiles.Profile, m *base.Manifest, title string) (Input, error) {
	if path := override(p, title); path != "" {
		e, err := b.Store.Check(ctx, path, "")
		if err != nil {
			return Input{}, err
		}
		abs, err := filepath.Abs(path)
		return Input{title, e.Digest, e.Blob.Size(), sourceFile + abs}, err
	}
	part, ok := m.Part(title)
	if !ok {
		return Input{}, report.WithHint(report.Errorf(report.Invalid, "the base %s %s has no %s, which %s needs", m.Name, m.Version, title, p.Output.Kind),
			"make the base again with this version's `bootwright base build`")
	}
	return Input{title, part.Digest, part.Size, sourceBase}, nil
}

// override is the file that a profile gives in place of a part, if it does.
func override(p *profiles.Profile, title string) string {
	switch title {
	case base.Kernel:
		return p.Input.Kernel.Path
	case base.SystemdStub:
		return p.Input.SDStub.Path
	case base.SystemdBoot:
		return p.Input.SDBoot.Path
	}
	return ""
}

func (b *Builder) lockProgram(ctx context.Context, name, arch string) (Input, error) {
	program, err := b.program(name, arch)
	if err != nil {
		return Input{}, err
	}
	d, err := blob.Sum(ctx, program)
	return Input{name, d, program.Size(), sourceBuiltin}, err
}

// program is what this bootwright carries: the init or the installer.
func (b *Builder) program(name, arch string) (blob.Blob, error) {
	if name == inputInstaller {
		return b.Installer(arch)
	}
	return b.Init(arch)
}

// checkFiles checks that the files which a profile gives in place of the base's parts are what they are given for.
func (b *Builder) checkFiles(ctx context.Context, plan *Plan) error {
	for _, in := range plan.Inputs {
		path, isFile := strings.CutPrefix(in.Source, sourceFile)
		if !isFile || in.Name == inputConfig || in.Name == inputEmbedded {
			continue
		}
		content, err := b.openInput(ctx, plan, in, nil)
		if err != nil {
			return err
		}
		if err := base.CheckPart(in.Name, content, plan.Arch, plan.KernelVersion); err != nil {
			return report.Errorf(report.KindOf(err), "%s: %w", path, err)
		}
	}
	return nil
}

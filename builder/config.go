package builder

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/profiles"
)

// lockConfigs adds the profile's machine configurations to the plan, and the area that the recipe reserves for others. The
// plan names their digest and size: what they say is secret, and neither saved nor cached.
func (b *Builder) lockConfigs(p *profiles.Profile, r recipe, plan *Plan) error {
	c := p.Customization.MachineConfig
	entries, findings, err := bake.Load(c)
	if err != nil {
		return err
	}
	if b.Warn != nil && len(findings) > 0 {
		b.Warn(findings)
	}
	source, err := configSource(c)
	if err != nil {
		return err
	}
	plan.configs = entries
	if c.Embed == profiles.EmbedInitramfs {
		if err := plan.addConfig(inputEmbedded, configarea.Size(entries), source); err != nil {
			return err
		}
		entries = nil
	}
	if r.area || len(entries) > 0 {
		return plan.addConfig(inputConfig, bake.Room(entries, c.Room), source)
	}
	return nil
}

// configSource says where a saved plan finds its configuration again: in a file, if that is all there is to it.
func configSource(c profiles.MachineConfig) (string, error) {
	switch {
	case !c.Given():
		return sourceBuiltin, nil
	case c.Path == "" || c.Dir != "" || len(c.Patches) > 0:
		return sourceGiven, nil
	}
	abs, err := filepath.Abs(c.Path)
	return sourceFile + abs, err
}

// addConfig adds the area of size bytes that holds what the plan has for an input of that name.
func (p *Plan) addConfig(name string, size int64, source string) error {
	area, err := configarea.Encode(p.configsFor(name), size)
	if err != nil {
		return err
	}
	p.Inputs = append(p.Inputs, Input{name, blob.SumBytes(area), size, source})
	return nil
}

// configsFor are the configurations in an input: those that are embedded are in no other.
func (p *Plan) configsFor(name string) []configarea.Entry {
	if _, embedded := p.Input(inputEmbedded); embedded && name == inputConfig {
		return nil
	}
	return p.configs
}

// GiveConfigs gives a plan that was saved the machine configurations that it was made with.
func (p *Plan) GiveConfigs(c profiles.MachineConfig) (err error) {
	if !slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.Name == inputConfig || in.Name == inputEmbedded }) {
		return report.Errorf(report.Invalid, "the plan was made without machine configurations")
	}
	p.configs, _, err = bake.Load(c)
	return err
}

// config is the archive of the area of machine configurations.
func (k *kit) config() (*bake.Archive, error) {
	var err error
	if k.configs == nil {
		k.configs, err = bake.NewArchive(k.part(inputConfig), k.plan.Time())
	}
	return k.configs, err
}

// secrets are the areas that hold machine configurations, if any do.
func (k *kit) secrets() []blob.Blob {
	var out []blob.Blob
	for _, name := range []string{inputConfig, inputEmbedded} {
		if area := k.part(name); area != nil && len(k.plan.configsFor(name)) > 0 {
			out = append(out, area)
		}
	}
	return out
}

// Secret reports whether f, one of the files, holds machine configurations: nobody but its owner should be able to read it.
func (a *Artifact) Secret(f File) bool {
	return slices.ContainsFunc(a.secrets, func(area blob.Blob) bool {
		_, inside := blob.Locate(f.Blob, area)
		return inside
	})
}

// openConfig is the area that in names, made again.
func (p *Plan) openConfig(in Input) (blob.Blob, error) {
	path, isFile := strings.CutPrefix(in.Source, sourceFile)
	if isFile && p.configs == nil {
		if err := p.GiveConfigs(profiles.MachineConfig{Path: path}); err != nil {
			return nil, err
		}
	}
	area, err := configarea.Encode(p.configsFor(in.Name), in.Size)
	switch {
	case err == nil && blob.SumBytes(area) == in.Digest:
		return blob.Bytes(area), nil
	case p.configs == nil && in.Source != sourceBuiltin:
		return nil, report.WithHint(report.Errorf(report.Invalid, "the plan was made with machine configurations, which it does not hold"),
			"give them again with --config, --config-patch and --config-dir")
	}
	return nil, report.Errorf(report.Invalid, "the machine configurations are not those that the plan was made with: %s has another digest than %s", in.Name, in.Digest.Short())
}

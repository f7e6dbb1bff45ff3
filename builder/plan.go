// Package builder turns a profile into boot assets, in one direction:
//
//	profile  --Lock-->  Plan  --recipe-->  Artifact (Blobs)  -->  a sink
//
// Lock is the only step that asks what a name means: it turns every reference into a digest. Build asks for content by digest,
// of the network too where the store does not have it. Everything it makes is a function of the Plan, so the same
// plan gives the same bytes on any machine.
package builder

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/bootwright/bootwright/builder/extend"
	"github.com/bootwright/bootwright/builder/result"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/initramfs"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/profiles"
)

// PlanVersion is the schema of a Plan. A plan of another version is refused, never guessed at.
const PlanVersion = "v1"

// Plan is a resolved profile with every input pinned by digest, an epoch and the recipe's version. Its digest is the key
// of what is built and the seed of every identifier in it.
type Plan struct {
	Plan          string          `json:"plan" yaml:"plan"`     // PlanVersion
	Kind          string          `json:"kind" yaml:"kind"`     // names the recipe
	Recipe        int             `json:"recipe" yaml:"recipe"` // its version
	Encoder       string          `json:"encoder" yaml:"encoder"`
	Arch          string          `json:"arch" yaml:"arch"`
	Platform      string          `json:"platform" yaml:"platform"`
	Version       string          `json:"version" yaml:"version"`
	Epoch         int64           `json:"epoch" yaml:"epoch"` // seconds since 1970
	Base          Base            `json:"base" yaml:"base"`
	KernelVersion string          `json:"kernelVersion" yaml:"kernelVersion"`
	Cmdline       string          `json:"cmdline" yaml:"cmdline"`
	Output        profiles.Output `json:"output" yaml:"output"`
	Meta          []profiles.Meta `json:"meta,omitempty" yaml:"meta,omitempty"` // of the META partition, where there is one
	Inputs        []Input         `json:"inputs" yaml:"inputs"`

	Extensions     []extend.Extension      `json:"extensions,omitempty" yaml:"extensions,omitempty"` // the lowest first
	ExtensionRules profiles.ExtensionRules `json:"extensionRules,omitzero" yaml:"extensionRules,omitempty"`
	LayerEncoder   string                  `json:"layerEncoder,omitempty" yaml:"layerEncoder,omitempty"` // of extensions' layers

	// Profiles are where the profile's values came from besides it and built-in ones, images by digest. Not part of the plan's digest.
	Profiles []string `json:"profiles,omitempty" yaml:"profiles,omitempty"`

	extended *extend.Result // what Lock made of Extensions

	configs []configarea.Entry // that the configuration inputs are made of; secret, so a plan that is saved has them not
}

// Base names the base image and its manifest.
type Base struct {
	Name    string      `json:"name" yaml:"name"`
	Version string      `json:"version" yaml:"version"`
	Digest  blob.Digest `json:"digest" yaml:"digest"` // of the image manifest
	Source  string      `json:"source" yaml:"source"` // a reference that holds it; not part of the plan's digest

	// Signer is the ID of the key by which the base was verified, the digest of its SubjectPublicKeyInfo; empty where no signature
	// was asked for. Not part of the plan's digest.
	Signer blob.Digest `json:"signer,omitempty" yaml:"signer,omitempty"`
}

// Input is one piece of content that a recipe reads.
type Input struct {
	Name   string      `json:"name" yaml:"name"` // what recipes call it: the title of a base's part, "init", "config" or "embedded-config"
	Digest blob.Digest `json:"digest" yaml:"digest"`
	Size   int64       `json:"size" yaml:"size"`     // bytes
	Source string      `json:"source" yaml:"source"` // "base", "builtin", "given" or "file:PATH"; not part of the plan's digest
}

// Digest identifies what the plan builds: the digest of its canonical JSON without the places where inputs were found.
func (p *Plan) Digest() blob.Digest {
	q := *p
	q.Base.Source, q.Base.Signer, q.Profiles = "", "", nil
	q.Inputs = make([]Input, len(p.Inputs))
	for i, in := range p.Inputs {
		in.Source = ""
		q.Inputs[i] = in
	}
	q.Extensions = extend.WithoutSources(p.Extensions)
	b, err := json.Marshal(q)
	if err != nil {
		panic("builder: a plan is plain data: " + err.Error())
	}
	return blob.SumBytes(b)
}

// ID derives an identifier from the plan and a name: a UUID of version 8 (RFC 9562 section 5.8), different for every name.
// What the area of machine configurations holds has no part in it, so that another one can be written into what was built.
func (p *Plan) ID(name string) [16]byte {
	q := *p
	q.Inputs = slices.Clone(p.Inputs)
	for i := range q.Inputs {
		if q.Inputs[i].Name == inputConfig {
			q.Inputs[i].Digest = ""
		}
	}
	sum := sha256.Sum256([]byte(string(q.Digest()) + "\x00" + name))
	id := [16]byte(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Time is the epoch: the only time that formats are given.
func (p *Plan) Time() time.Time { return time.Unix(p.Epoch, 0).UTC() }

// Input is the input called name.
func (p *Plan) Input(name string) (Input, bool) {
	for _, in := range p.Inputs {
		if in.Name == name {
			return in, true
		}
	}
	return Input{}, false
}

// reads reports whether the plan reads the part of its base that d names.
func (p *Plan) reads(d blob.Digest) bool {
	return slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.Source == sourceBase && in.Digest == d })
}

// check reports why this bootwright cannot build the plan.
func (p *Plan) check() error {
	r, err := recipeFor(p.Kind)
	switch {
	case err != nil:
		return err
	case p.Plan != PlanVersion:
		return report.Errorf(report.Unsupported, "plan version %q is not %q", p.Plan, PlanVersion)
	case p.Recipe != r.version:
		return planFromElsewhere("its recipe for %s is version %d, this bootwright's %d", p.Kind, p.Recipe, r.version)
	case p.Encoder != initramfs.Encoder:
		return planFromElsewhere("it compresses with %s, this bootwright with %s", p.Encoder, initramfs.Encoder)
	}
	if err := p.checkWords(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, in := range p.Inputs {
		if _, err := blob.ParseDigest(string(in.Digest)); err != nil {
			return report.Errorf(report.Invalid, "input %s of the plan: %w", in.Name, err)
		}
		if seen[in.Name] || in.Size < 0 || path.Base(in.Name) != in.Name {
			return report.Errorf(report.Invalid, "the plan's input %q is there twice, has a path for a name or a negative size", in.Name)
		}
		seen[in.Name] = true
	}
	return p.checkExtensions(r)
}

// checkWords holds what becomes part of file names, menus and scripts to the rules of profiles: a plan may come from anywhere.
func (p *Plan) checkWords() error {
	_, err := profiles.Resolve(&profiles.Profile{Arch: p.Arch, Platform: p.Platform, Version: p.Version, Output: p.Output})
	if err != nil {
		return report.Errorf(report.Invalid, "the plan is not one that a profile gives: %v", err)
	}
	if err := new(profiles.Epoch).UnmarshalText([]byte(strconv.FormatInt(p.Epoch, 10))); err != nil {
		return report.Errorf(report.Invalid, "the plan's epoch %w", err)
	}
	if p.Output.Kind != p.Kind {
		return report.Errorf(report.Invalid, "the plan is for %s, and its output for %s", p.Kind, p.Output.Kind)
	}
	for _, f := range []struct{ name, text string }{{"cmdline", p.Cmdline}, {"kernelVersion", p.KernelVersion}, {"base.name", p.Base.Name}, {"base.version", p.Base.Version}} {
		if strings.ContainsFunc(f.text, unicode.IsControl) {
			return report.Errorf(report.Invalid, "the plan's %s %q has a control character", f.name, f.text)
		}
	}
	return nil
}

func planFromElsewhere(format string, args ...any) error {
	return report.WithHint(report.Errorf(report.Unsupported, "the plan is of another bootwright: "+format, args...),
		"build it with the bootwright that made it, or make a new plan from its profile")
}

// Preview is what `bootwright plan` prints: the plan, and what would come of it. LoadPlan reads it back.
type Preview struct {
	Plan   `json:",inline" yaml:",inline"`
	Result result.Result `json:"result" yaml:"result"`
}

// LoadPlan reads a plan, or a Preview, from YAML or JSON. name is what messages call it.
func LoadPlan(name string, data []byte) (*Plan, error) {
	var v Preview
	if err := yamldoc.Decode(name, data, &v); err != nil {
		return nil, err
	}
	if err := v.Plan.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &v.Plan, nil
}

// IsPlan reports whether a document is a plan and not a profile: no profile has a field called plan.
func IsPlan(data []byte) bool {
	doc, err := yamldoc.Parse("", data, yamldoc.Options{})
	return err == nil && doc.Has("plan")
}

package profiles

import (
	"reflect"
	"slices"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// Resolve is p complete: laid over the built-in profiles that it is based on, with defaults filled in, and checked as a
// whole. p stays as it is. The error is an Invalid one that holds report.Findings.
func Resolve(p *Profile) (*Profile, error) { return resolve(p, Builtin) }

func resolve(p *Profile, builtin func(string) (*Profile, error)) (*Profile, error) {
	chain := []*Profile{p}
	seen := map[string]bool{}
	for name := p.BaseProfileName; name != ""; name = chain[len(chain)-1].BaseProfileName {
		if seen[name] {
			return nil, report.Errorf(report.Invalid, "profile %s is based on itself", name)
		}
		seen[name] = true
		base, err := builtin(name)
		if err != nil {
			return nil, err
		}
		chain = append(chain, base)
	}
	out := &Profile{}
	for _, layer := range slices.Backward(chain) {
		out.overlay(layer)
	}
	out.BaseProfileName = ""
	faults := out.valueFaults() // none in what was loaded, but a Profile may be made in Go
	if len(faults) == 0 {
		faults = out.wholeFaults()
	}
	if err := place(out.docs, home(p), faults).Err(); err != nil {
		return nil, err
	}
	out.setDefaults()
	return out, nil
}

func (p *Profile) setDefaults() {
	if p.Output.OutFormat == "" {
		p.Output.OutFormat = "raw"
	}
	if p.Output.Kind == "image" {
		p.setImageDefaults()
	}
	if p.Output.Kind == "iso" && p.Output.ISOOptions.Label == "" {
		p.Output.ISOOptions.Label = "BOOTWRIGHT"
	}
}

// overlay lays what top says over p: scalars replace, lists append, mappings merge.
func (p *Profile) overlay(top *Profile) {
	merge(reflect.ValueOf(p).Elem(), reflect.ValueOf(top).Elem())
	p.docs = append(slices.Clone(p.docs), top.docs...)
}

func merge(dst, src reflect.Value) {
	switch {
	case !dst.CanSet() || src.IsZero():
	case dst.Kind() == reflect.Struct:
		for i := range dst.NumField() {
			merge(dst.Field(i), src.Field(i))
		}
	case dst.Kind() == reflect.Slice:
		joined := reflect.MakeSlice(dst.Type(), 0, dst.Len()+src.Len())
		dst.Set(reflect.AppendSlice(reflect.AppendSlice(joined, dst), src))
	default:
		dst.Set(src)
	}
}

// fault is something wrong with the field at path.
type fault struct{ path, message, hint string }

// home is the document that p is about: the first one, flags come later.
func home(p *Profile) *yamldoc.Doc {
	if len(p.docs) == 0 {
		return &yamldoc.Doc{}
	}
	return p.docs[0]
}

// place puts each fault where its field was written: in the last of docs that has the field, or in home if none has it.
func place(docs []*yamldoc.Doc, home *yamldoc.Doc, faults []fault) report.Findings {
	var findings report.Findings
	for _, f := range faults {
		doc := home
		for _, d := range docs {
			if d.Has(f.path) {
				doc = d
			}
		}
		findings = append(findings, doc.Finding(f.path, f.message, f.hint))
	}
	findings.Sort()
	return findings
}

package profiles

import (
	"cmp"
	"errors"
	"io/fs"
	"reflect"
	"slices"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// Finder finds the profile that one at from names, and says where it is: for what that one names, and so that none is based on
// itself. from and where are empty for a built-in profile, and for one that is nowhere.
type Finder func(from, name string) (p *Profile, where string, err error)

// maxBases bounds what a profile is based on, one upon another.
const maxBases = 16

// Resolve is ResolveFrom for a profile that is based on built-in profiles only.
func Resolve(p *Profile) (*Profile, error) {
	return ResolveFrom(p, "", func(_, name string) (*Profile, string, error) {
		base, err := Builtin(name)
		return base, "", err
	})
}

// ResolveFrom is p, which is at from, complete: laid over the profiles that it is based on, with defaults filled in, and checked as a
// whole. p stays as it is. The error holds report.Findings; one that a base cannot be found is placed where it is named, and has the
// kind that find gave it, others are Invalid.
func ResolveFrom(p *Profile, from string, find Finder) (*Profile, error) {
	chain, origins, err := bases(p, from, find)
	if err != nil {
		return nil, err
	}
	out := &Profile{origins: origins}
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

// bases are p and what it is based on, and where those are that are not built in.
func bases(p *Profile, from string, find Finder) (chain []*Profile, origins []string, err error) {
	seen := map[string]bool{from: from != ""}
	for {
		chain = append(chain, p)
		name := p.BaseProfileName
		if name == "" {
			return chain, origins, nil
		}
		base, where, err := find(from, name)
		if err == nil && (seen[cmp.Or(where, name)] || len(chain) > maxBases) {
			err = report.Errorf(report.Invalid, "profile %s is based on itself, or on more than %d others", name, maxBases)
		}
		if _, placed := errors.AsType[report.Findings](err); err != nil && !placed {
			found := place(p.docs, home(p), []fault{{"baseProfileName", err.Error(), report.HintOf(err)}})
			kind := report.KindOf(err)
			if errors.Is(err, fs.ErrNotExist) {
				kind = report.NotFound
			}
			err = &report.Error{Kind: kind, Err: found}
		}
		if err != nil {
			return nil, nil, err
		}
		seen[cmp.Or(where, name)] = true
		if p, from = base, where; where != "" {
			origins = append(origins, where)
		}
	}
}

// Origins are the places of the profiles that a resolved one is based on and that are not built in, the nearest first: of one in an
// image its reference with the digest.
func (p *Profile) Origins() []string { return p.origins }

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

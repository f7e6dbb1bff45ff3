package extend

import (
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Check reports what is wrong with the rows of a plan that was read.
func Check(rows []Extension) error {
	for _, e := range rows {
		for _, d := range []blob.Digest{e.Digest, e.Layer} {
			if _, err := blob.ParseDigest(string(d)); err != nil {
				return report.Errorf(report.Invalid, "extension %.100q of the plan: %w", e.Name, err)
			}
		}
	}
	return nil
}

// CheckSame reports where the result is not what rows of a plan say.
func (x *Result) CheckSame(rows []Extension) error {
	for i, got := range x.Rows {
		want := rows[i]
		if got.Name != want.Name || got.Version != want.Version || got.Digest != want.Digest || got.Layer != want.Layer {
			return report.Errorf(report.Invalid, "%s is not the extension that the plan was made with: %s %s with layer %s, not %s %s with %s",
				want.Source, got.Name, got.Version, got.Layer.Short(), want.Name, want.Version, want.Layer.Short())
		}
	}
	return nil
}

// WithoutSources is rows as the plan's digest has them.
func WithoutSources(rows []Extension) []Extension {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Source, out[i].Signer = "", ""
	}
	return out
}

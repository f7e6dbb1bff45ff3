package registries

import (
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/kinds"
)

// Load reads rules from a machine configuration, or from a part of one that has machine.registries. Documents of kind
// TrustedRootsConfig count too; what else there is has to be well formed and is not looked at. The error is an Invalid one
// that holds report.Findings, with places in what messages call name.
func Load(name string, data []byte) (*Rules, error) {
	c, err := config.Load(name, data)
	if err != nil {
		return nil, err
	}
	// A part of a configuration lacks what a whole one needs.
	findings := slices.DeleteFunc(c.Validate(check.Options{}), func(f report.Finding) bool {
		return !strings.HasPrefix(f.Path, "machine.registries") && f.Path != "certificates"
	})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	main, roots := c.Main(), config.All[*kinds.TrustedRootsConfig](c)
	if len(roots) == 0 && (main == nil || len(main.Machine.Registries.Mirrors)+len(main.Machine.Registries.Config) == 0) {
		return nil, report.WithHint(report.Errorf(report.Invalid, "%s: it says nothing of registries", name),
			"it should be a machine configuration, or a part of one with machine.registries")
	}
	r := &Rules{}
	if main != nil {
		if r, err = New(main.Machine.Registries); err != nil {
			return nil, report.Errorf(report.Invalid, "%s: machine.registries: %w", name, err)
		}
	}
	for _, t := range roots {
		r.Roots = append(append(r.Roots, t.Certificates...), '\n')
	}
	return r, nil
}

package modules

import (
	"slices"
	"testing"

	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// TestParametersOfDependencies: a module that an earlier one of the list needs is loaded before its turn, and has its
// parameters all the same.
func TestParametersOfDependencies(t *testing.T) {
	m := machine(t)
	l := NewLoader(m, cmdline.Args{}, func(f func()) { f() })
	if err := l.Use(Dir("6.1.0")); err != nil {
		t.Fatal(err)
	}
	said := l.Wanted().Apply([]v1alpha1.KernelModule{{Name: "xfs"}, {Name: "crc", Parameters: []string{"level=3", "fast"}}})
	if want := []string{"slow", "crc level=3 fast", "xfs"}; !slices.Equal(m.Loaded(), want) {
		t.Errorf("loaded %q, want %q", m.Loaded(), want)
	}
	for _, a := range said {
		if a.State != bootreport.Applied {
			t.Errorf("%+v", a)
		}
	}
}

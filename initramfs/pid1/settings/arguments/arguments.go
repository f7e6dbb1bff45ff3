// Package arguments compares what the kernel was started with with what a machine configuration asks for. They cannot be changed
// while it runs.
package arguments

import (
	"runtime"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Missing are the kernel arguments that Talos Linux 1.9 insists on and this kernel was started without.
func Missing(m kernel.Files) []bootreport.Asked {
	args, err := commandLine(m)
	if err != nil {
		return []bootreport.Asked{{Name: "kernel arguments", State: bootreport.Refused, Reason: err.Error()}}
	}
	var out []bootreport.Asked
	want := []bootreport.Asked{{Name: "slab_nomerge"}}
	if runtime.GOARCH == "amd64" { // others have no page table isolation of that name
		want = append(want, bootreport.Asked{Name: "pti", Value: "on"})
	}
	for _, a := range want {
		if value, ok := args.Get(a.Name); !ok || value != a.Value {
			a.State, a.Reason = bootreport.Pending, "the kernel was started without this argument"
			out = append(out, a)
		}
	}
	return out
}

func commandLine(m kernel.Files) (cmdline.Args, error) {
	line, err := m.ReadFile("/proc/cmdline")
	return cmdline.Parse(string(line)), err
}

// Extra says which of the extra kernel arguments the kernel was started with. One that begins with - is to be without.
func Extra(m kernel.Files, install *v1alpha1.Install) []bootreport.Asked {
	if install == nil {
		return nil
	}
	args, err := commandLine(m)
	var out []bootreport.Asked
	for _, text := range install.ExtraKernelArgs {
		name, away := strings.CutPrefix(text, "-")
		a := bootreport.Asked{Name: text, State: bootreport.Applied}
		switch {
		case err != nil:
			a.State, a.Reason = bootreport.Refused, err.Error()
		case has(args, name, away) == away:
			a.State, a.Reason = bootreport.Pending, "it takes effect when the machine is installed or upgraded"
		}
		out = append(out, a)
	}
	return out
}

// has tells whether args have an argument as it is written, or with any value where any is set and text has none.
func has(args cmdline.Args, text string, anyValue bool) bool {
	for _, want := range cmdline.Parse(text) {
		return slices.ContainsFunc(args, func(a cmdline.Arg) bool {
			return a == want || anyValue && !want.HasValue && a.Key == want.Key
		})
	}
	return false
}

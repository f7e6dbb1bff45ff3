package settings

import (
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// protection is what Talos Linux 1.9 sets when it starts.
func protection() map[string]string {
	return map[string]string{
		"kernel.dmesg_restrict":            "1",
		"kernel.kptr_restrict":             "1",
		"kernel.perf_event_paranoid":       "3",
		"kernel.unprivileged_bpf_disabled": "1",
		"kernel.yama.ptrace_scope":         "1",
		"net.core.bpf_jit_harden":          "2",
		"user.max_user_namespaces":         "0",
	}
}

// protect sets what protects the kernel, less what the configuration sets otherwise, and returns what is not as it should
// be.
func (s *Settings) protect(asked map[string]string) []bootreport.Asked {
	others := map[string]string{}
	for name, value := range asked {
		others[file(name)] = value
	}
	var out []bootreport.Asked
	want := protection()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		a := bootreport.Asked{Name: name, Value: want[name]}
		if other, ok := others[file(name)]; ok {
			if other != a.Value {
				a.State, a.Reason = bootreport.Refused, "the configuration asks for "+other
				out = append(out, a)
			}
			continue
		}
		if err := s.set(sysctls, name, a.Value); err != nil {
			a.State, a.Reason = bootreport.Refused, err.Error()
			out = append(out, a)
		}
	}
	return append(out, s.missing()...)
}

// missing are the kernel arguments that Talos Linux 1.9 insists on and this kernel was started without.
func (s *Settings) missing() []bootreport.Asked {
	args, err := s.commandLine()
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

func (s *Settings) commandLine() (cmdline.Args, error) {
	line, err := s.m.ReadFile("/proc/cmdline")
	return cmdline.Parse(string(line)), err
}

// arguments says which of the extra kernel arguments the kernel was started with. One that begins with - is to be without.
func (s *Settings) arguments(install *v1alpha1.Install) []bootreport.Asked {
	if install == nil {
		return nil
	}
	args, err := s.commandLine()
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

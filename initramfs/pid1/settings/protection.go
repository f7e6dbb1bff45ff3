package settings

import (
	"maps"
	"slices"

	"github.com/bootwright/bootwright/initramfs/pid1/settings/arguments"
	"github.com/bootwright/bootwright/machine/bootreport"
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
	return append(out, arguments.Missing(s.m)...)
}

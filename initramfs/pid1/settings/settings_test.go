package settings

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

func states(all []bootreport.Asked) string {
	var out []string
	for _, a := range all {
		out = append(out, a.Name+" "+a.State)
	}
	return strings.Join(out, ", ")
}

func TestFile(t *testing.T) {
	for name, want := range map[string]string{
		"net.core.somaxconn": "net/core/somaxconn", "net/ipv4/conf/eth0.1/forwarding": "net/ipv4/conf/eth0.1/forwarding",
		"net.ipv4.conf.eth0/1.forwarding": "net/ipv4/conf/eth0.1/forwarding", "a": "a",
	} {
		if got := file(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestApply(t *testing.T) {
	m := fake.New(t, map[string]string{
		"proc/cmdline": "pti=on panic=5 quiet", "proc/sys/net/core/bpf_jit_harden": "0", "proc/sys/kernel/kptr_restrict": "0",
		"proc/sys/net/a/x": "0", "proc/sys/net/b/x": "0", "sys/kernel/mm/x": "0", "etc/secret": "",
	})
	main := &v1alpha1.Config{Machine: v1alpha1.Machine{
		Sysctls: map[string]string{"net.core.bpf_jit_harden": "1", "net.*.x": "7", "net.none": "1", "net/../../../etc/secret": "1"},
		Sysfs:   map[string]string{"kernel.mm.x": "on"},
		Install: &v1alpha1.Install{ExtraKernelArgs: []string{"panic=5", "panic=6", "-quiet", "-debug"}},
	}}
	s := New(m)
	said := s.Apply(main)
	if got, want := states(said.Sysctls), "net.*.x applied, net.core.bpf_jit_harden applied, net.none refused, net/../../../etc/secret refused"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := states(said.Sysfs)+", "+states(said.Arguments), "kernel.mm.x applied, panic=5 applied, panic=6 pending, -quiet pending, -debug applied"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := states(said.Protection); !strings.Contains(got, "net.core.bpf_jit_harden refused") || strings.Contains(got, "kptr") || !strings.Contains(got, "slab_nomerge pending") {
		t.Errorf("%s", got)
	}
	for name, want := range map[string]string{
		"/proc/sys/net/a/x": "7", "/proc/sys/net/b/x": "7", "/proc/sys/net/core/bpf_jit_harden": "1", "/sys/kernel/mm/x": "on", "/etc/secret": "",
		"/proc/sys/kernel/kptr_restrict": "1",
	} {
		if p, err := m.ReadFile(name); string(p) != want {
			t.Errorf("%s is %q, %v", name, p, err)
		}
	}
	if err := m.WriteFile("/proc/sys/net/none", nil, 0o600); err != nil { // a module brings it
		t.Fatal(err)
	}
	main.Machine.Sysctls = map[string]string{"net.none": "1"}
	if got, want := states(s.Apply(main).Sysctls), "net.none applied, net.*.x pending, net.core.bpf_jit_harden pending"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if p, _ := m.ReadFile("/proc/sys/net/core/bpf_jit_harden"); string(p) != "2" {
		t.Errorf("without the configuration's, the protection's setting is %q", p)
	}
}

package pid1

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestReload: told by SIGHUP, the machine takes over what the server has now, says what needs a reboot, and keeps its
// configuration where the new one is no good.
func TestReload(t *testing.T) {
	first := strings.Replace(configareatest.Worker("first"), "    hostname: first\n", "    hostname: first\n    interfaces: [{interface: eth0, addresses: [10.1.0.2/24]}]\n", 1)
	moved := strings.NewReplacer("first", "second", "10.1.0.2/24", "10.1.0.3/24").Replace(first)
	now := first
	address := func(t *testing.T, m *fake.Machine) (out string) {
		all, err := m.Addresses()
		must(t, err)
		for _, a := range all {
			if a.Link == "eth0" {
				out += a.Prefix.String() + " "
			}
		}
		return strings.TrimSpace(out)
	}
	bubble(t, good+" talos.config=http://10.0.0.9/c", func(t *testing.T, m *fake.Machine) {
		online(t, m, false)
		m.Servers = map[string]func(net.Conn){"10.0.0.9:80": web(func(string) string { return now })}
	}, func(t *testing.T, m *fake.Machine) {
		for _, s := range []struct{ text, host, address, pending, refused string }{
			{first, "first", "10.1.0.2/24", "", ""},
			{moved, "second", "10.1.0.3/24", "", ""},
			{strings.Replace(moved, "type: worker", "type: wroker", 1), "second", "10.1.0.3/24", "", "3:9 has 1 faults and is not used"},
			{"", "second", "10.1.0.3/24", "", "503 Service Unavailable"},
			{strings.Replace(moved, "  token: ", "  env: {a: b}\n  features: {rbac: true}\n  token: x", 1), "second", "10.1.0.3/24", ".machine.token .machine.features.rbac", ""},
			{first, "first", "10.1.0.2/24", "", ""},
		} {
			now = s.text
			m.Signal(syscall.SIGHUP)
			wait(9 * time.Second)
			r := reportOf(t, m)
			if r.Hostname != s.host || address(t, m) != s.address || strings.Join(r.Config.Pending, " ") != s.pending ||
				!strings.Contains(r.Config.Refused, s.refused) || (s.refused == "") != (r.Config.Refused == "") {
				t.Errorf("with %q: %q, address %q, %+v", s, r.Hostname, address(t, m), r.Config)
			}
		}
	})
}

// TestReloadNothing: what came with the image stays, and the report says so.
func TestReloadNothing(t *testing.T) {
	m := bubble(t, good, func(t *testing.T, m *fake.Machine) {
		must(t, m.MkdirAll("/.extra/credentials", 0o755))
		must(t, m.WriteFile("/"+configarea.Path, []byte(area(t, map[string]string{"default": configareatest.Worker("baked")})), 0o400))
	}, func(t *testing.T, m *fake.Machine) {
		m.Signal(syscall.SIGHUP)
		wait(2 * time.Second)
	})
	if r := reportOf(t, m); r.Hostname != "baked" || r.Config.Refused != "there is no other to be found" || r.ReadyMS == 0 {
		t.Errorf("%s %+v", r.Hostname, r.Config)
	}
}

package network

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
)

// writeFiles tells the kernel and programs the names that the plan has. Each is written when it changes.
func (t *Task) writeFiles(state plan.State) error {
	var faults []error
	for _, f := range []struct{ name, text string }{
		{"/proc/sys/kernel/hostname", state.Hostname.Value()},
		{"/proc/sys/kernel/domainname", state.Domain.Value()},
		{"/etc/resolv.conf", resolvConf(state)},
		{"/etc/hosts", hosts(state)},
	} {
		if before, written := t.written[f.name]; before == f.text && (written || f.text == "") {
			continue
		}
		if err := t.Machine.WriteFile(f.name, []byte(f.text), 0o644); err != nil {
			faults = append(faults, err)
			continue
		}
		t.written[f.name] = f.text
		if f.name == "/proc/sys/kernel/hostname" {
			t.Log.Infof("host name %s (%s)", f.text, state.Hostname.Origin)
		}
	}
	return errors.Join(faults...)
}

// resolvConf follows resolv.conf(5). Programs use the first three name servers only.
func resolvConf(state plan.State) string {
	var b strings.Builder
	for _, r := range state.Resolvers.Values[:min(3, len(state.Resolvers.Values))] {
		fmt.Fprintf(&b, "nameserver %s\n", r)
	}
	if len(state.Search.Values) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(state.Search.Values, " "))
	}
	return b.String()
}

// hosts follows hosts(5).
func hosts(state plan.State) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n")
	if name := state.Hostname.Value(); name != "" {
		address := "127.0.1.1" // a name of its own that resolves, before there is an address
		if a, ok := Primary(state); ok {
			address = a.String()
		}
		if domain := state.Domain.Value(); domain != "" {
			name = name + "." + domain + " " + name
		}
		fmt.Fprintf(&b, "%s %s\n", address, name)
	}
	for _, h := range state.Hosts {
		fmt.Fprintf(&b, "%s %s\n", h.IP, strings.Join(h.Aliases, " "))
	}
	return b.String()
}

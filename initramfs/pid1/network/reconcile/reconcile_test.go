package reconcile

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/linktest"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
)

func address(link, p string) plan.Address {
	return plan.Address{Address: kernel.Address{Link: link, Prefix: netip.MustParsePrefix(p)}}
}

func route(link, to, gateway string) plan.Route {
	r := plan.Route{Route: kernel.Route{Link: link, Destination: netip.MustParsePrefix(to), Metric: 1024}}
	if gateway != "" {
		r.Gateway = netip.MustParseAddr(gateway)
	}
	return r
}

func link(name string, make *kernel.NewLink) plan.Link { return plan.Link{Name: name, Make: make} }

// TestApply goes from one plan to the next and checks what is changed, and that nothing is changed twice.
func TestApply(t *testing.T) {
	t.Parallel()
	bond := &kernel.NewLink{Name: "bond0", Kind: "bond", Options: []kernel.LinkOption{{Name: "mode", Value: "1"}}}
	other := &kernel.NewLink{Name: "bond0", Kind: "bond", Options: []kernel.LinkOption{{Name: "mode", Value: "4"}}}
	vlan := &kernel.NewLink{Name: "bond0.5", Kind: "vlan", Parent: "bond0", VLAN: 5}
	k := &linktest.Network{}
	k.PlugLink(kernel.Link{Name: "eth0", MTU: 1500, Ethernet: true})
	if err := k.AddAddress(kernel.Address{Link: "eth0", Prefix: netip.MustParsePrefix("192.168.0.1/24")}); err != nil {
		t.Fatal(err)
	}
	var r Reconciler
	for _, step := range []struct {
		name string
		want plan.State
		did  string
	}{
		{"an address", plan.State{Links: []plan.Link{link("eth0", nil)}, Addresses: []plan.Address{address("eth0", "10.0.0.2/24")},
			Routes: []plan.Route{route("eth0", "0.0.0.0/0", "10.0.0.1"), route("eth0", "10.9.0.0/16", "")}},
			"up eth0; add 10.0.0.2/24 to eth0; route 10.9.0.0/16 via invalid IP on eth0; route 0.0.0.0/0 via 10.0.0.1 on eth0"},
		{"another address, another MTU", plan.State{Links: []plan.Link{{Name: "eth0", MTU: 9000}}, Addresses: []plan.Address{address("eth0", "10.0.0.3/24")}},
			"mtu eth0 9000; unroute 10.9.0.0/16 via invalid IP on eth0; unroute 0.0.0.0/0 via 10.0.0.1 on eth0; add 10.0.0.3/24 to eth0; remove 10.0.0.2/24 from eth0"},
		{"a bond", plan.State{Links: []plan.Link{link("bond0", bond), {Name: "eth0", Master: "bond0"}, link("bond0.5", vlan), link("eth9", nil)}, Addresses: []plan.Address{address("bond0.5", "10.5.0.1/24"), address("eth9", "10.9.0.1/24")}},
			"make bond bond0  0 [{mode 1}]; up bond0; down eth0; master eth0 bond0; up eth0; make vlan bond0.5 bond0 5 []; up bond0.5; add 10.5.0.1/24 to bond0.5; remove 10.0.0.3/24 from eth0"},
		{"another mode", plan.State{Links: []plan.Link{link("bond0", other), {Name: "eth0", Master: "bond0"}}},
			"remove bond0.5; remove bond0; make bond bond0  0 [{mode 4}]; up bond0; down eth0; master eth0 bond0; up eth0"},
		{"no bond", plan.State{Links: []plan.Link{link("eth0", nil)}}, "remove bond0"},
	} {
		before := len(k.Did())
		for range 2 {
			if err := r.Apply(k, step.want); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
		}
		if got := strings.Join(k.Did()[before:], "; "); got != step.did {
			t.Errorf("%s: did\n%s, want\n%s", step.name, got, step.did)
		}
	}
	if have, _ := k.Addresses(); len(have) != 1 || have[0].Prefix.String() != "192.168.0.1/24" {
		t.Errorf("what others have set up: %v", have)
	}
}

// TestWireGuard: a link is told its peers before it is up, as a whole, when they change, and anew when it was made anew.
func TestWireGuard(t *testing.T) {
	t.Parallel()
	k := &linktest.Network{}
	tunnel := func(marks ...int) plan.State {
		w := &kernel.WireGuard{PrivateKey: kernel.PrivateKey{9}, ListenPort: 51820}
		for _, m := range marks {
			w.Peers = append(w.Peers, kernel.WireGuardPeer{PublicKey: kernel.PublicKey{byte(m)}, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.6.0.2/32")}})
		}
		return plan.State{Links: []plan.Link{{Name: "wg0", Make: &kernel.NewLink{Name: "wg0", Kind: "wireguard"}, WireGuard: w}}}
	}
	const zeroes = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	told := func(peers string) string {
		return "wireguard wg0 {PrivateKey:(a private key) ListenPort:51820 FirewallMark:0 Peers:[" + peers + "]}"
	}
	peer := func(key string) string {
		return "{PublicKey:" + key + zeroes + " Endpoint:invalid AddrPort Keepalive:0s AllowedIPs:[10.6.0.2/32]}"
	}
	made := "make wireguard wg0  0 []; "
	var r Reconciler
	for _, step := range []struct {
		name string
		want plan.State
		did  string
	}{
		{"made", tunnel(1), made + told(peer("AQ")) + "; up wg0"},
		{"a peer more", tunnel(1, 2), told(peer("AQ") + " " + peer("Ag"))},
		{"a peer less", tunnel(2), told(peer("Ag"))},
		{"gone", plan.State{}, "remove wg0"},
		{"back", tunnel(2), made + told(peer("Ag")) + "; up wg0"},
		{"no peers", tunnel(), told("")},
	} {
		before := len(k.Did())
		for range 2 {
			if err := r.Apply(k, step.want); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
		}
		if got := strings.Join(k.Did()[before:], "; "); got != step.did {
			t.Errorf("%s: did\n%s, want\n%s", step.name, got, step.did)
		}
	}
	if err := k.RemoveLink("wg0"); err != nil { // by somebody else
		t.Fatal(err)
	}
	before := len(k.Did())
	if err := r.Apply(k, tunnel()); err != nil || strings.Join(k.Did()[before:], "; ") != made+told("")+"; up wg0" {
		t.Errorf("removed by somebody: %v, %q", err, k.Did()[before:])
	}
}

// TestFaults: what cannot be done is said, and done as soon as it can be.
func TestFaults(t *testing.T) {
	t.Parallel()
	k := &linktest.Network{Faults: map[string]error{"up eth0": errors.New("no")}}
	k.PlugLink(kernel.Link{Name: "eth0"}, kernel.Link{Name: "eth1"})
	want := plan.State{Links: []plan.Link{link("eth0", nil), link("eth1", nil)}, Addresses: []plan.Address{address("eth0", "10.0.0.2/24"), address("eth1", "10.1.0.2/24")}}
	var r Reconciler
	if err := r.Apply(k, want); err == nil || err.Error() != "up eth0: no" {
		t.Errorf("%v", err)
	}
	if have, _ := k.Addresses(); len(have) != 1 {
		t.Errorf("beside the fault: %v", have)
	}
	delete(k.Faults, "up eth0")
	if err := r.Apply(k, want); err != nil {
		t.Error(err)
	}
	if have, _ := k.Addresses(); len(have) != 2 {
		t.Errorf("after the fault: %v", have)
	}
}

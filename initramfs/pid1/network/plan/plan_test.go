package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

func card(name, mac, driver, bus, id string) Hardware {
	return Hardware{Link: kernel.Link{Name: name, MAC: mac, Ethernet: true, MTU: 1500}, Driver: driver, BusPath: bus, PCIID: id}
}

func machine() []Hardware {
	return []Hardware{
		{Link: kernel.Link{Name: "lo"}},
		card("eth0", "52:54:00:00:00:01", "virtio_net", "0000:00:03.0", "1AF4:1000"),
		card("eth1", "52:54:00:00:00:02", "e1000e", "0000:00:04.0", "8086:10D3"),
	}
}

func network(t *testing.T, text string) *v1alpha1.Network {
	t.Helper()
	c, err := config.Load("test", []byte("version: v1alpha1\nmachine:\n  network:\n    "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")))
	if err != nil {
		t.Fatal(err)
	}
	return &c.Main().Machine.Network
}

// show is a plan as text, a line for each thing that is not the loopback's.
func show(s State) string {
	var b strings.Builder
	for _, l := range s.Links {
		if l.Name == "lo" {
			continue
		}
		fmt.Fprintf(&b, "link %s", l.Name)
		if l.Make != nil {
			fmt.Fprintf(&b, " %s", l.Make.Kind)
			if l.Make.Parent != "" {
				fmt.Fprintf(&b, " %d on %s", l.Make.VLAN, l.Make.Parent)
			}
			for _, o := range l.Make.Options {
				fmt.Fprintf(&b, " %s=%s", o.Name, o.Value)
			}
		}
		if l.Master != "" {
			fmt.Fprintf(&b, " in %s", l.Master)
		}
		if w := l.WireGuard; w != nil {
			fmt.Fprintf(&b, " port %d mark %d %v", w.ListenPort, w.FirewallMark, w.PrivateKey)
			for _, p := range w.Peers {
				fmt.Fprintf(&b, " peer %.4s %s %s %v", p.PublicKey, p.Endpoint, p.Keepalive, p.AllowedIPs)
			}
		}
		if l.MTU > 0 {
			fmt.Fprintf(&b, " mtu %d", l.MTU)
		}
		fmt.Fprintf(&b, " (%s)\n", l.Origin)
	}
	for _, a := range s.Addresses {
		if a.Link != "lo" {
			fmt.Fprintf(&b, "address %s %s (%s)\n", a.Link, a.Prefix, a.Origin)
		}
	}
	for _, r := range s.Routes {
		fmt.Fprintf(&b, "route %s", r.Destination)
		if r.Gateway.IsValid() {
			fmt.Fprintf(&b, " via %s", r.Gateway)
		}
		if r.OnLink {
			b.WriteString(" onlink")
		}
		fmt.Fprintf(&b, " on %s metric %d (%s)\n", r.Link, r.Metric, r.Origin)
	}
	for _, c := range s.DHCP {
		fmt.Fprintf(&b, "dhcp %s v6=%t metric %d (%s)\n", c.Link, c.V6, c.Metric, c.Origin)
	}
	for _, n := range []struct {
		name string
		s    Setting
	}{{"hostname", s.Hostname}, {"domain", s.Domain}, {"resolvers", s.Resolvers}, {"search", s.Search}, {"ntp", s.NTP}} {
		if n.s.Values != nil && n.s.Origin != Default {
			fmt.Fprintf(&b, "%s %s (%s)\n", n.name, strings.Join(n.s.Values, " "), n.s.Origin)
		}
	}
	for _, host := range s.Lookups {
		fmt.Fprintf(&b, "lookup %s\n", host)
	}
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "fault %s\n", f)
	}
	return b.String()
}

func TestMake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, args, want string }{
		"nothing is said": {"", "", `
link eth0 (default)
link eth1 (default)
dhcp eth0 v6=false metric 1024 (default)
dhcp eth1 v6=false metric 1024 (default)`},
		"static": {`
hostname: node.example.org
nameservers: [10.0.0.53]
interfaces:
  - interface: eth0
    addresses: [10.0.0.2/24, "2001:db8::2/64", 10.9.9.9]
    mtu: 9000
    routes:
      - network: 0.0.0.0/0
        gateway: 10.0.0.1
      - gateway: 2001:db8::1
        metric: 7
      - network: 10.7.0.0/16`, "", `
link eth0 mtu 9000 (configuration)
link eth1 (default)
address eth0 10.0.0.2/24 (configuration)
address eth0 2001:db8::2/64 (configuration)
address eth0 10.9.9.9/32 (configuration)
route 0.0.0.0/0 via 10.0.0.1 on eth0 metric 1024 (configuration)
route ::/0 via 2001:db8::1 on eth0 metric 7 (configuration)
route 10.7.0.0/16 on eth0 metric 1024 (configuration)
dhcp eth1 v6=false metric 1024 (default)
hostname node (configuration)
domain example.org (configuration)
resolvers 10.0.0.53 (configuration)
search example.org (configuration)`},
		"selector, DHCP options": {`
interfaces:
  - deviceSelector: {driver: "virtio*", hardwareAddr: "52:54:*"}
    dhcp: true
    dhcpOptions: {routeMetric: 99, ipv6: true}
  - deviceSelector: {pciID: "8086:*"}
    ignore: true
  - deviceSelector: {busPath: "0000:07*"}
    dhcp: true`, "", `
link eth0 (configuration)
dhcp eth0 v6=false metric 99 (configuration)
dhcp eth0 v6=true metric 99 (configuration)
fault machine.network.interfaces[2]: no interface is what the deviceSelector asks for`},
		"bond, VLAN, bridge, dummy": {`
interfaces:
  - interface: bond0
    bond: {mode: 802.3ad, lacpRate: fast, miimon: 100, deviceSelectors: [{physical: true}]}
    dhcp: true
    vlans:
      - vlanId: 5
        addresses: [10.5.0.1/24]
        mtu: 1400
  - interface: br0
    bridge: {interfaces: [dummy0], stp: {enabled: true}}
    addresses: [10.6.0.1/24]
  - interface: dummy0
    dummy: true`, "", `
link bond0 bond mode=802.3ad miimon=100 lacp_rate=fast (configuration)
link eth0 in bond0 (configuration)
link eth1 in bond0 (configuration)
link bond0.5 vlan 5 on bond0 mtu 1400 (configuration)
link br0 bridge stp_state=1 (configuration)
link dummy0 dummy in br0 (configuration)
address bond0.5 10.5.0.1/24 (configuration)
address br0 10.6.0.1/24 (configuration)
dhcp bond0 v6=false metric 1024 (configuration)`},
		"arguments": {"", "ip=10.0.0.2::10.1.0.1:24:me:eth1:off:10.0.0.53::10.0.0.5 talos.network.interface.ignore=eth0", `
link eth1 (cmdline)
address eth1 10.0.0.2/24 (cmdline)
route 0.0.0.0/0 via 10.1.0.1 onlink on eth1 metric 1024 (cmdline)
hostname me (cmdline)
resolvers 10.0.0.53 (cmdline)
ntp 10.0.0.5 (cmdline)`},
		"arguments without a link": {"", "ip=10.0.0.2::::", `
link eth0 (cmdline)
link eth1 (default)
address eth0 10.0.0.2/32 (cmdline)
dhcp eth1 v6=false metric 1024 (default)`},
		"bond and VLAN of arguments": {"", "bond=bond1:eth0,eth1:miimon=100,mode=active-backup vlan=bond1.7:bond1 ip=bond1:dhcp ip=10.7.0.2:::24::bond1.7", `
link bond1 bond mode=active-backup miimon=100 (cmdline)
link eth0 in bond1 (cmdline)
link eth1 in bond1 (cmdline)
link bond1.7 vlan 7 on bond1 (cmdline)
address bond1.7 10.7.0.2/24 (cmdline)
dhcp bond1 v6=false metric 1024 (cmdline)`},
		"the configuration is above the arguments": {`
hostname: config
interfaces:
  - interface: eth0
    addresses: [10.0.0.3/24]`, "ip=10.0.0.2:::24:args:eth0 talos.hostname=other", `
link eth0 (configuration)
link eth1 (default)
address eth0 10.0.0.3/24 (configuration)
dhcp eth1 v6=false metric 1024 (default)
hostname config (configuration)`},
		"WireGuard": {`
interfaces:
  - interface: eth0
    ignore: true
  - interface: eth1
    ignore: true
  - interface: wg0
    addresses: [10.6.0.1/24]
    mtu: 1400
    routes: [{network: 10.7.0.0/16}]
    wireguard:
      privateKey: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
      listenPort: 51820
      firewallMark: 7
      peers:
        - {publicKey: AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, endpoint: "10.0.0.2:51821", persistentKeepaliveInterval: 25s, allowedIPs: [10.6.0.2/24, "2001:db8::2/128"]}
        - {publicKey: BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, endpoint: "known.example.org:1"}
        - {publicKey: CgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, endpoint: "unknown.example.org:2"}
        - {publicKey: DwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}
        - {publicKey: EA==}
        - {publicKey: EwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, endpoint: "10.0.0.2:0"}
        - {publicKey: FwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, persistentKeepaliveInterval: 20h}
        - {publicKey: GwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, allowedIPs: [x]}`, "", `
link wg0 wireguard port 51820 mark 7 (a private key) peer AgAA 10.0.0.2:51821 25s [10.6.0.0/24 2001:db8::2/128] peer BwAA 10.9.0.1:1 0s [] peer CgAA invalid AddrPort 0s [] peer DwAA invalid AddrPort 0s [] mtu 1400 (configuration)
address wg0 10.6.0.1/24 (configuration)
route 10.7.0.0/16 on wg0 metric 1024 (configuration)
lookup known.example.org
lookup unknown.example.org
fault the interface wg0: the peer "EA==": the key is not 32 bytes in base64
fault the interface wg0: the peer "EwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=": the endpoint "10.0.0.2:0" is not a host with a port
fault the interface wg0: the peer "FwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=": the persistentKeepaliveInterval 20h0m0s is not one of 0 to 65535 whole seconds
fault the interface wg0: the peer "GwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=": "x" is not an address`},
		"what is not supported": {`
interfaces:
  - interface: wg0
    wireguard: {privateKey: x, peers: []}
  - interface: wg1
    wireguard: {privateKey: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, firewallMark: -1}
  - interface: wg2
    wireguard: {privateKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}
  - interface: eth0
    vip: {ip: 10.0.0.9}
  - interface: eth1
    bridgePort: {master: eth1}`, "", `
link eth0 (configuration)
fault the interface wg0: privateKey is not 32 bytes in base64
fault the interface wg1: the firewallMark -1 is not one of 32 bits
fault the interface wg2: privateKey is not 32 bytes in base64
fault the interface eth0: virtual addresses are not supported
fault the interface eth1 is above or below itself`},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Links: machine(), Hostname: "nameless", Hosts: map[string]netip.Addr{"known.example.org": netip.MustParseAddr("10.9.0.1")}}
			if c.config != "" {
				in.Config = network(t, c.config)
			}
			var err error
			if in.Args, err = cmdline.Parse(c.args).Network(); err != nil {
				t.Fatal(err)
			}
			if got := show(Make(in)); got != strings.TrimPrefix(c.want, "\n")+"\n" {
				t.Errorf("got\n%swant%s", got, c.want)
			}
		})
	}
}

func lease(link, address string) Lease {
	return Lease{
		Link: link, Address: netip.MustParsePrefix(address), MTU: 1400, Hostname: "leased." + link + ".org", Domain: "example.com",
		Search: []string{"a.org"}, Resolvers: []netip.Addr{netip.MustParseAddr("10.0.0.53")}, NTP: []netip.Addr{netip.MustParseAddr("10.0.0.5")},
		Routes: []kernel.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1")}},
	}
}

// TestLeases: what DHCP gives is below the configuration and above the rest, and counts only for links that ask for it.
func TestLeases(t *testing.T) {
	t.Parallel()
	in := Input{Links: machine(), Leases: []Lease{lease("eth0", "10.0.0.2/24"), lease("gone", "10.9.0.2/24")}, Hostname: "nameless", Platform: Platformed{Hostname: "platform"}}
	in.Args.Hostname = "args"
	want := `link eth0 mtu 1400 (default)
link eth1 (default)
address eth0 10.0.0.2/24 (dhcp)
route 0.0.0.0/0 via 10.0.0.1 on eth0 metric 1024 (dhcp)
dhcp eth0 v6=false metric 1024 (default)
dhcp eth1 v6=false metric 1024 (default)
hostname leased (dhcp)
domain eth0.org (dhcp)
resolvers 10.0.0.53 (dhcp)
search a.org (dhcp)
ntp 10.0.0.5 (dhcp)
`
	if got := show(Make(in)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	in.Config = network(t, "hostname: config\nnameservers: [1.2.3.4]\nsearchDomains: [b.org]\ninterfaces: [{interface: eth0, addresses: [10.0.0.9/24], dhcp: true, mtu: 1300, dhcpOptions: {routeMetric: 5}}]")
	want = `link eth0 mtu 1300 (configuration)
link eth1 (default)
address eth0 10.0.0.9/24 (configuration)
address eth0 10.0.0.2/24 (dhcp)
route 0.0.0.0/0 via 10.0.0.1 on eth0 metric 5 (dhcp)
dhcp eth0 v6=false metric 5 (configuration)
dhcp eth1 v6=false metric 1024 (default)
hostname config (configuration)
domain example.com (dhcp)
resolvers 1.2.3.4 (configuration)
search b.org (configuration)
ntp 10.0.0.5 (dhcp)
`
	if got := show(Make(in)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	in.Config, in.Leases = nil, nil
	for _, want := range []string{"platform", "args", "nameless"} {
		if got := Make(in).Hostname.Value(); got != want {
			t.Errorf("host name %s, want %s", got, want)
		}
		if in.Platform.Hostname != "" {
			in.Platform.Hostname = ""
		} else {
			in.Args.Hostname = ""
		}
	}
}

func TestSelects(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, c := range []struct {
		s    v1alpha1.DeviceSelector
		want string
	}{
		{v1alpha1.DeviceSelector{}, ""},
		{v1alpha1.DeviceSelector{Physical: &yes}, "eth0 eth1"},
		{v1alpha1.DeviceSelector{Physical: &no}, ""},
		{v1alpha1.DeviceSelector{PermanentAddr: "52:54:00:00:00:02"}, "eth1"},
		{v1alpha1.DeviceSelector{HardwareAddr: "52:54:00:00:00:0?"}, "eth0 eth1"},
		{v1alpha1.DeviceSelector{PCIID: "1af4:1000", Driver: "e1000e"}, ""},
		{v1alpha1.DeviceSelector{BusPath: "0000:00:0[4-9].*"}, "eth1"},
		{v1alpha1.DeviceSelector{Driver: "["}, ""},
	} {
		var got []string
		for _, h := range machine() {
			if Selects(c.s, h) {
				got = append(got, h.Name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v selects %q, want %s", c.s, got, c.want)
		}
	}
}

// FuzzMake: every link that is planned is planned once, after its master and its parent.
func FuzzMake(f *testing.F) {
	f.Add("bond=b:eth0:mode=x vlan=v1:b ip=1.2.3.4:::8::v1", "interfaces: [{interface: eth0, bridgePort: {master: v1}}]")
	f.Fuzz(func(t *testing.T, args, text string) {
		in := Input{Links: machine()}
		in.Args, _ = cmdline.Parse(args).Network()
		if c, err := config.Load("", []byte("version: v1alpha1\nmachine: {network: {"+text+"}}")); err == nil && c.Main() != nil {
			in.Config = &c.Main().Machine.Network
		}
		var seen []string
		state := Make(in)
		planned := func(name string) bool {
			return slices.ContainsFunc(state.Links, func(l Link) bool { return l.Name == name })
		}
		for _, l := range state.Links {
			if slices.Contains(seen, l.Name) || planned(l.Master) && !slices.Contains(seen, l.Master) {
				t.Errorf("%s is out of order in %+v", l.Name, state.Links)
			}
			if l.Make != nil && planned(l.Make.Parent) && !slices.Contains(seen, l.Make.Parent) {
				t.Errorf("%s is before its parent", l.Name)
			}
			seen = append(seen, l.Name)
		}
	})
}

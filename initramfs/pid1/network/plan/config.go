package plan

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// configured does what the machine configuration says of links.
func (p *planner) configured() {
	if p.in.Config == nil {
		return
	}
	for i := range p.in.Config.Interfaces {
		iface := &p.in.Config.Interfaces[i]
		names := []string{iface.Interface}
		if iface.Interface == "" && iface.DeviceSelector != nil {
			if names = p.selected(*iface.DeviceSelector); len(names) == 0 {
				p.fault(fmt.Sprintf("machine.network.interfaces[%d]: no interface is what the deviceSelector asks for", i))
			}
		}
		for _, name := range names {
			p.iface(name, iface)
		}
	}
}

// iface is one entry of machine.network.interfaces for the link name.
func (p *planner) iface(name string, i *v1alpha1.Interface) {
	if is(i.Ignore) {
		p.alone = append(p.alone, name)
		return
	}
	l := p.link(name, Configuration)
	l.Origin = Configuration
	if i.MTU > 0 {
		l.MTU = i.MTU
	}
	switch {
	case i.Bond != nil:
		l.Make = &kernel.NewLink{Name: name, Kind: "bond", Options: bondOptions(i.Bond)}
		for _, s := range i.Bond.DeviceSelectors {
			p.members(name, p.selected(s))
		}
		p.members(name, i.Bond.Interfaces)
	case i.Bridge != nil:
		l.Make = &kernel.NewLink{Name: name, Kind: "bridge", Options: bridgeOptions(i.Bridge)}
		p.members(name, i.Bridge.Interfaces)
	case is(i.Dummy):
		l.Make = &kernel.NewLink{Name: name, Kind: "dummy"}
	case i.WireGuard != nil:
		w, err := p.wireGuard(name, i.WireGuard)
		if err != nil {
			p.fault("the interface " + name + ": " + err.Error())
			delete(p.links, name)
			p.alone = append(p.alone, name)
			return
		}
		l.Make, l.WireGuard = &kernel.NewLink{Name: name, Kind: "wireguard"}, w
	}
	if i.BridgePort != nil {
		l.Master = i.BridgePort.Master
	}
	p.settings(name, append(i.Addresses, i.CIDR), i.Routes, i.DHCP, i.DHCPOptions, i.VIP)
	for v := range i.VLANs {
		p.vlan(name, &i.VLANs[v])
	}
}

// members puts links into a bond or bridge.
func (p *planner) members(master string, names []string) {
	for _, name := range names {
		p.link(name, Configuration).Master = master
	}
}

func (p *planner) vlan(parent string, v *v1alpha1.VLAN) {
	name := fmt.Sprintf("%s.%d", parent, v.ID)
	if len(name) > 15 {
		p.fault("the interface " + name + ": the name has more than 15 bytes")
		return
	}
	l := p.link(name, Configuration)
	l.Make = &kernel.NewLink{Name: name, Kind: "vlan", Parent: parent, VLAN: v.ID}
	l.MTU = int(v.MTU)
	p.settings(name, append(v.Addresses, v.CIDR), v.Routes, v.DHCP, v.DHCPOptions, v.VIP)
}

// settings are what links of every kind have.
func (p *planner) settings(link string, addresses []string, routes []v1alpha1.Route, dhcp *bool, o *v1alpha1.DHCPOptions, vip *v1alpha1.VIP) {
	for _, text := range addresses {
		if text == "" {
			continue
		}
		a, err := prefix(text)
		if err != nil {
			p.fault("the interface " + link + ": " + err.Error())
			continue
		}
		p.address(link, a, Configuration)
	}
	for _, r := range routes {
		p.configRoute(link, r)
	}
	if is(dhcp) {
		p.dhcp(link, o)
	}
	if vip != nil {
		p.fault("the interface " + link + ": virtual addresses are not supported")
	}
}

func (p *planner) dhcp(link string, o *v1alpha1.DHCPOptions) {
	c := Client{Link: link, Metric: defaultMetric, Origin: Configuration}
	v4, v6 := true, false
	if o != nil {
		if o.RouteMetric > 0 {
			c.Metric = o.RouteMetric
		}
		v4, v6, c.DUID = o.IPv4 == nil || *o.IPv4, is(o.IPv6), o.DUIDv6
	}
	if v4 {
		p.state.DHCP = append(p.state.DHCP, c)
	}
	if c.V6 = true; v6 {
		p.state.DHCP = append(p.state.DHCP, c)
	}
}

func (p *planner) configRoute(link string, r v1alpha1.Route) {
	out := kernel.Route{Link: link, Metric: r.Metric, MTU: r.MTU}
	out.Gateway, _ = netip.ParseAddr(r.Gateway)
	out.Source, _ = netip.ParseAddr(r.Source)
	to, err := netip.ParsePrefix(r.Network)
	switch {
	case err == nil:
		out.Destination = to.Masked()
	case out.Gateway.IsValid():
		out.Destination = everywhere(out.Gateway)
	default:
		p.fault(fmt.Sprintf("the interface %s: a route to %q leads nowhere", link, r.Network))
		return
	}
	p.route(out, Configuration)
}

// everywhere is the network of all addresses of a family.
func everywhere(like netip.Addr) netip.Prefix {
	if like.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// prefix reads an address with or without the length of its network.
func prefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func is(b *bool) bool { return b != nil && *b }

// bondOptions are the settings of a bond in the order in which the kernel takes them: the mode says which others there are.
func bondOptions(b *v1alpha1.Bond) []kernel.LinkOption {
	var out []kernel.LinkOption
	text := func(name, value string) {
		if value != "" {
			out = append(out, kernel.LinkOption{Name: name, Value: value})
		}
	}
	number := func(name string, n uint32) {
		if n != 0 {
			text(name, strconv.FormatUint(uint64(n), 10))
		}
	}
	text("mode", b.Mode)
	number("miimon", b.MIIMon)
	number("updelay", b.UpDelay)
	number("downdelay", b.DownDelay)
	number("arp_interval", b.ARPInterval)
	for _, target := range b.ARPIPTarget {
		text("arp_ip_target", "+"+target)
	}
	text("arp_validate", b.ARPValidate)
	text("arp_all_targets", b.ARPAllTargets)
	text("xmit_hash_policy", b.XmitHashPolicy)
	text("lacp_rate", b.LACPRate)
	text("ad_select", b.ADSelect)
	text("ad_actor_system", b.ADActorSystem)
	number("ad_actor_sys_prio", uint32(b.ADActorSysPrio))
	number("ad_user_port_key", uint32(b.ADUserPortKey))
	text("fail_over_mac", b.FailOverMAC)
	text("primary", b.Primary)
	text("primary_reselect", b.PrimaryReselect)
	number("resend_igmp", b.ResendIGMP)
	number("min_links", b.MinLinks)
	number("lp_interval", b.LPInterval)
	number("packets_per_slave", b.PacketsPerSlave)
	number("num_grat_arp", uint32(b.NumPeerNotif))
	number("peer_notif_delay", b.PeerNotifyDelay)
	number("tlb_dynamic_lb", uint32(b.TLBDynamicLB))
	number("all_slaves_active", uint32(b.AllSlavesActive))
	if b.UseCarrier != nil {
		text("use_carrier", bit(*b.UseCarrier))
	}
	return out
}

// bridgeOptions are those that the configuration speaks of: not every kernel has all.
func bridgeOptions(b *v1alpha1.Bridge) []kernel.LinkOption {
	var out []kernel.LinkOption
	if b.STP.Enabled != nil {
		out = append(out, kernel.LinkOption{Name: "stp_state", Value: bit(*b.STP.Enabled)})
	}
	if b.VLAN.VLANFiltering != nil {
		out = append(out, kernel.LinkOption{Name: "vlan_filtering", Value: bit(*b.VLAN.VLANFiltering)})
	}
	return out
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

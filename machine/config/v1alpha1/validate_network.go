package v1alpha1

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config/check"
)

func (n *Network) validate(at check.Place, controlPlane bool) {
	names := make([]string, len(n.Interfaces))
	for i := range n.Interfaces {
		names[i] = n.Interfaces[i].Interface
		n.Interfaces[i].validate(at.Field("interfaces").Item(i), controlPlane)
	}
	at.Field("interfaces").Once("the interface", names)
	n.members(at.Field("interfaces"))
	n.addresses(at.Field("interfaces"))
}

// addresses finds those that two interfaces have.
func (n *Network) addresses(at check.Place) {
	of := map[string]string{}
	for i, iface := range n.Interfaces {
		name := cmp.Or(iface.Interface, yamldoc.IndexPath("interfaces", i))
		for j, address := range iface.Addresses {
			if other, taken := of[address]; taken && other != name {
				at.Item(i).Field("addresses").Item(j).Warn("", "%s is an address of %s already", address, other)
			}
			of[address] = name
		}
	}
}

// members finds interfaces that are in two bonds or bridges.
func (n *Network) members(at check.Place) {
	of := map[string]string{}
	for i, iface := range n.Interfaces {
		for _, group := range []struct {
			field   string
			members []string
		}{{"bond.interfaces", iface.bondMembers()}, {"bridge.interfaces", iface.bridgeMembers()}} {
			for j, name := range group.members {
				member := at.Item(i).Field(group.field).Item(j)
				if other, taken := of[name]; taken {
					member.Fault("", "%s is in %s already", name, other)
				}
				if name == iface.Interface {
					member.Fault("", "%s cannot be in itself", name)
				}
				of[name] = iface.Interface
			}
		}
	}
	for i, iface := range n.Interfaces {
		if master, is := of[iface.Interface]; is && iface.talks() {
			at.Item(i).Fault("give them to "+master, "is in %s and cannot have addresses, DHCP or routes of its own", master)
		}
	}
}

// talks reports whether the interface itself has an address or gets one.
func (i *Interface) talks() bool {
	return len(i.Addresses) > 0 || i.CIDR != "" || isTrue(i.DHCP) || len(i.Routes) > 0 || i.VIP != nil
}

func (i *Interface) bondMembers() []string {
	if i.Bond == nil {
		return nil
	}
	return i.Bond.Interfaces
}

func (i *Interface) bridgeMembers() []string {
	if i.Bridge == nil {
		return nil
	}
	return i.Bridge.Interfaces
}

func (i *Interface) validate(at check.Place, controlPlane bool) {
	switch {
	case i.Interface == "" && i.DeviceSelector == nil:
		at.Fault("", "either interface or deviceSelector is needed")
	case i.Interface != "" && i.DeviceSelector != nil:
		at.Field("deviceSelector").Fault("", "interface and deviceSelector exclude each other")
	case i.DeviceSelector != nil && *i.DeviceSelector == (DeviceSelector{}):
		at.Field("deviceSelector").Fault("", "selects nothing: it is empty")
	}
	var kinds []string
	for _, kind := range []struct {
		name string
		is   bool
	}{{"bond", i.Bond != nil}, {"bridge", i.Bridge != nil}, {"wireguard", i.WireGuard != nil}, {"dummy", isTrue(i.Dummy)}} {
		if kind.is {
			kinds = append(kinds, kind.name)
		}
	}
	if len(kinds) > 1 {
		at.Field(kinds[1]).Fault("", "an interface cannot be a %s and a %s", kinds[0], kinds[1])
	}
	if isTrue(i.Ignore) && i.talks() {
		at.Field("ignore").Warn("remove one of both", "what is set here has no effect")
	}
	if i.Bond != nil {
		i.Bond.validate(at.Field("bond"))
	}
	i.WireGuard.validate(at.Field("wireguard"))
	link{i.Addresses, i.CIDR, i.Routes, i.DHCP, i.DHCPOptions, i.VIP}.validate(at, controlPlane)
	ids := make([]string, len(i.VLANs))
	for j, v := range i.VLANs {
		if v.ID != 0 {
			ids[j] = fmt.Sprint(v.ID)
		}
		link{v.Addresses, v.CIDR, v.Routes, v.DHCP, v.DHCPOptions, v.VIP}.validate(at.Field("vlans").Item(j), controlPlane)
	}
	at.Field("vlans").Once("the VLAN", ids)
}

// link is what interfaces and VLANs have in common.
type link struct {
	addresses   []string
	cidr        string
	routes      []Route
	dhcp        *bool
	dhcpOptions *DHCPOptions
	vip         *VIP
}

func (l link) validate(at check.Place, controlPlane bool) {
	at.Field("addresses").OnceIsEnough("the address", l.addresses)
	validateRoutes(at.Field("routes"), l.routes)
	l.vip.validate(at.Field("vip"), controlPlane)
	if l.dhcpOptions != nil && !isTrue(l.dhcp) {
		at.Field("dhcpOptions").Warn("set dhcp: true", "has no effect without DHCP")
	}
	if l.vip != nil && len(l.addresses) == 0 && l.cidr == "" && !isTrue(l.dhcp) {
		at.Field("vip").Warn("give the interface addresses, or dhcp: true", "the interface has no address of its own")
	}
}

// validate finds peers that are there twice, and subnets that only the last of several peers would get.
func (w *WireGuard) validate(at check.Place) {
	if w == nil {
		return
	}
	keys, of := make([]string, len(w.Peers)), map[string]bool{}
	for i, peer := range w.Peers {
		keys[i] = peer.PublicKey
		for j, subnet := range peer.AllowedIPs {
			if of[subnet] {
				at.Field("peers").Item(i).Field("allowedIPs").Item(j).Warn("", "%s is behind another peer already, which loses it", subnet)
			}
			of[subnet] = true
		}
	}
	at.Field("peers").Once("the peer", keys)
}

func (b *Bond) validate(at check.Place) {
	switch {
	case len(b.Interfaces) == 0 && len(b.DeviceSelectors) == 0:
		at.Fault("", "either interfaces or deviceSelectors are needed")
	case len(b.Interfaces) > 0 && len(b.DeviceSelectors) > 0:
		at.Field("deviceSelectors").Fault("", "interfaces and deviceSelectors exclude each other")
	}
	if b.MIIMon > 0 && b.ARPInterval > 0 {
		at.Field("arpInterval").Fault("", "miimon and arpInterval exclude each other")
	}
	if b.MIIMon == 0 && (b.UpDelay > 0 || b.DownDelay > 0) {
		at.Fault("", "updelay and downdelay need miimon")
	}
	if b.LACPRate != "" && b.Mode != "802.3ad" {
		at.Field("lacpRate").Fault("", "is for the mode 802.3ad only")
	}
	if b.Primary != "" && !slices.Contains([]string{"active-backup", "balance-tlb", "balance-alb"}, b.Mode) {
		at.Field("primary").Fault("", "is for the modes active-backup, balance-tlb and balance-alb only")
	}
}

// validateRoutes finds routes that lead nowhere, are there twice, or mix families. Notations have been checked.
func validateRoutes(at check.Place, routes []Route) {
	keys := make([]string, len(routes))
	for i, r := range routes {
		if r.Network != "" || r.Gateway != "" {
			keys[i] = strings.TrimSpace(fmt.Sprintf("%s %s", cmp.Or(r.Network, "default"), r.Gateway))
			if r.Metric != 0 {
				keys[i] += fmt.Sprint(" metric ", r.Metric)
			}
		}
		network, err1 := netip.ParsePrefix(r.Network)
		gateway, err2 := netip.ParseAddr(r.Gateway)
		if r.Network == "" && r.Gateway == "" {
			at.Item(i).Fault("", "either network or gateway is needed")
		}
		if err1 == nil && err2 == nil && network.Addr().Is4() != gateway.Is4() {
			at.Item(i).Field("gateway").Fault("", "%s and %s are of different families", r.Gateway, r.Network)
		}
	}
	at.OnceIsEnough("the route", keys)
}

func (v *VIP) validate(at check.Place, controlPlane bool) {
	if v == nil {
		return
	}
	if !controlPlane {
		at.Fault("", "only machines of the control plane share an address")
	}
	if v.EquinixMetal != nil && v.HCloud != nil {
		at.Field("hcloud").Fault("", "equinixMetal and hcloud exclude each other")
	}
}

package v1alpha1

import (
	"fmt"
	"net/netip"
	"slices"

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
	if i.DHCPOptions != nil && !isTrue(i.DHCP) {
		at.Field("dhcpOptions").Warn("set dhcp: true", "has no effect without DHCP")
	}
	if i.Bond != nil {
		i.Bond.validate(at.Field("bond"))
	}
	validateRoutes(at.Field("routes"), i.Routes)
	i.VIP.validate(at.Field("vip"), controlPlane)
	ids := make([]string, len(i.VLANs))
	for j, vlan := range i.VLANs {
		item := at.Field("vlans").Item(j)
		if vlan.ID != 0 {
			ids[j] = fmt.Sprint(vlan.ID)
		}
		validateRoutes(item.Field("routes"), vlan.Routes)
		vlan.VIP.validate(item.Field("vip"), controlPlane)
	}
	at.Field("vlans").Once("the VLAN", ids)
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

// validateRoutes finds routes that lead nowhere and mixed families. Notations have been checked.
func validateRoutes(at check.Place, routes []Route) {
	for i, r := range routes {
		network, err1 := netip.ParsePrefix(r.Network)
		gateway, err2 := netip.ParseAddr(r.Gateway)
		if r.Network == "" && r.Gateway == "" {
			at.Item(i).Fault("", "either network or gateway is needed")
		}
		if err1 == nil && err2 == nil && network.Addr().Is4() != gateway.Is4() {
			at.Item(i).Field("gateway").Fault("", "%s and %s are of different families", r.Gateway, r.Network)
		}
	}
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

package linux

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// AwaitEntropy follows Entropy.
func (Machine) AwaitEntropy() error {
	var p [1]byte
	for {
		if _, err := unix.Getrandom(p[:], 0); !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("getrandom", err)
		}
	}
}

// again repeats a dump that changes interrupted (NLM_F_DUMP_INTR), a few times.
func again[T any](dump func() (T, error)) (v T, err error) {
	for range 5 {
		if v, err = dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return v, err
}

// Links follows Network.
func (Machine) Links() ([]kernel.Link, error) {
	found, err := again(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list network links: %w", err)
	}
	names := map[int]string{}
	for _, l := range found {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	var links []kernel.Link
	for _, l := range found {
		a := l.Attrs()
		kind := l.Type()
		if kind == "device" {
			kind = ""
		}
		links = append(links, kernel.Link{
			Index: a.Index, Name: a.Name, Kind: kind, Ethernet: a.EncapType == "ether",
			MAC: a.HardwareAddr.String(), PermanentMAC: a.PermHWAddr.String(), MTU: a.MTU,
			Up: a.Flags&net.FlagUp != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0, Master: names[a.MasterIndex],
		})
	}
	return links, nil
}

// linkNames are the names of links by index.
func linkNames() (map[int]string, error) {
	links, err := Machine{}.Links()
	names := map[int]string{}
	for _, l := range links {
		names[l.Index] = l.Name
	}
	return names, err
}

// Addresses follows Network.
func (Machine) Addresses() ([]kernel.Address, error) {
	names, err := linkNames()
	if err != nil {
		return nil, err
	}
	found, err := again(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list network addresses: %w", err)
	}
	var out []kernel.Address
	for _, a := range found {
		if p, ok := prefixOf(a.IPNet); ok {
			out = append(out, kernel.Address{Link: names[a.LinkIndex], Prefix: p})
		}
	}
	return out, nil
}

// Routes follows Network.
func (Machine) Routes() ([]kernel.Route, error) {
	names, err := linkNames()
	if err != nil {
		return nil, err
	}
	found, err := again(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var out []kernel.Route
	for _, r := range found {
		to, ok := prefixOf(r.Dst)
		if !ok {
			to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
			if r.Family == netlink.FAMILY_V4 {
				to = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
			}
		}
		out = append(out, kernel.Route{
			Link: names[r.LinkIndex], Destination: to, Gateway: addrOf(r.Gw), Source: addrOf(r.Src), Metric: uint32(r.Priority),
			MTU: uint32(r.MTU), OnLink: r.Flags&int(netlink.FLAG_ONLINK) != 0,
		})
	}
	return out, nil
}

// prefixOf and addrOf are values of package net in the types of netip.
func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	bits, _ := n.Mask.Size()
	a := addrOf(n.IP)
	return netip.PrefixFrom(a, bits), a.IsValid()
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func ipOf(a netip.Addr) net.IP {
	if !a.IsValid() {
		return nil
	}
	return a.AsSlice()
}

// AddLink follows Network. The bonding module makes a bond0 that nobody asked for when the first bond loads it.
func (Machine) AddLink(l kernel.NewLink) error {
	_, err := netlink.LinkByName("bond0")
	hadBond := err == nil
	link, err := newLink(l)
	if err != nil {
		return err
	}
	err = netlink.LinkAdd(link)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("make the %s %s: the kernel has no module for it", l.Kind, l.Name)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make the %s %s: %w", l.Kind, l.Name, err)
	}
	if l.Kind == "bond" && l.Name != "bond0" && !hadBond {
		Machine{}.RemoveLink("bond0")
	}
	got, err := netlink.LinkByName(l.Name)
	if err != nil || got.Type() != l.Kind {
		return fmt.Errorf("make the %s %s: there is another link of that name", l.Kind, l.Name)
	}
	dir := "/sys/class/net/" + l.Name + "/" + strings.Replace(l.Kind, "bond", "bonding", 1)
	for _, o := range l.Options {
		if err := os.WriteFile(dir+"/"+o.Name, []byte(o.Value), 0); err != nil {
			return fmt.Errorf("set %s of %s to %s: %w", o.Name, l.Name, o.Value, errors.Unwrap(err))
		}
	}
	return nil
}

func newLink(l kernel.NewLink) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.Name
	switch l.Kind {
	case "vlan":
		parent, err := netlink.LinkByName(l.Parent)
		if err != nil {
			return nil, fmt.Errorf("make the vlan %s on %s: %w", l.Name, l.Parent, err)
		}
		attrs.ParentIndex = parent.Attrs().Index
		return &netlink.Vlan{LinkAttrs: attrs, VlanId: int(l.VLAN), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}, nil
	case "bond":
		return netlink.NewLinkBond(attrs), nil
	case "bridge":
		return &netlink.Bridge{LinkAttrs: attrs}, nil
	case "dummy":
		return &netlink.Dummy{LinkAttrs: attrs}, nil
	case "wireguard":
		return &netlink.Wireguard{LinkAttrs: attrs}, nil
	}
	return nil, fmt.Errorf("make %s: links of kind %q are not made here", l.Name, l.Kind)
}

// withLink calls f for a link.
func withLink(name, what string, f func(netlink.Link) error) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = f(l)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	return nil
}

// RemoveLink follows Network.
func (Machine) RemoveLink(name string) error { return withLink(name, "remove", netlink.LinkDel) }

// SetUp follows Network.
func (Machine) SetUp(name string, up bool) error {
	if up {
		return withLink(name, "take up", netlink.LinkSetUp)
	}
	return withLink(name, "take down", netlink.LinkSetDown)
}

// SetMTU follows Network.
func (Machine) SetMTU(name string, mtu int) error {
	return withLink(name, fmt.Sprintf("set the MTU to %d of", mtu), func(l netlink.Link) error { return netlink.LinkSetMTU(l, mtu) })
}

// SetMaster follows Network.
func (Machine) SetMaster(name, master string) error {
	return withLink(name, "set the master to "+master+" of", func(l netlink.Link) error {
		if master == "" {
			return netlink.LinkSetNoMaster(l)
		}
		m, err := netlink.LinkByName(master)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(l, m)
	})
}

// AddAddress follows Network.
func (Machine) AddAddress(a kernel.Address) error {
	return withLink(a.Link, "add "+a.Prefix.String()+" to", func(l netlink.Link) error {
		err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(a.Prefix)})
		if errors.Is(err, unix.EEXIST) {
			return nil
		}
		return err
	})
}

// RemoveAddress follows Network.
func (Machine) RemoveAddress(a kernel.Address) error {
	return withLink(a.Link, "remove "+a.Prefix.String()+" from", func(l netlink.Link) error {
		return netlink.AddrDel(l, &netlink.Addr{IPNet: ipNet(a.Prefix)})
	})
}

func netlinkRoute(r kernel.Route, l netlink.Link) *netlink.Route {
	n := &netlink.Route{
		LinkIndex: l.Attrs().Index, Dst: ipNet(r.Destination.Masked()), Gw: ipOf(r.Gateway), Src: ipOf(r.Source),
		Priority: int(r.Metric), MTU: int(r.MTU), Protocol: unix.RTPROT_STATIC, Table: unix.RT_TABLE_MAIN,
	}
	if r.OnLink {
		n.Flags = int(netlink.FLAG_ONLINK)
	}
	if !r.Gateway.IsValid() && r.Destination.Addr().Is4() {
		n.Scope = netlink.SCOPE_LINK
	}
	return n
}

// AddRoute follows Network.
func (Machine) AddRoute(r kernel.Route) error {
	return withLink(r.Link, "add the route to "+r.Destination.String()+" through", func(l netlink.Link) error {
		err := netlink.RouteAdd(netlinkRoute(r, l))
		if errors.Is(err, unix.EEXIST) {
			return nil
		}
		return err
	})
}

// RemoveRoute follows Network.
func (Machine) RemoveRoute(r kernel.Route) error {
	return withLink(r.Link, "remove the route to "+r.Destination.String()+" through", func(l netlink.Link) error {
		return netlink.RouteDel(netlinkRoute(r, l))
	})
}

// NetworkChanges follows Network.
func (Machine) NetworkChanges(ctx context.Context) (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	links, addresses := make(chan netlink.LinkUpdate, 64), make(chan netlink.AddrUpdate, 64)
	lost := func(error) { tell() } // ENOBUFS too: what was missed is read anew
	if err := netlink.LinkSubscribeWithOptions(links, ctx.Done(), netlink.LinkSubscribeOptions{ErrorCallback: lost}); err != nil {
		return nil, fmt.Errorf("watch network links: %w", err)
	}
	if err := netlink.AddrSubscribeWithOptions(addresses, ctx.Done(), netlink.AddrSubscribeOptions{ErrorCallback: lost}); err != nil {
		return nil, fmt.Errorf("watch network addresses: %w", err)
	}
	go func() {
		for range links {
			tell()
		}
	}()
	go func() {
		for range addresses {
			tell()
		}
	}()
	return changed, nil
}

// ListenDHCP follows Network.
func (Machine) ListenDHCP(link string) (net.PacketConn, error) {
	return nclient4.NewRawUDPConn(link, nclient4.ClientPort)
}

// ListenDHCP6 follows Network.
func (Machine) ListenDHCP6(link string) (net.PacketConn, error) {
	return nclient6.NewIPv6UDPConn(link, dhcpv6.DefaultClientPort)
}

// LookUp follows Network.
func (Machine) LookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

// Dial follows Network.
func (Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

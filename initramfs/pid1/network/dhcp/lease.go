// Package dhcp is the DHCP client of a link: DHCPv4 (RFC 2131, with the classless routes of RFC 3442) and of DHCPv6 (RFC
// 8415) addresses that are not temporary (IA_NA). What servers say is checked before anybody uses it.
//
// Requests to extend a lease are broadcast, as in the state REBINDING, from the beginning; before T2 only the server that
// gave the lease may answer. Left out: DECLINE, INFORM, RELEASE, authentication, prefix delegation.
package dhcp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
)

// Grant is a lease and for how long it is.
type Grant struct {
	plan.Lease
	Server        netip.Addr
	Renew, Rebind time.Duration // T1 and T2, from when it was given
	Lifetime      time.Duration
}

// The bounds of a lifetime. Servers that give no time are of BOOTP, where leases do not end; a shorter one would be a
// storm of packets.
const (
	shortest = 10 * time.Second
	longest  = 365 * 24 * time.Hour
)

// The most that is taken of a list in an answer.
const most = 32

// Of4 is the grant in a server's DHCPACK. An error says why nobody can use it; single options that make no sense are left
// out.
func Of4(link string, ack *dhcpv4.DHCPv4) (Grant, error) {
	g := Grant{Lease: plan.Lease{Link: link}, Server: first(ack.ServerIdentifier())}
	address, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || !usable(address) {
		return g, fmt.Errorf("the server offers the address %s", ack.YourIPAddr)
	}
	bits, err := maskOf(ack, address)
	if err != nil {
		return g, err
	}
	g.Address = netip.PrefixFrom(address, bits)
	g.times4(ack)
	g.Routes = routes4(ack, address)
	g.MTU = mtu4(ack)
	g.Hostname, g.Domain = name(ack.HostName()), name(ack.DomainName())
	if labels := ack.DomainSearch(); labels != nil {
		g.Search = domains(labels.Labels)
	}
	g.Resolvers, g.NTP = hosts(ack.DNS()), hosts(ack.NTPServers())
	return g, nil
}

// maskOf is the length of the network of the address: of option 1, else of the class that the address is in.
func maskOf(ack *dhcpv4.DHCPv4, a netip.Addr) (int, error) {
	mask := ack.Options.Get(dhcpv4.OptionSubnetMask)
	if mask == nil {
		ones, _ := net.IP(a.AsSlice()).DefaultMask().Size()
		return ones, nil
	}
	ones, bits := net.IPMask(mask).Size()
	if bits != 32 || ones == 0 {
		return 0, fmt.Errorf("the server offers the network mask %s", net.IP(mask))
	}
	return ones, nil
}

func (g *Grant) times4(ack *dhcpv4.DHCPv4) {
	g.Lifetime = seconds(ack, dhcpv4.OptionIPAddressLeaseTime, longest)
	g.Rebind = seconds(ack, dhcpv4.OptionRebindingTimeValue, g.Lifetime/8*7)
	g.Renew = seconds(ack, dhcpv4.OptionRenewTimeValue, g.Lifetime/2)
	g.order()
}

// order makes T1 < T2 < the end: what a server says may be otherwise.
func (g *Grant) order() {
	g.Lifetime = min(max(g.Lifetime, shortest), longest)
	if g.Rebind >= g.Lifetime || g.Rebind < shortest/2 {
		g.Rebind = g.Lifetime / 8 * 7
	}
	if g.Renew >= g.Rebind || g.Renew < shortest/4 {
		g.Renew = min(g.Lifetime/2, g.Rebind/2)
	}
}

func seconds(ack *dhcpv4.DHCPv4, option dhcpv4.OptionCode, otherwise time.Duration) time.Duration {
	p := ack.Options.Get(option)
	if len(p) != 4 {
		return otherwise
	}
	return time.Duration(binary.BigEndian.Uint32(p)) * time.Second
}

// routes4 are the classless ones, which include the default route, or else that of the first router.
func routes4(ack *dhcpv4.DHCPv4, own netip.Addr) []kernel.Route {
	var out []kernel.Route
	add := func(to netip.Prefix, gateway netip.Addr) {
		if len(out) < most && (gateway == netip.Addr{} || usable(gateway) && gateway != own) {
			out = append(out, kernel.Route{Destination: to.Masked(), Gateway: gateway})
		}
	}
	if classless := ack.ClasslessStaticRoute(); len(classless) > 0 {
		for _, r := range classless {
			if r == nil || r.Dest == nil {
				continue
			}
			bits, _ := r.Dest.Mask.Size()
			to, _ := netip.AddrFromSlice(r.Dest.IP.To4())
			gateway, _ := netip.AddrFromSlice(r.Router.To4())
			if gateway.IsUnspecified() {
				gateway = netip.Addr{} // the destination is on the link
			}
			if to.IsValid() && (gateway.IsValid() || bits > 0) {
				add(netip.PrefixFrom(to, bits), gateway)
			}
		}
		return out
	}
	for _, router := range ack.Router() {
		if gateway, ok := netip.AddrFromSlice(router.To4()); ok && len(out) == 0 {
			add(netip.PrefixFrom(netip.IPv4Unspecified(), 0), gateway)
		}
	}
	return out
}

// mtu4 is option 26; 576 is what every link of IPv4 can do (RFC 791), and what is less is a mistake.
func mtu4(ack *dhcpv4.DHCPv4) int {
	if p := ack.Options.Get(dhcpv4.OptionInterfaceMTU); len(p) == 2 {
		if mtu := int(binary.BigEndian.Uint16(p)); mtu >= 576 {
			return mtu
		}
	}
	return 0
}

// usable tells whether an address can be that of one machine.
func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) &&
		!(a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240))
}

func hosts(ips []net.IP) []netip.Addr {
	var out []netip.Addr
	for _, ip := range ips[:min(most, len(ips))] {
		if a := first(ip); usable(a) {
			out = append(out, a)
		}
	}
	return out
}

func first(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// domains are the names among labels.
func domains(labels []string) []string {
	var out []string
	for _, d := range labels[:min(most, len(labels))] {
		if d = name(d); d != "" {
			out = append(out, d)
		}
	}
	return out
}

// name is a host or domain name, or "" where it is none: it ends up in files and in the kernel.
func name(s string) string {
	s = strings.TrimRight(s, "\x00.")
	for label := range strings.SplitSeq(s, ".") {
		odd := func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}
		if label == "" || len(label) > 63 || label[0] == '-' || strings.ContainsFunc(label, odd) {
			return ""
		}
	}
	if len(s) > 253 {
		return ""
	}
	return s
}

// request are the options that a DHCPv4 client asks for.
func request(hostname string) []dhcpv4.Modifier {
	m := []dhcpv4.Modifier{dhcpv4.WithRequestedOptions(
		dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
		dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionHostName, dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionNTPServers,
	)}
	if hostname != "" {
		m = append(m, dhcpv4.WithOption(dhcpv4.OptHostName(hostname)))
	}
	return m
}

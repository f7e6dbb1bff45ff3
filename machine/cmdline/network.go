package cmdline

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// IP is one argument ip= (Documentation/admin-guide/nfs/nfsroot.rst, dracut.cmdline(7)):
//
//	ip=CLIENT:[SERVER]:[GATEWAY]:NETMASK:[HOSTNAME]:[LINK]:[none|off|static][:[DNS]:[DNS]:[NTP]]
//	ip=::::[HOSTNAME]:LINK:dhcp
//	ip=LINK:dhcp
//	ip=dhcp
//
// IPv6 addresses are in brackets; NETMASK is a mask or a number of bits.
type IP struct {
	Link     string       // "" is the first there is
	Address  netip.Prefix // zero with DHCP
	Gateway  netip.Addr
	Hostname string
	DHCP     bool // DHCPv4
	DHCP6    bool
	DNS, NTP []netip.Addr
}

// Bond is one argument bond= (dracut.cmdline(7)): bond=NAME[:LINK,LINK[:OPTION=VALUE,…[:MTU]]]. The options are those of
// the kernel's module bonding.
type Bond struct {
	Name    string
	Links   []string
	Options []Arg
	MTU     int // 0 is the kernel's choice
}

// VLAN is one argument vlan=NAME:LINK. The name holds the number, as in vlan5, eth0.5 and vlan0005.
type VLAN struct {
	Name, Link string
	ID         uint16
}

// Network is what the command line says of the network.
type Network struct {
	IPs      []IP
	Bonds    []Bond
	VLANs    []VLAN
	Hostname string   // talos.hostname
	Ignore   []string // links to leave alone
}

// Network reads the arguments about the network. Those that are wrong are left out and are in the error.
func (a Args) Network() (Network, error) {
	var n Network
	var faults []error
	add := func(name, value string, err error) {
		if err != nil {
			faults = append(faults, report.Errorf(report.Invalid, "kernel argument %s=%.100s: %w", name, value, err))
		}
	}
	for _, arg := range a {
		switch arg.Key {
		case "ip":
			ip, err := ParseIP(arg.Value)
			if add("ip", arg.Value, err); err == nil && ip != nil {
				n.IPs = append(n.IPs, *ip)
			}
		case "bond":
			bond, err := ParseBond(arg.Value)
			if add("bond", arg.Value, err); err == nil {
				n.Bonds = append(n.Bonds, bond)
			}
		case "vlan":
			vlan, err := ParseVLAN(arg.Value)
			if add("vlan", arg.Value, err); err == nil {
				n.VLANs = append(n.VLANs, vlan)
			}
		}
	}
	n.Hostname, _ = a.Get(Hostname)
	n.Ignore = a.All(NetworkInterfaceIgnore)
	return n, errors.Join(faults...)
}

// ParseIP reads the value of ip=; nil stands for none and off, which ask for nothing.
func ParseIP(value string) (*IP, error) {
	fields, err := splitIP(value)
	if err != nil {
		return nil, err
	}
	switch {
	case len(fields) == 1 && (value == "none" || value == "off"):
		return nil, nil
	case len(fields) == 1:
		ip := &IP{}
		return ip, ip.setMethod(value)
	case len(fields) == 2 && checkLink(fields[0]) == nil && fields[0] != "":
		ip := &IP{Link: fields[0]}
		return ip, ip.setMethod(fields[1])
	}
	return fullIP(append(fields, make([]string, max(0, 10-len(fields)))...))
}

// splitIP splits at colons outside of brackets, which are dropped.
func splitIP(value string) ([]string, error) {
	var fields []string
	for rest := value; ; {
		field, after, more := rest, "", false
		if strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 || end+1 < len(rest) && rest[end+1] != ':' {
				return nil, report.Errorf(report.Invalid, "a bracket is not closed")
			}
			field, after = rest[1:end], strings.TrimPrefix(rest[end+1:], ":")
			more = end+1 < len(rest)
		} else {
			field, after, more = strings.Cut(rest, ":")
		}
		if fields = append(fields, field); !more {
			return fields, nil
		}
		rest = after
	}
}

// fullIP is the form with at least ten fields.
func fullIP(f []string) (*IP, error) {
	ip := &IP{Hostname: f[4], Link: f[5]}
	if err := checkLink(ip.Link); err != nil {
		return nil, err
	}
	if f[0] == "" {
		return ip, ip.setMethod(f[6])
	}
	if !slices.Contains([]string{"", "none", "off", "static"}, f[6]) {
		return nil, report.Errorf(report.Invalid, "an address and %q exclude each other", f[6])
	}
	address, err := netip.ParseAddr(f[0])
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%q is not an address", f[0])
	}
	bits, err := maskBits(f[3], address)
	if err != nil {
		return nil, err
	}
	ip.Address = netip.PrefixFrom(address, bits)
	for _, field := range []struct {
		text string
		to   func(netip.Addr)
	}{
		{f[2], func(a netip.Addr) { ip.Gateway = a }}, {f[7], func(a netip.Addr) { ip.DNS = append(ip.DNS, a) }},
		{f[8], func(a netip.Addr) { ip.DNS = append(ip.DNS, a) }}, {f[9], func(a netip.Addr) { ip.NTP = append(ip.NTP, a) }},
	} {
		if field.text == "" {
			continue
		}
		a, err := netip.ParseAddr(field.text)
		if err != nil {
			return nil, report.Errorf(report.Invalid, "%q is not an address", field.text)
		}
		field.to(a)
	}
	return ip, nil
}

func (ip *IP) setMethod(method string) error {
	switch method {
	case "dhcp", "on", "any", "dhcp4":
		ip.DHCP = true
	case "dhcp6":
		ip.DHCP6 = true
	case "auto6", "link6": // the kernel does it on every link
	default:
		return report.Errorf(report.Invalid, "%q is neither dhcp nor dhcp6, none or an address", method)
	}
	return nil
}

// maskBits reads a mask such as 255.255.255.0, or a number of bits; "" is all of them.
func maskBits(mask string, a netip.Addr) (int, error) {
	if mask == "" {
		return a.BitLen(), nil
	}
	if n, err := strconv.Atoi(mask); err == nil {
		if n < 0 || n > a.BitLen() {
			return 0, report.Errorf(report.Invalid, "a network of %s cannot have %d bits", a, n)
		}
		return n, nil
	}
	m, err := netip.ParseAddr(mask)
	if err == nil && m.BitLen() == a.BitLen() {
		p := m.AsSlice()
		for bits := 0; bits <= a.BitLen(); bits++ {
			if slices.Equal(p, netip.PrefixFrom(allOnes(m), bits).Masked().Addr().AsSlice()) {
				return bits, nil
			}
		}
	}
	return 0, report.Errorf(report.Invalid, "%q is not a network mask", mask)
}

func allOnes(like netip.Addr) netip.Addr {
	p := like.AsSlice()
	for i := range p {
		p[i] = 0xff
	}
	a, _ := netip.AddrFromSlice(p)
	return a
}

// ParseBond reads the value of bond=.
func ParseBond(value string) (Bond, error) {
	f := strings.SplitN(value+":::", ":", 5)
	b := Bond{Name: f[0], Links: strings.FieldsFunc(f[1], func(r rune) bool { return r == ',' })}
	if b.Name == "" || len(b.Links) == 0 || strings.Trim(f[4], ":") != "" {
		return Bond{}, report.Errorf(report.Invalid, "it is NAME:LINK,LINK:OPTION=VALUE,…:MTU")
	}
	for _, name := range append([]string{b.Name}, b.Links...) {
		if err := checkLink(name); err != nil {
			return Bond{}, err
		}
	}
	for option := range strings.SplitSeq(f[2], ",") {
		key, v, ok := strings.Cut(option, "=")
		if option == "" {
			continue
		}
		if !ok || key == "" || strings.ContainsAny(key, "/.") {
			return Bond{}, report.Errorf(report.Invalid, "the option %q is not NAME=VALUE", option)
		}
		b.Options = append(b.Options, Arg{key, v, true})
	}
	if f[3] != "" {
		mtu, err := strconv.Atoi(f[3])
		if err != nil || mtu < 68 || mtu > 65535 {
			return Bond{}, report.Errorf(report.Invalid, "%q is not an MTU", f[3])
		}
		b.MTU = mtu
	}
	return b, nil
}

// ParseVLAN reads the value of vlan=.
func ParseVLAN(value string) (VLAN, error) {
	name, link, _ := strings.Cut(value, ":")
	number := name[strings.LastIndexFunc(name, func(r rune) bool { return r < '0' || r > '9' })+1:]
	id, err := strconv.ParseUint(number, 10, 16)
	if err != nil || id < 1 || id > 4094 || link == "" {
		return VLAN{}, report.Errorf(report.Invalid, "it is NAME:LINK, and NAME ends in a number from 1 to 4094")
	}
	return VLAN{name, link, uint16(id)}, errors.Join(checkLink(name), checkLink(link))
}

// checkLink refuses what cannot be the name of a link (dev_valid_name of net/core/dev.c).
func checkLink(name string) error {
	if len(name) > 15 || name == "." || name == ".." || strings.ContainsAny(name, "/: \t\n\v\f\r") || strings.IndexByte(name, 0xa0) >= 0 {
		return report.Errorf(report.Invalid, "%q is not the name of a network interface", name)
	}
	return nil
}

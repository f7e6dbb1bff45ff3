package kernel

import (
	"context"
	"net"
	"net/netip"
)

// Network is the machine's network: what rtnetlink(7) shows and changes, and sockets.
type Network interface {
	// Links are all network interfaces, the loopback included.
	Links() ([]Link, error)
	// Addresses are those of all links.
	Addresses() ([]Address, error)
	// Routes are the unicast routes of the main table that lead somewhere else than to an address of the machine's own.
	Routes() ([]Route, error)
	// AddLink makes a link that is not hardware; it is down. One of that name and kind that is there already is taken over.
	AddLink(l NewLink) error
	// RemoveLink removes such a link.
	RemoveLink(name string) error
	// SetUp takes a link up or down.
	SetUp(name string, up bool) error
	// SetMTU sets the largest packet, in bytes.
	SetMTU(name string, mtu int) error
	// SetMaster makes a link a member of a bond or bridge; "" takes it out. Members of a bond must be down.
	SetMaster(name, master string) error
	// SetWireGuard tells a link of kind wireguard all of it: peers that are not named are gone, and with them their sessions.
	SetWireGuard(name string, w WireGuard) error
	// WireGuard is how such a link is.
	WireGuard(name string) (WireGuardState, error)
	// AddAddress and AddRoute leave alone what is there already.
	AddAddress(a Address) error
	RemoveAddress(a Address) error
	AddRoute(r Route) error
	RemoveRoute(r Route) error
	// NetworkChanges gets a value, never more than one at a time, when links or addresses have changed, until ctx ends.
	NetworkChanges(ctx context.Context) (<-chan struct{}, error)
	// ListenDHCP is a socket for DHCPv4 (UDP port 68) on a link that needs no address.
	ListenDHCP(link string) (net.PacketConn, error)
	// ListenDHCP6 is a socket for DHCPv6 (UDP port 546) on a link's link-local address.
	ListenDHCP6(link string) (net.PacketConn, error)
	// LookUp is the addresses of a host, the best first; there is at least one.
	LookUp(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects as net.Dialer does; names are looked up.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Entropy is the kernel's random numbers.
type Entropy interface {
	// AwaitEntropy returns when the kernel has enough of it. Somebody must wait once: only that makes a kernel without
	// sources gather some, and clients that merely ask whether there is any would ask for ever.
	AwaitEntropy() error
}

// Link is a network interface.
type Link struct {
	Index        int
	Name         string
	Kind         string // vlan, bond, bridge, dummy, wireguard, veth …; "" is hardware
	Ethernet     bool
	MAC          string // lower case, with colons
	PermanentMAC string // that of the hardware, where it is known
	MTU          int
	Up, Carrier  bool
	Master       string // the bond or bridge that it is a member of
}

// NewLink is a link to be made.
type NewLink struct {
	Name   string
	Kind   string // vlan, bond, bridge, dummy or wireguard
	Parent string // of a VLAN
	VLAN   uint16
	// Options of a bond or bridge are the names and values of files under /sys/class/net/NAME/bonding or …/bridge, in the
	// order in which they are set (Documentation/networking/bonding.rst).
	Options []LinkOption
}

// LinkOption is a setting of a bond or bridge.
type LinkOption struct{ Name, Value string }

// Address is an address of a link.
type Address struct {
	Link   string
	Prefix netip.Prefix // the address itself, with the length of its network
}

// Route is where packets to Destination go.
type Route struct {
	Link        string
	Destination netip.Prefix
	Gateway     netip.Addr // zero: Destination is on the link
	Source      netip.Addr // preferred source address
	Metric      uint32
	MTU         uint32 // 0 is that of the link
	OnLink      bool   // Gateway is on the link although no address of the link says so
}

// Package linktest has links, addresses and routes in memory: a kernel.Network.
package linktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/nettest"
)

// Network is a kernel.Network in memory. The exported fields are set before it is used.
type Network struct {
	// DHCP answers a DHCPv4 packet that was sent on a link; nil says nothing.
	DHCP func(link string, packet []byte) []byte
	// Servers serve connections, by address "host:port"; others are refused.
	Servers map[string]func(net.Conn)
	// Faults are the errors of operations, by their text in Did.
	Faults map[string]error
	nettest.Hosts

	mu        sync.Mutex
	links     []kernel.Link
	addresses []kernel.Address
	routes    []kernel.Route
	wireGuard map[string]kernel.WireGuard
	did       []string
	watchers  []chan struct{}
}

// PlugLink adds links, or replaces those of the same name.
func (n *Network) PlugLink(links ...kernel.Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range links {
		n.links = slices.DeleteFunc(n.links, func(o kernel.Link) bool { return o.Name == l.Name })
		n.links = append(n.links, l)
	}
	n.tell()
}

// tell says that something changed; the lock is held.
func (n *Network) tell() {
	for _, w := range n.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Did are the changes so far, such as "up eth0" and "add 10.0.0.1/24 to eth0".
func (n *Network) Did() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.did)
}

// change notes an operation and does it unless a fault was asked for.
func (n *Network) change(text string, do func() error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.Faults[text]; err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	n.did = append(n.did, text)
	err := do()
	n.tell()
	return err
}

var errNoLink = errors.New("no such link")

func (n *Network) set(text, link string, do func(l *kernel.Link)) error {
	return n.change(text, func() error {
		i := slices.IndexFunc(n.links, func(l kernel.Link) bool { return l.Name == link })
		if i < 0 {
			return fmt.Errorf("%s: %w", text, errNoLink)
		}
		do(&n.links[i])
		return nil
	})
}

// Links follows kernel.Network, and so on.
func (n *Network) Links() ([]kernel.Link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.links), nil
}

func (n *Network) Addresses() ([]kernel.Address, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.addresses), nil
}

func (n *Network) Routes() ([]kernel.Route, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.routes), nil
}

func (n *Network) AddLink(l kernel.NewLink) error {
	return n.change(fmt.Sprintf("make %s %s %s %d %v", l.Kind, l.Name, l.Parent, l.VLAN, l.Options), func() error {
		n.links = append(n.links, kernel.Link{Index: 100 + len(n.links), Name: l.Name, Kind: l.Kind, MTU: 1500, Carrier: true, Ethernet: true, MAC: "02:00:00:00:00:01"})
		return nil
	})
}

func (n *Network) RemoveLink(name string) error {
	return n.change("remove "+name, func() error {
		n.links = slices.DeleteFunc(n.links, func(l kernel.Link) bool { return l.Name == name })
		n.addresses = slices.DeleteFunc(n.addresses, func(a kernel.Address) bool { return a.Link == name })
		n.routes = slices.DeleteFunc(n.routes, func(r kernel.Route) bool { return r.Link == name })
		for i := range n.links {
			if n.links[i].Master == name {
				n.links[i].Master = ""
			}
		}
		return nil
	})
}

func (n *Network) SetUp(name string, up bool) error {
	word := "down "
	if up {
		word = "up "
	}
	return n.set(word+name, name, func(l *kernel.Link) { l.Up = up })
}

func (n *Network) SetMTU(name string, mtu int) error {
	return n.set(fmt.Sprintf("mtu %s %d", name, mtu), name, func(l *kernel.Link) { l.MTU = mtu })
}

func (n *Network) SetMaster(name, master string) error {
	return n.set("master "+name+" "+master, name, func(l *kernel.Link) { l.Master = master })
}

func (n *Network) SetWireGuard(name string, w kernel.WireGuard) error {
	return n.set(fmt.Sprintf("wireguard %s %+v", name, w), name, func(*kernel.Link) {
		if n.wireGuard == nil {
			n.wireGuard = map[string]kernel.WireGuard{}
		}
		n.wireGuard[name] = w
	})
}

// WireGuard follows kernel.Network: every peer with an endpoint has been spoken with, at the second 1.
func (n *Network) WireGuard(name string) (kernel.WireGuardState, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.wireGuard[name]
	s := kernel.WireGuardState{ListenPort: w.ListenPort}
	for _, p := range w.Peers {
		c := kernel.WireGuardContact{PublicKey: p.PublicKey, Endpoint: p.Endpoint}
		if p.Endpoint.IsValid() {
			c.Handshake = time.Unix(1, 0)
		}
		s.Peers = append(s.Peers, c)
	}
	return s, nil
}

func (n *Network) AddAddress(a kernel.Address) error {
	return n.change(fmt.Sprintf("add %s to %s", a.Prefix, a.Link), func() error { n.addresses = append(n.addresses, a); return nil })
}

func (n *Network) RemoveAddress(a kernel.Address) error {
	return n.change(fmt.Sprintf("remove %s from %s", a.Prefix, a.Link), func() error {
		n.addresses = slices.DeleteFunc(n.addresses, func(o kernel.Address) bool { return o == a })
		return nil
	})
}

func (n *Network) AddRoute(r kernel.Route) error {
	return n.change(fmt.Sprintf("route %s via %s on %s", r.Destination, r.Gateway, r.Link), func() error { n.routes = append(n.routes, r); return nil })
}

func (n *Network) RemoveRoute(r kernel.Route) error {
	return n.change(fmt.Sprintf("unroute %s via %s on %s", r.Destination, r.Gateway, r.Link), func() error {
		n.routes = slices.DeleteFunc(n.routes, func(o kernel.Route) bool { return o == r })
		return nil
	})
}

// NetworkChanges follows kernel.Network.
func (n *Network) NetworkChanges(context.Context) (<-chan struct{}, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := make(chan struct{}, 1)
	n.watchers = append(n.watchers, w)
	return w, nil
}

// AwaitEntropy follows kernel.Entropy.
func (n *Network) AwaitEntropy() error { return nil }

// ListenDHCP follows kernel.Network: what is sent is handed to DHCP.
func (n *Network) ListenDHCP(link string) (net.PacketConn, error) {
	return nettest.NewPacketConn(func(packet []byte) []byte {
		if n.DHCP == nil {
			return nil
		}
		return n.DHCP(link, packet)
	}), nil
}

// ListenDHCP6 follows kernel.Network; nobody answers there.
func (n *Network) ListenDHCP6(string) (net.PacketConn, error) {
	return nettest.NewPacketConn(func([]byte) []byte { return nil }), nil
}

// Dial follows kernel.Network.
func (n *Network) Dial(_ context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	serve := n.Servers[address]
	n.mu.Unlock()
	if serve == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: io.ErrUnexpectedEOF}
	}
	client, server := net.Pipe()
	go serve(server)
	return client, nil
}

package plan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// wireGuard is what the link name is told. A peer that cannot be is a fault of its own, the others are there.
func (p *planner) wireGuard(name string, c *v1alpha1.WireGuard) (*kernel.WireGuard, error) {
	private, err := key(c.PrivateKey)
	switch {
	case err != nil: // without the text, which may be most of a key
		return nil, errors.New("privateKey is not 32 bytes in base64")
	case c.ListenPort < 0 || c.ListenPort > math.MaxUint16:
		return nil, fmt.Errorf("%d is not a port", c.ListenPort)
	case c.FirewallMark < 0 || c.FirewallMark > math.MaxUint32:
		return nil, fmt.Errorf("the firewallMark %d is not one of 32 bits", c.FirewallMark)
	}
	w := &kernel.WireGuard{PrivateKey: kernel.PrivateKey(private), ListenPort: c.ListenPort, FirewallMark: c.FirewallMark}
	for i := range c.Peers {
		peer, err := p.peer(&c.Peers[i])
		if err != nil {
			p.fault(fmt.Sprintf("the interface %s: the peer %q: %v", name, c.Peers[i].PublicKey, err))
			continue
		}
		w.Peers = append(w.Peers, peer)
	}
	return w, nil
}

func (p *planner) peer(c *v1alpha1.WireGuardPeer) (out kernel.WireGuardPeer, err error) {
	public, err := key(c.PublicKey)
	if err != nil {
		return out, err
	}
	out.PublicKey, out.Keepalive = public, time.Duration(c.PersistentKeepaliveInterval)
	if out.Keepalive < 0 || out.Keepalive > math.MaxUint16*time.Second || out.Keepalive%time.Second != 0 {
		return out, fmt.Errorf("the persistentKeepaliveInterval %s is not one of 0 to 65535 whole seconds", out.Keepalive)
	}
	for _, text := range c.AllowedIPs {
		allowed, err := prefix(text)
		if err != nil {
			return out, err
		}
		out.AllowedIPs = append(out.AllowedIPs, allowed.Masked())
	}
	if c.Endpoint != "" {
		out.Endpoint, err = p.endpoint(c.Endpoint)
	}
	return out, err
}

// endpoint reads HOST:PORT. A name that nobody has looked up yet makes none: until then the peer has to begin.
func (p *planner) endpoint(text string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(text)
	port, portErr := strconv.ParseUint(service, 10, 16)
	if err != nil || portErr != nil || host == "" || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("the endpoint %q is not a host with a port", text)
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		if !slices.Contains(p.state.Lookups, host) {
			p.state.Lookups = append(p.state.Lookups, host)
		}
		if address = p.in.Hosts[host]; !address.IsValid() {
			return netip.AddrPort{}, nil
		}
	}
	return netip.AddrPortFrom(address, uint16(port)), nil
}

// key reads one of Curve25519. Zeroes take a key away.
func key(text string) (k kernel.PublicKey, err error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != len(k) || kernel.PublicKey(b) == k {
		return k, errors.New("the key is not 32 bytes in base64")
	}
	return kernel.PublicKey(b), nil
}

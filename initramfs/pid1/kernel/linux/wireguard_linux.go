package linux

import (
	"fmt"
	"net"
	"net/netip"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// SetWireGuard follows Network.
func (Machine) SetWireGuard(name string, w kernel.WireGuard) error {
	key := wgtypes.Key(w.PrivateKey)
	config := wgtypes.Config{PrivateKey: &key, ListenPort: &w.ListenPort, FirewallMark: &w.FirewallMark, ReplacePeers: true}
	for i := range w.Peers {
		p := &w.Peers[i]
		peer := wgtypes.PeerConfig{PublicKey: wgtypes.Key(p.PublicKey), PersistentKeepaliveInterval: &p.Keepalive, ReplaceAllowedIPs: true}
		if p.Endpoint.IsValid() {
			peer.Endpoint = net.UDPAddrFromAddrPort(p.Endpoint)
		}
		for _, allowed := range p.AllowedIPs {
			peer.AllowedIPs = append(peer.AllowedIPs, *ipNet(allowed))
		}
		config.Peers = append(config.Peers, peer)
	}
	return withWireGuard("set the keys and peers of "+name, func(c *wgctrl.Client) error { return c.ConfigureDevice(name, config) })
}

// WireGuard follows Network.
func (Machine) WireGuard(name string) (s kernel.WireGuardState, err error) {
	err = withWireGuard("look at the peers of "+name, func(c *wgctrl.Client) error {
		d, err := c.Device(name)
		if err != nil {
			return err
		}
		s.PublicKey, s.ListenPort = kernel.PublicKey(d.PublicKey), d.ListenPort
		for _, p := range d.Peers {
			contact := kernel.WireGuardContact{PublicKey: kernel.PublicKey(p.PublicKey), Handshake: p.LastHandshakeTime}
			if p.Endpoint != nil {
				at := p.Endpoint.AddrPort()
				contact.Endpoint = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
			}
			s.Peers = append(s.Peers, contact)
		}
		return nil
	})
	return s, err
}

// withWireGuard calls f with a connection of generic netlink. One that lasts would not know a module that is loaded later.
func withWireGuard(what string, f func(*wgctrl.Client) error) error {
	c, err := wgctrl.New()
	if err == nil {
		err = f(c)
		c.Close()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

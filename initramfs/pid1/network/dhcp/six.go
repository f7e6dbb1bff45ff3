package dhcp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
)

// Of6 is the grant in a server's REPLY: its first address that is not temporary. Routes of IPv6 come from routers and not
// from DHCP.
func Of6(link string, reply *dhcpv6.Message) (Grant, error) {
	g := Grant{Lease: plan.Lease{Link: link, V6: true}}
	if s := reply.Options.Status(); s != nil && s.StatusCode != iana.StatusSuccess {
		return g, fmt.Errorf("%w: %s", errRefused, s.StatusCode)
	}
	ia := reply.Options.OneIANA()
	if ia == nil {
		return g, errors.New("the server offers no address")
	}
	if s := ia.Options.Status(); s != nil && s.StatusCode != iana.StatusSuccess {
		return g, fmt.Errorf("%w: %s", errRefused, s.StatusCode)
	}
	offered := ia.Options.OneAddress()
	if offered == nil || offered.ValidLifetime <= 0 {
		return g, fmt.Errorf("%w: no address", errRefused)
	}
	a, ok := netip.AddrFromSlice(offered.IPv6Addr)
	if !ok || !a.Is6() || a.Is4In6() || !usable(a) || a.IsLinkLocalUnicast() {
		return g, fmt.Errorf("the server offers the address %s", offered.IPv6Addr)
	}
	g.Address = netip.PrefixFrom(a, 128)
	g.Lifetime, g.Rebind, g.Renew = offered.ValidLifetime, ia.T2, ia.T1
	g.order()
	g.Resolvers, g.NTP = hosts(reply.Options.DNS()), hosts(reply.Options.NTPServers())
	if labels := reply.Options.DomainSearchList(); labels != nil {
		g.Search = domains(labels.Labels)
	}
	return g, nil
}

// Run6 keeps a DHCPv6 lease until ctx ends.
func (c *Client) Run6(ctx context.Context) error {
	return c.run(ctx, func() (exchange, error) {
		conn, err := c.Sockets.ListenDHCP6(c.Link)
		if err != nil {
			return nil, err
		}
		n, err := nclient6.NewWithConn(conn, c.MAC, nclient6.WithTimeout(patience), nclient6.WithRetry(tries))
		if err != nil {
			conn.Close()
			return nil, err
		}
		return &exchange6{c: c, n: n}, nil
	})
}

// exchange6 is DHCPv6.
type exchange6 struct {
	c     *Client
	n     *nclient6.Client
	reply *dhcpv6.Message
}

func (x *exchange6) close() { x.n.Close() }

// duid is the client's identifier: that of the configuration, else one of its link's address (RFC 8415, 11.4), which stays
// the same from boot to boot.
func (x *exchange6) duid() dhcpv6.DUID {
	if d, err := dhcpv6.DUIDFromBytes(x.c.DUID); err == nil && len(x.c.DUID) > 0 {
		return d
	}
	return &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: x.c.MAC}
}

func (x *exchange6) obtain(ctx context.Context) (g Grant, err error) {
	offer, err := x.n.Solicit(ctx, dhcpv6.WithClientID(x.duid()))
	if err != nil {
		return g, explain6(err)
	}
	reply, err := x.n.Request(ctx, offer)
	if err != nil {
		return g, explain6(err)
	}
	x.reply = reply
	return Of6(x.c.Link, reply)
}

func (x *exchange6) extend(ctx context.Context, anyServer bool) (g Grant, err error) {
	q, err := dhcpv6.NewMessage(dhcpv6.WithClientID(x.duid()))
	if err != nil {
		return g, err
	}
	q.MessageType = dhcpv6.MessageTypeRebind
	if server := x.reply.Options.ServerID(); server != nil && !anyServer {
		q.MessageType = dhcpv6.MessageTypeRenew
		q.AddOption(dhcpv6.OptServerID(server))
	}
	q.AddOption(dhcpv6.OptElapsedTime(0))
	q.AddOption(x.reply.Options.OneIANA())
	q.AddOption(dhcpv6.OptRequestedOption(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList, dhcpv6.OptionNTPServer))
	reply, err := x.n.SendAndRead(ctx, x.n.RemoteAddr(), q, nclient6.IsMessageType(dhcpv6.MessageTypeReply))
	if err != nil {
		return g, explain6(err)
	}
	if g, err = Of6(x.c.Link, reply); err == nil {
		x.reply = reply
	}
	return g, err
}

func explain6(err error) error {
	if errors.Is(err, nclient6.ErrNoResponse) {
		return errors.New("no server answers")
	}
	return err
}

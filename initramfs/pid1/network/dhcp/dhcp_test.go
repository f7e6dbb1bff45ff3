package dhcp

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/rfc1035label"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/linktest"
)

var mac = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}

// option is an option of raw bytes.
func option(code dhcpv4.OptionCode, value ...byte) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptGeneric(code, value))
}

// ack is an answer of a good server, modified.
func ack(t testing.TB, modifiers ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	p, err := dhcpv4.New(append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithYourIP(net.IPv4(10, 0, 0, 2)), dhcpv4.WithLeaseTime(3600),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithServerIP(net.IPv4(10, 0, 0, 1)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 1))), dhcpv4.WithRouter(net.IPv4(10, 0, 0, 1)),
	}, modifiers...)...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := dhcpv4.FromBytes(p.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOf4(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		modify []dhcpv4.Modifier
		want   string // address, times, routes, the rest; or the error
	}{
		"good": {[]dhcpv4.Modifier{
			dhcpv4.WithDNS(net.IPv4(10, 0, 0, 53), net.IPv4(127, 0, 0, 1)), dhcpv4.WithOption(dhcpv4.OptHostName("node")),
			dhcpv4.WithOption(dhcpv4.OptDomainName("example.org\x00")), dhcpv4.WithOption(dhcpv4.OptNTPServers(net.IPv4(10, 0, 0, 5))),
			option(dhcpv4.OptionInterfaceMTU, 0x05, 0x78), dhcpv4.WithOption(dhcpv4.OptDomainSearch(&rfc1035label.Labels{Labels: []string{"a.org", "-b"}})),
		}, "10.0.0.2/24 30m0s 52m30s 1h0m0s [0.0.0.0/0 via 10.0.0.1] mtu 1400 node example.org [a.org] [10.0.0.53] [10.0.0.5]"},
		"plain":               {nil, "10.0.0.2/24 30m0s 52m30s 1h0m0s [0.0.0.0/0 via 10.0.0.1] mtu 0   [] [] []"},
		"no mask":             {[]dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask)}, "10.0.0.2/8 30m0s 52m30s 1h0m0s [0.0.0.0/0 via 10.0.0.1] mtu 0   [] [] []"},
		"classless routes":    {[]dhcpv4.Modifier{option(dhcpv4.OptionClasslessStaticRoute, 32, 10, 9, 0, 1, 0, 0, 0, 0, 0, 10, 9, 0, 1)}, "10.0.0.2/24 30m0s 52m30s 1h0m0s [10.9.0.1/32 0.0.0.0/0 via 10.9.0.1] mtu 0   [] [] []"},
		"times out of order":  {[]dhcpv4.Modifier{option(dhcpv4.OptionRenewTimeValue, 0, 0, 0xff, 0xff), option(dhcpv4.OptionRebindingTimeValue, 0, 0, 0, 0)}, "10.0.0.2/24 26m15s 52m30s 1h0m0s [0.0.0.0/0 via 10.0.0.1] mtu 0   [] [] []"},
		"no time":             {[]dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionIPAddressLeaseTime)}, "10.0.0.2/24 4380h0m0s 7665h0m0s 8760h0m0s [0.0.0.0/0 via 10.0.0.1] mtu 0   [] [] []"},
		"a time of zero":      {[]dhcpv4.Modifier{dhcpv4.WithLeaseTime(0)}, "10.0.0.2/24 4.375s 8.75s 10s [0.0.0.0/0 via 10.0.0.1] mtu 0   [] [] []"},
		"names of no use":     {[]dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptHostName("a b\nnameserver 6.6.6.6")), dhcpv4.WithOption(dhcpv4.OptDomainName("../x"))}, "10.0.0.2/24 30m0s 52m30s 1h0m0s [0.0.0.0/0 via 10.0.0.1] mtu 0   [] [] []"},
		"an MTU of no use":    {[]dhcpv4.Modifier{option(dhcpv4.OptionInterfaceMTU, 0, 68)}, "10.0.0.2/24 30m0s 52m30s 1h0m0s [0.0.0.0/0 via 10.0.0.1] mtu 0   [] [] []"},
		"a router of no use":  {[]dhcpv4.Modifier{dhcpv4.WithRouter(net.IPv4(224, 0, 0, 1), net.IPv4(10, 0, 0, 2), net.IPv4(10, 0, 0, 9))}, "10.0.0.2/24 30m0s 52m30s 1h0m0s [0.0.0.0/0 via 10.0.0.9] mtu 0   [] [] []"},
		"no address":          {[]dhcpv4.Modifier{dhcpv4.WithYourIP(net.IPv4zero)}, "the server offers the address 0.0.0.0"},
		"the loopback":        {[]dhcpv4.Modifier{dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 2))}, "the server offers the address 127.0.0.2"},
		"everybody":           {[]dhcpv4.Modifier{dhcpv4.WithYourIP(net.IPv4bcast)}, "the server offers the address 255.255.255.255"},
		"a group":             {[]dhcpv4.Modifier{dhcpv4.WithYourIP(net.IPv4(239, 1, 1, 1))}, "the server offers the address 239.1.1.1"},
		"a mask with a hole":  {[]dhcpv4.Modifier{option(dhcpv4.OptionSubnetMask, 255, 0, 255, 0)}, "the server offers the network mask 255.0.255.0"},
		"a mask of nothing":   {[]dhcpv4.Modifier{option(dhcpv4.OptionSubnetMask, 0, 0, 0, 0)}, "the server offers the network mask 0.0.0.0"},
		"a mask of two bytes": {[]dhcpv4.Modifier{option(dhcpv4.OptionSubnetMask, 255, 255)}, "the server offers the network mask"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := Of4("eth0", ack(t, c.modify...))
			var routes []string
			for _, r := range g.Routes {
				text := r.Destination.String()
				if r.Gateway.IsValid() {
					text += " via " + r.Gateway.String()
				}
				routes = append(routes, text)
			}
			got := fmt.Sprintf("%s %s %s %s %s mtu %d %s %s %s %s %s", g.Address, g.Renew, g.Rebind, g.Lifetime, routes, g.MTU, g.Hostname, g.Domain, g.Search, g.Resolvers, g.NTP)
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got\n%s, want\n%s", got, c.want)
			}
		})
	}
}

// checkGrant: whatever a server says, what is used of it makes sense.
func checkGrant(t *testing.T, g Grant) {
	t.Helper()
	if !usable(g.Address.Addr()) || g.Address.Bits() < 1 {
		t.Errorf("address %s", g.Address)
	}
	if g.Renew <= 0 || g.Renew >= g.Rebind || g.Rebind >= g.Lifetime || g.Lifetime < shortest || g.Lifetime > longest {
		t.Errorf("times %s %s %s", g.Renew, g.Rebind, g.Lifetime)
	}
	for _, n := range append([]string{g.Hostname, g.Domain}, g.Search...) {
		if strings.ContainsAny(n, " \n\x00/") || len(n) > 253 {
			t.Errorf("name %q", n)
		}
	}
	for _, a := range append(append([]netip.Addr{}, g.Resolvers...), g.NTP...) {
		if !usable(a) {
			t.Errorf("server %s", a)
		}
	}
	for _, r := range g.Routes {
		if !r.Destination.IsValid() || r.Destination != r.Destination.Masked() || r.Destination.Bits() == 0 && !r.Gateway.IsValid() {
			t.Errorf("route %+v", r)
		}
	}
	if len(g.Resolvers) > most || len(g.Routes) > most || len(g.Search) > most {
		t.Error("more than is kept")
	}
}

func FuzzOf4(f *testing.F) {
	f.Add(ack(f, dhcpv4.WithDNS(net.IPv4(1, 1, 1, 1)), option(dhcpv4.OptionClasslessStaticRoute, 33, 1, 2, 3), option(dhcpv4.OptionDNSDomainSearchList, 0xc0, 0)).ToBytes())
	f.Fuzz(func(t *testing.T, packet []byte) {
		p, err := dhcpv4.FromBytes(packet)
		if err != nil {
			return
		}
		if g, err := Of4("eth0", p); err == nil {
			checkGrant(t, g)
		}
	})
}

func FuzzOf6(f *testing.F) {
	good, _ := hex.DecodeString("07112233" + "00030028" + "00000001" + "00000e10" + "00001518" + "00050018" + "20010db8000000000000000000000002" + "00001c20" + "00002a30")
	f.Add(good)
	f.Fuzz(func(t *testing.T, packet []byte) {
		p, err := dhcpv6.MessageFromBytes(packet)
		if err != nil {
			return
		}
		if g, err := Of6("eth0", p); err == nil {
			checkGrant(t, g)
		}
	})
}

func TestOf6(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"00030028" + "00000001" + "00000e10" + "00001518" + "00050018" + "20010db8000000000000000000000002" + "00001c20" + "00002a30": "2001:db8::2/128",
		"00030028" + "00000001" + "00000e10" + "00001518" + "00050018" + "fe800000000000000000000000000002" + "00001c20" + "00002a30": "offers the address fe80::2",
		"00030028" + "00000001" + "00000e10" + "00001518" + "00050018" + "20010db8000000000000000000000002" + "00000000" + "00000000": "refuses",
		"0003000c" + "00000001" + "00000e10" + "00001518": "no address",
		"000d0002" + "0002": "refuses", "": "no address",
	} {
		raw, err := hex.DecodeString("07112233" + body)
		if err != nil {
			t.Fatal(err)
		}
		p, err := dhcpv6.MessageFromBytes(raw)
		if err != nil {
			t.Fatal(err)
		}
		g, err := Of6("eth0", p)
		if got := fmt.Sprint(g.Address, err); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

// server answers as a good one does, unless say returns something else.
func server(t *testing.T, say func(q *dhcpv4.DHCPv4, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4) *linktest.Network {
	return &linktest.Network{DHCP: func(_ string, packet []byte) []byte {
		q, err := dhcpv4.FromBytes(packet)
		if err != nil {
			t.Error(err)
			return nil
		}
		kind := dhcpv4.MessageTypeAck
		if q.MessageType() == dhcpv4.MessageTypeDiscover {
			kind = dhcpv4.MessageTypeOffer
		}
		good := ack(t, dhcpv4.WithMessageType(kind), dhcpv4.WithReply(q), dhcpv4.WithYourIP(net.IPv4(10, 0, 0, 2)))
		if a := say(q, good); a != nil {
			return a.ToBytes()
		}
		return nil
	}}
}

// run lets a client run for d in a bubble and returns what it told, with times since the start.
func run(t *testing.T, d time.Duration, say func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4) []string {
	var told []string
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), d)
		defer stop()
		c := Client{Sockets: server(t, say), Link: "eth0", MAC: mac, Tell: func(n News) {
			what := n.Fault
			if n.Grant != nil {
				what = n.Grant.Address.String()
			}
			told = append(told, fmt.Sprintf("%s %s", time.Since(start).Truncate(time.Minute), what))
		}}
		if err := c.Run4(ctx); err != nil {
			t.Error(err)
		}
		stop()
	})
	return told
}

func TestClient(t *testing.T) {
	renewals := 0
	for name, c := range map[string]struct {
		say  func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4
		want []string
	}{
		"renewed": {func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return good }, []string{"0s 10.0.0.2/24", "30m0s 10.0.0.2/24", "1h0m0s 10.0.0.2/24"}},
		"nobody":  {func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return nil }, []string{"0s no server answers"}},
		"over": {func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if q.ClientIPAddr.IsUnspecified() {
				return good
			}
			return nil
		}, []string{"0s 10.0.0.2/24", "1h0m0s the lease of 10.0.0.2 is over: no server answers", "1h0m0s 10.0.0.2/24"}},
		"taken back": {func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if renewals++; !q.ClientIPAddr.IsUnspecified() {
				good.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
			}
			return good
		}, []string{"0s 10.0.0.2/24", "30m0s the server refuses the address 10.0.0.2", "30m0s 10.0.0.2/24"}},
		"nonsense": {func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { good.YourIPAddr = net.IPv4(127, 0, 0, 1); return good },
			[]string{"0s the server offers the address 127.0.0.1"}},
		"another server extends only when the first is silent for long": {func(q, good *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if !q.ClientIPAddr.IsUnspecified() {
				good.UpdateOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 7)))
			}
			return good
		}, []string{"0s 10.0.0.2/24", "52m0s 10.0.0.2/24"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, 61*time.Minute, c.say)
			for i, want := range c.want {
				if i >= len(got) || got[i] != want {
					t.Fatalf("told\n%q, want\n%q", got, c.want)
				}
			}
		})
	}
}

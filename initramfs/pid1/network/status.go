package network

import (
	"cmp"
	"errors"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// hardware are the links and what /sys says of the devices behind them, by name.
func (t *Task) hardware() ([]plan.Hardware, error) {
	links, err := t.Machine.Links()
	slices.SortFunc(links, func(a, b kernel.Link) int { return strings.Compare(a.Name, b.Name) })
	var out []plan.Hardware
	for _, l := range links {
		h := plan.Hardware{Link: l}
		dir := "/sys/class/net/" + l.Name + "/device"
		if device, err := t.Machine.ReadLink(dir); err == nil {
			h.BusPath, h.PCIID = path.Base(device), t.pciID(dir)
			if strings.HasPrefix(h.BusPath, "virtio") { // people know the device that carries it
				h.BusPath, h.PCIID = t.carrier(l.Name, h.BusPath), t.pciID(dir+"/..")
			}
		}
		if driver, err := t.Machine.ReadLink(dir + "/driver"); err == nil {
			h.Driver = path.Base(driver)
		}
		out = append(out, h)
	}
	return out, err
}

// carrier is the name of the device that a virtio device of a link hangs on, or the latter's where that is not known.
func (t *Task) carrier(link, virtio string) string {
	target, _ := t.Machine.ReadLink("/sys/class/net/" + link)
	parts := strings.Split(target, "/")
	if i := slices.Index(parts, virtio); i > 0 {
		return parts[i-1]
	}
	return virtio
}

// pciID is the vendor and device of the PCI device in a folder of /sys, such as 1AF4:1000; "" is another bus.
func (t *Task) pciID(dir string) string {
	var parts []string
	for _, file := range []string{"/vendor", "/device"} {
		p, err := t.Machine.ReadFile(dir + file)
		id, ok := strings.CutPrefix(strings.TrimSpace(string(p)), "0x")
		if err != nil || !ok {
			return ""
		}
		parts = append(parts, strings.ToUpper(id))
	}
	return strings.Join(parts, ":")
}

// Reached tells whether the network has come so far as what, a word of the dependencies of extension services. The files in
// /etc are written, and the host name is set, when the network has been made.
func (s Status) Reached(what string) bool {
	switch what {
	case "addresses":
		return s.Online
	case "connectivity":
		return s.Online && slices.ContainsFunc(s.Report.Routes, func(r bootreport.Route) bool { return r.To == "0.0.0.0/0" || r.To == "::/0" })
	default: // hostname, etcfiles
		return s.Made
	}
}

// status is how the network is after a round.
func (t *Task) status(state plan.State, config *v1alpha1.Network, links []plan.Hardware, faults []string) Status {
	addresses, err := t.Machine.Addresses()
	routes, err2 := t.Machine.Routes()
	if err := errors.Join(err, err2); err != nil {
		faults = append(faults, "look at the network: "+err.Error())
	}
	s := Status{Made: true, Plan: state, Config: config, Links: links}
	r := &s.Report
	shown := map[string]bool{} // links of containers come and go, and are nobody's concern here
	for _, l := range links {
		if shown[l.Name] = l.Physical() || slices.ContainsFunc(state.Links, func(p plan.Link) bool { return p.Name == l.Name }); !shown[l.Name] || l.Name == "lo" {
			continue
		}
		r.Links = append(r.Links, bootreport.Link{
			Name: l.Name, Kind: l.Kind, MAC: l.MAC, Driver: l.Driver, BusPath: l.BusPath, Up: l.Up, Carrier: l.Carrier, MTU: l.MTU,
			Master: l.Master, Addresses: addressesOf(l.Name, addresses, state), WireGuard: t.reportWireGuard(l),
		})
	}
	for _, a := range addresses {
		s.Online = s.Online || a.Link != "lo" && a.Prefix.Addr().IsGlobalUnicast()
	}
	for _, o := range routes {
		if !shown[o.Link] {
			continue
		}
		route := bootreport.Route{To: o.Destination.String(), Link: o.Link, Metric: o.Metric, Origin: originOf(o, state)}
		if o.Gateway.IsValid() {
			route.Gateway = o.Gateway.String()
		}
		r.Routes = append(r.Routes, route)
	}
	r.Leases, s.Settled = t.reportLeases(state, links)
	r.Hostname, r.Domain, r.Resolvers = setting(state.Hostname), setting(state.Domain), setting(state.Resolvers)
	r.Search, r.NTP, r.Faults = setting(state.Search), setting(state.NTP), faults
	return s
}

// reportWireGuard is what is known of the peers of a link; nil is one of another kind. When a handshake was is not said, as
// a report that changes is printed.
func (t *Task) reportWireGuard(l plan.Hardware) *bootreport.WireGuard {
	if l.Kind != "wireguard" {
		return nil
	}
	s, err := t.Machine.WireGuard(l.Name)
	if err != nil {
		return &bootreport.WireGuard{Fault: err.Error()}
	}
	r := &bootreport.WireGuard{PublicKey: s.PublicKey.String(), ListenPort: s.ListenPort}
	for _, c := range s.Peers {
		peer := bootreport.WireGuardPeer{PublicKey: c.PublicKey.String(), Handshake: !c.Handshake.IsZero()}
		if c.Endpoint.IsValid() {
			peer.Endpoint = c.Endpoint.String()
		}
		r.Peers = append(r.Peers, peer)
	}
	return r
}

// awaitsPeers tells whether there is a peer that has not been spoken with: the kernel does not say when it is.
func awaitsPeers(r bootreport.Network) bool {
	return slices.ContainsFunc(r.Links, func(l bootreport.Link) bool {
		return l.WireGuard != nil && slices.ContainsFunc(l.WireGuard.Peers, func(p bootreport.WireGuardPeer) bool { return !p.Handshake })
	})
}

func addressesOf(link string, all []kernel.Address, state plan.State) []bootreport.Address {
	var out []bootreport.Address
	for _, a := range all {
		if a.Link != link {
			continue
		}
		said := bootreport.Address{Address: a.Prefix.String()}
		for _, w := range state.Addresses {
			if w.Address == a {
				said.Origin = string(w.Origin)
			}
		}
		out = append(out, said)
	}
	return out
}

func originOf(r kernel.Route, state plan.State) string {
	for _, w := range state.Routes {
		if w.Link == r.Link && w.Destination == r.Destination && w.Gateway == r.Gateway && w.Metric == r.Metric {
			return string(w.Origin)
		}
	}
	return ""
}

func setting(s plan.Setting) *bootreport.Setting {
	if s.Values == nil {
		return nil
	}
	return &bootreport.Setting{Values: s.Values, Origin: string(s.Origin)}
}

// reportLeases are what came of asking; settled tells whether something came of all that can be asked for now.
func (t *Task) reportLeases(state plan.State, links []plan.Hardware) (out []bootreport.Lease, settled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	settled = true
	for _, c := range state.DHCP {
		news, known := t.news[clientKey{c.Link, c.V6}]
		l := bootreport.Lease{Link: c.Link, Family: 4, Fault: news.Fault}
		if c.V6 {
			l.Family = 6
		}
		switch i := slices.IndexFunc(links, func(h plan.Hardware) bool { return h.Name == c.Link }); {
		case news.Grant != nil:
			l.Address, l.Seconds = news.Grant.Address.String(), int64(news.Grant.Lifetime.Seconds())
			if news.Grant.Server.IsValid() {
				l.Server = news.Grant.Server.String()
			}
		case i < 0:
			l.Fault = "there is no such link"
		case !links[i].Carrier:
			l.Fault = "the link has no carrier"
		case !known:
			settled, l.Fault = false, "no answer yet"
		}
		// what a lease asks for must be there too
		if news.Grant != nil && !slices.ContainsFunc(state.Addresses, func(a plan.Address) bool { return a.Prefix == news.Grant.Address }) {
			settled = false
		}
		out = append(out, l)
	}
	return out, settled
}

// Primary is the address that the machine is known by: the first that was given to it.
func Primary(state plan.State) (netip.Addr, bool) {
	for _, a := range state.Addresses {
		if a.Prefix.Addr().IsGlobalUnicast() {
			return a.Prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// MAC is the address of the link that the machine is known by: the first hardware with a carrier, else the first.
func (s Status) MAC() string {
	first, connected := "", ""
	for _, l := range s.Links {
		if l.Physical() {
			first = cmp.Or(first, l.MAC)
			if l.Carrier {
				connected = cmp.Or(connected, l.MAC)
			}
		}
	}
	return cmp.Or(connected, first)
}

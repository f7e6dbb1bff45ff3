package plan

import (
	"net/netip"
	"strings"
)

// names choose the host name and the other settings that are the machine's and not a link's.
func (p *planner) names() {
	p.hostname()
	p.resolvers()
	for _, l := range p.leasesInUse() {
		if p.state.NTP.Values == nil && len(l.NTP) > 0 {
			p.state.NTP = Setting{texts(l.NTP), DHCP}
		}
	}
	for _, ip := range p.in.Args.IPs {
		if p.state.NTP.Values == nil && len(ip.NTP) > 0 {
			p.state.NTP = Setting{texts(ip.NTP), CommandLine}
		}
	}
}

// leasesInUse are those of links that ask for them, in the order of the links.
func (p *planner) leasesInUse() []Lease {
	var out []Lease
	for _, c := range p.state.DHCP {
		for _, l := range p.in.Leases {
			if l.Link == c.Link && l.V6 == c.V6 {
				out = append(out, l)
			}
		}
	}
	return out
}

// hostname takes the name of the highest layer; the domain comes with the name where it has one, else from DHCP.
func (p *planner) hostname() {
	type named struct {
		name   string
		origin Origin
	}
	var candidates []named
	if c := p.in.Config; c != nil {
		candidates = append(candidates, named{c.Hostname, Configuration})
	}
	for _, l := range p.leasesInUse() {
		candidates = append(candidates, named{l.Hostname, DHCP})
	}
	candidates = append(candidates, named{p.in.Platform.Hostname, Platform}, named{p.in.Args.Hostname, CommandLine})
	for _, ip := range p.in.Args.IPs {
		candidates = append(candidates, named{ip.Hostname, CommandLine})
	}
	for _, c := range append(candidates, named{p.in.Hostname, Default}) {
		name, domain, _ := strings.Cut(c.name, ".")
		if name == "" {
			continue
		}
		p.state.Hostname = Setting{[]string{name}, c.origin}
		if domain != "" {
			p.state.Domain = Setting{[]string{domain}, c.origin}
		}
		break
	}
	for _, l := range p.leasesInUse() {
		if p.state.Domain.Values == nil && l.Domain != "" {
			p.state.Domain = Setting{[]string{l.Domain}, DHCP}
		}
	}
}

// The resolvers that are asked where nobody names any.
const publicResolvers = "1.1.1.1 8.8.8.8"

func (p *planner) resolvers() {
	c := p.in.Config
	if c != nil && len(c.Nameservers) > 0 {
		p.state.Resolvers = Setting{c.Nameservers, Configuration}
	}
	if c != nil && len(c.SearchDomains) > 0 {
		p.state.Search = Setting{c.SearchDomains, Configuration}
	}
	var found, search []string
	for _, l := range p.leasesInUse() {
		found, search = union(found, texts(l.Resolvers)), union(search, l.Search)
	}
	if p.state.Resolvers.Values == nil && found != nil {
		p.state.Resolvers = Setting{found, DHCP}
	}
	if p.state.Search.Values == nil && search != nil {
		p.state.Search = Setting{search, DHCP}
	}
	for _, ip := range p.in.Args.IPs {
		if p.state.Resolvers.Values == nil && len(ip.DNS) > 0 {
			p.state.Resolvers = Setting{texts(ip.DNS), CommandLine}
		}
	}
	if p.state.Resolvers.Values == nil {
		p.state.Resolvers = Setting{strings.Fields(publicResolvers), Default}
	}
	if off := c != nil && is(c.DisableSearchDomain); p.state.Search.Values == nil && !off {
		p.state.Search = p.state.Domain
	}
	if c != nil {
		p.state.Hosts = c.ExtraHostEntries
	}
}

func union(to, more []string) []string {
	for _, m := range more {
		known := false
		for _, t := range to {
			known = known || t == m
		}
		if !known {
			to = append(to, m)
		}
	}
	return to
}

func texts(addresses []netip.Addr) []string {
	var out []string
	for _, a := range addresses {
		out = append(out, a.String())
	}
	return out
}

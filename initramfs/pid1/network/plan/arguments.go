package plan

import (
	"net/netip"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/cmdline"
)

// arguments do what the kernel's command line says of links that the configuration is silent about.
func (p *planner) arguments() {
	p.alone = append(p.alone, p.in.Args.Ignore...)
	made := map[string]bool{}
	for _, b := range p.in.Args.Bonds {
		if !p.free(b.Name) {
			continue
		}
		made[b.Name] = true
		l := p.link(b.Name, CommandLine)
		l.Make, l.MTU = &kernel.NewLink{Name: b.Name, Kind: "bond", Options: argumentOptions(b.Options)}, b.MTU
		for _, name := range b.Links {
			if p.free(name) {
				p.link(name, CommandLine).Master = b.Name
			}
		}
	}
	for _, v := range p.in.Args.VLANs {
		if !p.free(v.Name) {
			continue
		}
		made[v.Name] = true
		p.link(v.Name, CommandLine).Make = &kernel.NewLink{Name: v.Name, Kind: "vlan", Parent: v.Link, VLAN: v.ID}
		if p.free(v.Link) {
			p.link(v.Link, CommandLine)
		}
	}
	for _, ip := range p.in.Args.IPs {
		p.argument(ip, made)
	}
}

// argument is one ip=; made are the links that other arguments make.
func (p *planner) argument(ip cmdline.IP, made map[string]bool) {
	name := ip.Link
	if name == "" && (ip.DHCP || ip.DHCP6) {
		return // what happens anyway where nobody says otherwise
	}
	if name == "" {
		name = p.first()
	}
	if name == "" || !made[name] && !p.free(name) && (p.links[name] == nil || p.links[name].Origin != CommandLine) {
		return
	}
	p.link(name, CommandLine)
	if ip.DHCP {
		p.state.DHCP = append(p.state.DHCP, Client{Link: name, Metric: defaultMetric, Origin: CommandLine})
	}
	if ip.DHCP6 {
		p.state.DHCP = append(p.state.DHCP, Client{Link: name, V6: true, Metric: defaultMetric, Origin: CommandLine})
	}
	if ip.Address.IsValid() {
		p.address(name, ip.Address, CommandLine)
		if ip.Gateway.IsValid() {
			p.route(kernel.Route{Link: name, Destination: everywhere(ip.Gateway), Gateway: ip.Gateway, OnLink: outside(ip.Address, ip.Gateway)}, CommandLine)
		}
	}
}

// first is the first link of hardware.
func (p *planner) first() string {
	for _, h := range p.in.Links {
		if h.Physical() && p.free(h.Name) {
			return h.Name
		}
	}
	return ""
}

// outside tells whether a gateway is not in the network of an address.
func outside(address netip.Prefix, gateway netip.Addr) bool {
	return !address.Masked().Contains(gateway)
}

// argumentOptions are the options of the kernel argument bond=, with the mode first: it says which others there are.
func argumentOptions(options []cmdline.Arg) []kernel.LinkOption {
	var mode, rest []kernel.LinkOption
	for _, o := range options {
		if o.Key == "mode" {
			mode = append(mode, kernel.LinkOption{Name: o.Key, Value: o.Value})
		} else {
			rest = append(rest, kernel.LinkOption{Name: o.Key, Value: o.Value})
		}
	}
	return append(mode, rest...)
}

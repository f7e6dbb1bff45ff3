// Package plan says what the network of a machine should be, from all that speaks of it: the machine configuration
// (machine.network), the kernel arguments ip=, bond= and vlan=, leases of DHCP, and the hardware. It changes nothing.
//
// What is said of one link is taken from one place: the configuration, else the kernel arguments, else the default, which is
// DHCPv4 on every link of hardware that is nobody's member. Of the host name, the domain, the resolvers, the search domains
// and the NTP servers each comes from the highest layer that has one: configuration over DHCP over platform over kernel
// arguments over default. Left out: virtual addresses (vip), which are said to be faults.
package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Origin is where a setting comes from.
type Origin string

// The layers, the lowest first.
const (
	Default       Origin = "default"
	CommandLine   Origin = "cmdline"
	Platform      Origin = "platform"
	DHCP          Origin = "dhcp"
	Configuration Origin = "configuration"
)

// Input is all that speaks of the network.
type Input struct {
	Links    []Hardware
	Config   *v1alpha1.Network // nil: there is none
	Args     cmdline.Network
	Leases   []Lease // at most one of each family on a link
	Platform Platformed
	Hosts    map[string]netip.Addr // what is known of the names in State.Lookups
	Hostname string                // what the machine is called when nobody gives it a name
}

// Platformed is what the platform says, such as NoCloud's meta-data.
type Platformed struct{ Hostname string }

// Lease is what a DHCP server gave a link. Fields that it left out are zero.
type Lease struct {
	Link      string
	V6        bool
	Address   netip.Prefix
	Routes    []kernel.Route // without Link and Metric
	MTU       int
	Hostname  string
	Domain    string
	Search    []string
	Resolvers []netip.Addr
	NTP       []netip.Addr
}

// State is what the network should be.
type State struct {
	Links     []Link // those that a bond, bridge or VLAN needs before it
	Addresses []Address
	Routes    []Route
	DHCP      []Client
	Lookups   []string // the names of WireGuard's endpoints

	Hostname  Setting // without the domain
	Domain    Setting
	Resolvers Setting
	Search    Setting
	NTP       Setting
	Hosts     []v1alpha1.ExtraHost

	Faults []string // what was asked for and cannot be done
}

// Setting is one or more values from one place.
type Setting struct {
	Values []string
	Origin Origin
}

// Value is the first value, or "".
func (s Setting) Value() string {
	if len(s.Values) == 0 {
		return ""
	}
	return s.Values[0]
}

// Link is a link that is up.
type Link struct {
	Name      string
	Make      *kernel.NewLink   // nil: hardware
	WireGuard *kernel.WireGuard // of a link of that kind
	MTU       int               // 0 leaves it
	Master    string
	Origin    Origin
}

// Address is an address and where it comes from.
type Address struct {
	kernel.Address
	Origin Origin
}

// Route is a route and where it comes from.
type Route struct {
	kernel.Route
	Origin Origin
}

// Client is a DHCP client on a link.
type Client struct {
	Link   string
	V6     bool
	Metric uint32
	DUID   string // of DHCPv6, in hexadecimal digits; "" is one made of the link's address
	Origin Origin
}

// defaultMetric is that of routes that have none, which is also what the kernel makes of 0 with IPv6.
const defaultMetric = 1024

// Make plans. Whatever the input is, there is a plan; what of the input cannot be done is in its Faults.
func Make(in Input) State {
	p := planner{in: in, links: map[string]*Link{}}
	p.loopback()
	p.configured()
	p.arguments()
	p.defaults()
	p.leases()
	p.names()
	return p.finish()
}

type planner struct {
	in    Input
	state State
	links map[string]*Link
	order []string // links in the order in which they were spoken of
	alone []string // links that nobody may touch
}

// link is the plan for a link, which is from then on spoken of.
func (p *planner) link(name string, o Origin) *Link {
	l := p.links[name]
	if l == nil {
		l = &Link{Name: name, Origin: o}
		p.links[name] = l
		p.order = append(p.order, name)
	}
	return l
}

// free tells whether a layer may still speak of a link.
func (p *planner) free(name string) bool {
	return p.links[name] == nil && !slices.Contains(p.alone, name)
}

func (p *planner) fault(text string) { p.state.Faults = append(p.state.Faults, text) }

func (p *planner) address(link string, a netip.Prefix, o Origin) {
	for _, have := range p.state.Addresses {
		if have.Link == link && have.Prefix == a {
			return
		}
	}
	p.state.Addresses = append(p.state.Addresses, Address{kernel.Address{Link: link, Prefix: a}, o})
}

// route adds a route; one to the same place with the same metric is there once.
func (p *planner) route(r kernel.Route, o Origin) {
	r.Metric = cmp.Or(r.Metric, defaultMetric)
	for _, have := range p.state.Routes {
		if have.Link == r.Link && have.Destination == r.Destination && have.Metric == r.Metric && have.Gateway == r.Gateway {
			return
		}
	}
	p.state.Routes = append(p.state.Routes, Route{r, o})
}

func (p *planner) loopback() {
	for _, h := range p.in.Links {
		if h.Name == "lo" {
			p.link("lo", Default)
			p.address("lo", netip.MustParsePrefix("127.0.0.1/8"), Default)
		}
	}
}

// defaults ask for DHCP where nobody said anything.
func (p *planner) defaults() {
	for _, h := range p.in.Links {
		if h.Physical() && p.free(h.Name) && h.Master == "" {
			p.link(h.Name, Default)
			p.state.DHCP = append(p.state.DHCP, Client{Link: h.Name, Metric: defaultMetric, Origin: Default})
		}
	}
}

// leases add what DHCP gave to links that still ask for it.
func (p *planner) leases() {
	for _, l := range p.in.Leases {
		i := slices.IndexFunc(p.state.DHCP, func(c Client) bool { return c.Link == l.Link && c.V6 == l.V6 })
		if i < 0 {
			continue
		}
		p.address(l.Link, l.Address, DHCP)
		for _, r := range l.Routes {
			r.Link, r.Metric = l.Link, p.state.DHCP[i].Metric
			if r.Destination.Addr().Is4() {
				r.Source = l.Address.Addr()
			}
			r.OnLink = r.Gateway.IsValid() && !l.Address.Masked().Contains(r.Gateway)
			p.route(r, DHCP)
		}
		if link := p.links[l.Link]; link.MTU == 0 {
			link.MTU = l.MTU
		}
	}
}

// finish puts links in the order in which they can be made: a VLAN comes after its parent, and a member after its master.
// What goes round in a circle is left out.
func (p *planner) finish() State {
	done := map[string]int{} // 1: being looked at, 2: done
	var visit func(name string) bool
	visit = func(name string) bool {
		l := p.links[name]
		if l == nil || done[name] == 2 {
			return true
		}
		if done[name] == 1 {
			return false
		}
		done[name] = 1
		good := l.Master == "" || visit(l.Master)
		if l.Make != nil && l.Make.Parent != "" {
			good = visit(l.Make.Parent) && good
		}
		if good {
			p.state.Links = append(p.state.Links, *l)
		} else {
			p.fault("the interface " + name + " is above or below itself")
		}
		done[name] = 2
		return true
	}
	for _, name := range p.order {
		visit(name)
	}
	return p.state
}

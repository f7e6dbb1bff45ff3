// Package reconcile makes the kernel's network what a plan says: it compares the two and changes what is different, and
// takes back what an earlier plan asked for and this one does not. What others have set up it leaves alone.
package reconcile

import (
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
)

// Reconciler knows what it has made. The zero value is ready to use, by one goroutine.
type Reconciler struct {
	links     map[string]kernel.NewLink
	masters   map[string]string
	wireGuard map[string]*kernel.WireGuard
	addresses []kernel.Address
	routes    []kernel.Route
}

// Apply changes the network to what want says, as far as it can; the errors of single changes are joined. It is called
// again after errors and whenever the network or the plan has changed.
func (r *Reconciler) Apply(k kernel.Network, want plan.State) error {
	if r.links == nil {
		r.links, r.masters, r.wireGuard = map[string]kernel.NewLink{}, map[string]string{}, map[string]*kernel.WireGuard{}
	}
	a := &pass{r: r, k: k, want: want}
	a.removeLinks()
	for _, l := range want.Links {
		a.link(l)
	}
	a.removeRoutes()
	a.addAddresses()
	if a.removeAddresses() {
		a.addAddresses() // with the first address of a network the kernel drops the others in it
	}
	a.addRoutes()
	return errors.Join(a.faults...)
}

// pass is one Apply.
type pass struct {
	r      *Reconciler
	k      kernel.Network
	want   plan.State
	faults []error
}

// try notes an error and tells whether there was none.
func (a *pass) try(err error) bool {
	if err != nil {
		a.faults = append(a.faults, err)
	}
	return err == nil
}

// removeLinks removes what was made and is not wanted any more, or is wanted otherwise. VLANs go before what they are on.
func (a *pass) removeLinks() {
	names := slices.Sorted(maps.Keys(a.r.links))
	slices.SortStableFunc(names, func(x, y string) int { return order(a.r.links[x]) - order(a.r.links[y]) })
	for _, name := range names {
		i := slices.IndexFunc(a.want.Links, func(l plan.Link) bool { return l.Name == name })
		if i >= 0 && a.want.Links[i].Make != nil && reflect.DeepEqual(*a.want.Links[i].Make, a.r.links[name]) {
			continue
		}
		if _, there := a.find(name); !there || a.try(a.k.RemoveLink(name)) {
			a.r.forget(name)
		}
	}
}

func order(l kernel.NewLink) int {
	if l.Kind == "vlan" {
		return 0
	}
	return 1
}

// forget drops what the kernel dropped with a link.
func (r *Reconciler) forget(link string) {
	delete(r.links, link)
	delete(r.wireGuard, link)
	maps.DeleteFunc(r.masters, func(name, master string) bool { return name == link || master == link })
	r.addresses = slices.DeleteFunc(r.addresses, func(a kernel.Address) bool { return a.Link == link })
	r.routes = slices.DeleteFunc(r.routes, func(o kernel.Route) bool { return o.Link == link })
}

// mine notes what was made, once.
func mine[T comparable](made []T, v T) []T {
	if slices.Contains(made, v) {
		return made
	}
	return append(made, v)
}

// find is a link as it is now.
func (a *pass) find(name string) (kernel.Link, bool) {
	links, err := a.k.Links()
	a.try(err)
	i := slices.IndexFunc(links, func(l kernel.Link) bool { return l.Name == name })
	if i < 0 {
		return kernel.Link{}, false
	}
	return links[i], true
}

// link makes one link what it should be. Hardware that is not there is waited for.
func (a *pass) link(want plan.Link) {
	is, there := a.find(want.Name)
	if want.Make != nil && (!there || is.Kind == want.Make.Kind && a.r.links[want.Name].Name == "") {
		delete(a.r.wireGuard, want.Name)
		made := a.try(a.k.AddLink(*want.Make))
		if is, there = a.find(want.Name); made && there { // one without its settings is used, and tried again
			a.r.links[want.Name] = *want.Make
		}
	}
	if !there || want.Make != nil && is.Kind != want.Make.Kind {
		return
	}
	a.wireGuard(want)
	a.master(is, want.Master)
	if want.MTU > 0 && is.MTU != want.MTU {
		a.try(a.k.SetMTU(want.Name, want.MTU))
	}
	if is, _ = a.find(want.Name); !is.Up {
		a.try(a.k.SetUp(want.Name, true))
	}
}

// master puts a link into its bond or bridge, or takes it out of the one that it was put in.
func (a *pass) master(is kernel.Link, want string) {
	if is.Master == want || want == "" && a.r.masters[is.Name] == "" {
		return
	}
	if want != "" {
		if _, there := a.find(want); !there {
			return
		}
	}
	if is.Up && !a.try(a.k.SetUp(is.Name, false)) {
		return
	}
	if a.try(a.k.SetMaster(is.Name, want)) {
		a.r.masters[is.Name] = want
	}
}

// wireGuard tells a link its keys and peers when they are others than it was told last: telling ends the sessions.
func (a *pass) wireGuard(want plan.Link) {
	if want.WireGuard == nil || reflect.DeepEqual(want.WireGuard, a.r.wireGuard[want.Name]) {
		return
	}
	if a.try(a.k.SetWireGuard(want.Name, *want.WireGuard)) {
		a.r.wireGuard[want.Name] = want.WireGuard
	}
}

// isUp tells whether the link of a setting is there and up: only then does the kernel take it.
func (a *pass) isUp(name string) bool {
	l, there := a.find(name)
	return there && l.Up
}

func (a *pass) addAddresses() {
	have, err := a.k.Addresses()
	if !a.try(err) {
		return
	}
	for _, w := range a.want.Addresses {
		if !a.isUp(w.Link) {
			continue
		}
		if slices.Contains(have, w.Address) || a.try(a.k.AddAddress(w.Address)) {
			a.r.addresses = mine(a.r.addresses, w.Address)
		}
	}
}

// removeAddresses tells whether there was one to remove.
func (a *pass) removeAddresses() (some bool) {
	have, err := a.k.Addresses()
	if !a.try(err) {
		return false
	}
	a.r.addresses = slices.DeleteFunc(a.r.addresses, func(address kernel.Address) bool {
		wanted := slices.ContainsFunc(a.want.Addresses, func(w plan.Address) bool { return w.Address == address })
		gone := !wanted && (!slices.Contains(have, address) || a.try(a.k.RemoveAddress(address)))
		some = some || gone
		return gone
	})
	return some
}

// removeRoutes goes before the addresses: the kernel itself drops routes with the address that they come from.
func (a *pass) removeRoutes() {
	have, err := a.k.Routes()
	if !a.try(err) {
		return
	}
	a.r.routes = slices.DeleteFunc(a.r.routes, func(route kernel.Route) bool {
		wanted := slices.ContainsFunc(a.want.Routes, func(w plan.Route) bool { return w.Route == route })
		return !wanted && (!has(have, route) || a.try(a.k.RemoveRoute(route)))
	})
}

// addRoutes adds those without a gateway first: they are what leads to gateways.
func (a *pass) addRoutes() {
	have, err := a.k.Routes()
	if !a.try(err) {
		return
	}
	for _, direct := range []bool{true, false} {
		for _, w := range a.want.Routes {
			if w.Gateway.IsValid() == direct || !a.isUp(w.Link) {
				continue
			}
			if has(have, w.Route) || a.try(a.k.AddRoute(w.Route)) {
				a.r.routes = mine(a.r.routes, w.Route)
			}
		}
	}
}

// has tells whether the kernel has a route; what it says of one's source and MTU may be more than was asked for.
func has(have []kernel.Route, want kernel.Route) bool {
	return slices.ContainsFunc(have, func(r kernel.Route) bool {
		return r.Link == want.Link && r.Destination == want.Destination && r.Gateway == want.Gateway && r.Metric == want.Metric &&
			(want.MTU == 0 || r.MTU == want.MTU) && (!want.Source.IsValid() || r.Source == want.Source)
	})
}

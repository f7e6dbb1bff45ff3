// Package network keeps the machine's network as the machine configuration, the kernel arguments, DHCP and the hardware say
// that it should be. docs/network.md has the rules.
//
// Sub-packages plan what the network should be (plan), make it so (reconcile) and ask for leases (dhcp). IPv6 addresses that
// routers announce (SLAAC) are the kernel's own doing. Left out: virtual addresses, authentication (802.1X).
package network

import (
	"context"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/network/dhcp"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
	"github.com/bootwright/bootwright/initramfs/pid1/network/reconcile"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Machine is what the task needs of it.
type Machine interface {
	kernel.Files
	kernel.Network
	kernel.Entropy
}

// Log is where the task says what it does.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Deps is what the task works with.
type Deps struct {
	Machine  Machine
	Log      Log
	Args     cmdline.Network
	Hostname string                          // of a machine that nobody gave a name
	Config   *watch.Value[*v1alpha1.Network] // machine.network; nil is none
	Platform *watch.Value[plan.Platformed]
	Status   *watch.Value[Status] // set by the task after every change
	Spawn    func(func())         // starts the goroutines of DHCP clients and of lookups
}

// Status is how the network is.
type Status struct {
	Made    bool // the network was made so at least once
	Report  bootreport.Network
	Plan    plan.State
	Config  *v1alpha1.Network // that Plan follows
	Links   []plan.Hardware
	Online  bool // there is an address that others can answer to
	Settled bool // every DHCP client on a link with a carrier has had an answer, or has given up once
}

// Task keeps the network. It is made once: what it has set up it must know when it is started again.
type Task struct {
	Deps
	reconciler reconcile.Reconciler
	clients    map[clientKey]*client
	written    map[string]string // files by name
	complaint  string            // the last warning
	wake       chan struct{}

	mu      sync.Mutex
	news    map[clientKey]dhcp.News
	lookups map[string]*lookup // by name
}

type clientKey struct {
	link string
	v6   bool
}

// client is a DHCP client that runs until stop; it is for a link of this address.
type client struct {
	mac  string
	duid string
	stop context.CancelFunc
}

// New is a task that does nothing until Run.
func New(d Deps) *Task {
	return &Task{
		Deps: d, clients: map[clientKey]*client{}, written: map[string]string{}, wake: make(chan struct{}, 1), news: map[clientKey]dhcp.News{},
		lookups: map[string]*lookup{},
	}
}

// The waits before what failed is tried again: the first, then twice the last, up to the longest.
const (
	firstWait   = time.Second
	longestWait = time.Minute
	calm        = 50 * time.Millisecond // changes that come together are one
)

// Run keeps the network until ctx ends. It fails where the kernel does not say what changes.
func (t *Task) Run(ctx context.Context) error {
	if err := t.Machine.AwaitEntropy(); err != nil {
		t.Log.Warnf("network: wait for random numbers: %v", err)
	}
	changes, err := t.Machine.NetworkChanges(ctx)
	if err != nil {
		return err
	}
	defer t.stopClients(func(clientKey) bool { return true })
	defer t.manageLookups(ctx, nil)
	wait := firstWait
	for {
		_, config := t.Config.Watch()
		_, platform := t.Platform.Watch()
		var retry <-chan time.Time
		if t.round(ctx) {
			wait = firstWait
		} else {
			retry = time.After(wait)
			wait = min(2*wait, longestWait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-config:
		case <-platform:
		case <-changes:
			time.Sleep(calm)
		case <-t.wake:
		case <-retry:
		}
	}
}

// round plans and makes the network so; it tells whether all of it is, and all of its peers have been spoken with.
func (t *Task) round(ctx context.Context) bool {
	links, err := t.hardware()
	config, _ := t.Config.Get()
	platform, _ := t.Platform.Get()
	known, _ := t.hosts()
	state := plan.Make(plan.Input{
		Links: links, Config: config, Args: t.Args, Leases: t.leases(), Platform: platform, Hosts: known, Hostname: t.Hostname,
	})
	if err == nil {
		err = t.reconciler.Apply(t.Machine, state)
	}
	if after, listErr := t.hardware(); listErr == nil {
		links = after
	}
	t.manageClients(ctx, state, links)
	t.manageLookups(ctx, state.Lookups)
	faults := slices.Clone(state.Faults)
	if err != nil {
		faults = append(faults, strings.Split(err.Error(), "\n")...)
	}
	if err := t.writeFiles(state); err != nil {
		faults = append(faults, err.Error())
	}
	done := len(faults) == len(state.Faults)
	_, unknown := t.hosts()
	faults = append(faults, unknown...)
	t.complain(faults)
	status := t.status(state, config, links, faults)
	t.Status.Set(status)
	return done && !awaitsPeers(status.Report)
}

func (t *Task) complain(faults []string) {
	text := strings.Join(faults, "; ")
	if text != t.complaint && text != "" {
		t.Log.Warnf("network: %s", text)
	}
	t.complaint = text
}

// leases are those in force.
func (t *Task) leases() []plan.Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []plan.Lease
	for _, n := range t.news {
		if n.Grant != nil {
			out = append(out, n.Grant.Lease)
		}
	}
	return out
}

// manageClients starts the DHCP clients of links with a carrier and stops those that are not wanted. A link that loses its
// carrier keeps its lease, until it has one again and a client has found out whether that is still good.
func (t *Task) manageClients(ctx context.Context, state plan.State, links []plan.Hardware) {
	wanted := map[clientKey]bool{}
	for _, c := range state.DHCP {
		key := clientKey{c.Link, c.V6}
		i := slices.IndexFunc(links, func(h plan.Hardware) bool { return h.Name == c.Link })
		if i < 0 {
			continue
		}
		wanted[key] = true
		l := links[i]
		ready := l.Carrier && l.Up
		running := t.clients[key]
		if running != nil && (!ready || running.mac != l.MAC || running.duid != c.DUID) {
			running.stop()
			delete(t.clients, key)
			running = nil
		}
		if running == nil && ready {
			t.start(ctx, key, l.MAC, c.DUID, state.Hostname)
		}
	}
	t.stopClients(func(key clientKey) bool { return !wanted[key] })
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.news {
		if !wanted[key] {
			delete(t.news, key)
		}
	}
}

func (t *Task) start(ctx context.Context, key clientKey, mac, duid string, hostname plan.Setting) {
	address, err := net.ParseMAC(mac)
	if err != nil {
		t.hear(key, dhcp.News{Fault: "the link has no hardware address"})
		return
	}
	ctx, stop := context.WithCancel(ctx)
	t.clients[key] = &client{mac: mac, duid: duid, stop: stop}
	c := dhcp.Client{Sockets: t.Machine, Link: key.link, MAC: address, Tell: func(n dhcp.News) {
		if ctx.Err() == nil {
			t.hear(key, n)
		}
	}}
	c.DUID, _ = hex.DecodeString(strings.ReplaceAll(duid, ":", ""))
	if hostname.Origin != plan.Default && hostname.Origin != plan.DHCP {
		c.Hostname = hostname.Value()
	}
	run := c.Run4
	if key.v6 {
		run = c.Run6
	}
	t.Spawn(func() { run(ctx) })
}

func (t *Task) stopClients(which func(clientKey) bool) {
	for key, c := range t.clients {
		if which(key) {
			c.stop()
			delete(t.clients, key)
		}
	}
}

// hear notes what a client says and wakes the task.
func (t *Task) hear(key clientKey, n dhcp.News) {
	t.mu.Lock()
	before := t.news[key]
	t.news[key] = n
	t.mu.Unlock()
	switch {
	case n.Grant == nil && n.Fault != before.Fault:
		t.Log.Warnf("network: DHCP on %s: %s", key.link, n.Fault)
	case n.Grant != nil && (before.Grant == nil || before.Grant.Address != n.Grant.Address):
		t.Log.Infof("network: %s has %s for %s", key.link, n.Grant.Address, n.Grant.Lifetime)
	}
	t.rouse()
}

// rouse begins a round.
func (t *Task) rouse() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

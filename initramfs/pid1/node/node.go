// Package node makes the machine what its configuration says, as far as that is neither network nor time, logs or services:
// kernel modules, kernel settings, rules for devices, files, certificate authorities, environment and watchdog. Each is a task
// of its own, which follows the configuration and tries again what was refused.
package node

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/environment"
	"github.com/bootwright/bootwright/initramfs/pid1/files"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/initramfs/pid1/settings"
	"github.com/bootwright/bootwright/initramfs/pid1/trust"
	"github.com/bootwright/bootwright/initramfs/pid1/udevrules"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/initramfs/pid1/watchdog"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Log is where faults are said.
type Log interface {
	Warnf(format string, args ...any)
}

// Machine is what the package needs of it.
type Machine interface {
	files.Machine
	kernel.Watchdogs
	Remove(name string) error
}

// Deps are what a Node needs.
type Deps struct {
	M       Machine
	Args    cmdline.Args
	Modules *modules.Loader
	Log     Log
	Config  *watch.Value[*config.Config]                        // the machine configuration; nil values are none
	Run     func(name string, task func(context.Context) error) // starts a task
	Change  func(func(*bootreport.Report))                      // changes the boot report
	Look    func(func(*bootreport.Report))                      // reads it
}

// Node is the tasks, and what they share with others.
type Node struct {
	// Applied is the configuration that all concerns have seen to, or that one has taken too long with.
	Applied watch.Value[*config.Config]

	Deps
	trust       *trust.Trust
	environment watch.Value[[]string]
	seen        watch.Value[*applied] // as Applied, where nil is nothing yet
}

// limit is how long a configuration may take to be applied. A module may take long to load.
const limit = 20 * time.Second

// Start starts the tasks.
func Start(d Deps) *Node {
	n := &Node{Deps: d, trust: trust.New(d.M)}
	all := n.concerns()
	done := make([]*watch.Value[*applied], len(all))
	for i, c := range all {
		done[i] = &watch.Value[*applied]{}
		n.Run(c.name, func(ctx context.Context) error { return n.follow(ctx, c, done[i]) })
	}
	n.Run("watchdog", func(ctx context.Context) error {
		return watchdog.Run(ctx, watchdog.Deps{M: n.M, Config: &n.Applied, Report: n.showWatchdog}) // once its driver had the time to come
	})
	n.Run("applied", func(ctx context.Context) error { return n.publish(ctx, done) })
	return n
}

// Await waits until the machine is as its configuration says.
func (n *Node) Await(ctx context.Context) error {
	c, _ := n.Config.Get()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := n.seen.Wait(ctx, func(a *applied) bool { return a != nil && a.config == c })
	if err != nil {
		return fmt.Errorf("the machine is not as its configuration says after %s", limit)
	}
	return nil
}

// Roots are the authorities that this machine's clients trust.
func (n *Node) Roots() *watch.Value[*x509.CertPool] { return &n.trust.Pool }

// Proxy is the proxy for what init asks of servers.
func (n *Node) Proxy(q *http.Request) (*url.URL, error) {
	env, _ := n.environment.Get()
	return environment.Proxy(env, q.URL)
}

// concern is a part of the machine that follows its configuration, by a task of its own.
type concern struct {
	name    string
	devices bool                                                         // whether devices that come are its concern
	apply   func(c *config.Config, main *v1alpha1.Config) (refused bool) // c may be nil, main is never
}

// concerns are those that have no life of their own.
func (n *Node) concerns() []concern {
	modules, kernelSettings, written := n.Modules.Wanted(), settings.New(n.M), files.New(n.M)
	return []concern{
		{"modules", false, func(_ *config.Config, main *v1alpha1.Config) bool {
			said := modules.Apply(main.Machine.Kernel.Modules)
			return n.asked("kernel module", said, func(r *bootreport.Report) *[]bootreport.Asked { return &r.Settings.Modules })
		}},
		{"settings", true, func(_ *config.Config, main *v1alpha1.Config) bool {
			said := kernelSettings.Apply(main)
			n.asked("kernel self-protection", said.Protection, func(r *bootreport.Report) *[]bootreport.Asked { return &r.Settings.Protection })
			n.asked("extra kernel argument", said.Arguments, func(r *bootreport.Report) *[]bootreport.Asked { return &r.Settings.Arguments })
			sysctls := n.asked("sysctl", said.Sysctls, func(r *bootreport.Report) *[]bootreport.Asked { return &r.Settings.Sysctls })
			return n.asked("sysfs", said.Sysfs, func(r *bootreport.Report) *[]bootreport.Asked { return &r.Settings.Sysfs }) || sysctls
		}},
		{"udev", true, func(_ *config.Config, main *v1alpha1.Config) bool {
			said := udevrules.Apply(n.M, main.Machine.Udev.Rules)
			return n.asked("udev rule", said, func(r *bootreport.Report) *[]bootreport.Asked { return &r.Settings.Rules })
		}},
		{"trust", false, func(c *config.Config, _ *v1alpha1.Config) bool { return n.showTrust(n.trust.Apply(c)) }},
		{"files", false, func(_ *config.Config, main *v1alpha1.Config) bool {
			said := written.Apply(main.Machine.Files)
			return n.asked("file", said, func(r *bootreport.Report) *[]bootreport.Asked { return &r.Files })
		}},
		{"environment", false, func(c *config.Config, _ *v1alpha1.Config) bool {
			env := environment.Of(n.Args, c)
			n.environment.Set(env)
			n.Change(func(r *bootreport.Report) { r.Settings.Variables = environment.Names(env) })
			return false
		}},
	}
}

// applied is a configuration, which may be nil, that has been applied.
type applied struct{ config *config.Config }

// The waits of a concern before it tries again what was refused: the first, then twice the last, up to the longest. Events
// of devices that come within gather of each other are one.
const (
	firstRetry   = 2 * time.Second
	longestRetry = time.Minute
	gather       = 200 * time.Millisecond
)

// follow applies the configuration whenever it changes, and again where something was refused or devices have come.
func (n *Node) follow(ctx context.Context, c concern, done *watch.Value[*applied]) error {
	retry := firstRetry
	for {
		_, devices := n.Modules.Seen().Watch()
		now, changed := n.Config.Watch()
		main := mainOf(now)
		refused := c.apply(now, main)
		done.Set(&applied{now})
		if !c.devices && !refused {
			devices = nil
		}
		var again <-chan time.Time
		if refused {
			again = time.After(retry)
			retry = min(2*retry, longestRetry)
		} else {
			retry = firstRetry
		}
		select {
		case <-changed:
			retry = firstRetry
		case <-devices:
			select {
			case <-time.After(gather):
			case <-ctx.Done():
			}
		case <-again:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// mainOf is the main document of a configuration; without one it is empty.
func mainOf(c *config.Config) *v1alpha1.Config {
	if c != nil && c.Main() != nil {
		return c.Main()
	}
	return &v1alpha1.Config{}
}

// publish hands on each configuration that all concerns have seen to, or that one takes too long with.
func (n *Node) publish(ctx context.Context, done []*watch.Value[*applied]) error {
	for {
		c, changed := n.Config.Watch()
		within, cancel := context.WithTimeout(ctx, limit)
		for _, d := range done {
			d.Wait(within, func(a *applied) bool { return a != nil && a.config == c })
		}
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		n.Applied.Set(c)
		n.seen.Set(&applied{c})
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// asked reports what became of things that the configuration asks for, and whether one was refused. What is wrong goes to
// the log once.
func (n *Node) asked(what string, said []bootreport.Asked, in func(*bootreport.Report) *[]bootreport.Asked) (refused bool) {
	var was []bootreport.Asked
	n.Look(func(r *bootreport.Report) { was = *in(r) })
	for _, a := range said {
		refused = refused || a.State == bootreport.Refused
		if a.State != bootreport.Applied && !slices.Contains(was, a) {
			n.Log.Warnf("%s %s is %s: %s", what, a.Name, a.State, a.Reason)
		}
	}
	if !slices.Equal(was, said) {
		n.Change(func(r *bootreport.Report) { *in(r) = said })
	}
	return refused
}

// showTrust reports whom the machine trusts, and whether to try again.
func (n *Node) showTrust(now bootreport.Trust) (refused bool) {
	var was bootreport.Trust
	n.Look(func(r *bootreport.Report) { was = r.Trust })
	if reflect.DeepEqual(was, now) {
		return now.Fault != ""
	}
	n.Change(func(r *bootreport.Report) { r.Trust = now })
	if now.Fault != "" {
		n.Log.Warnf("certificate authorities: %s", now.Fault)
	}
	for _, d := range now.Documents {
		for _, f := range d.Faults {
			n.Log.Warnf("TrustedRootsConfig %s: %s; it is left out", d.Name, f)
		}
	}
	return now.Fault != ""
}

func (n *Node) showWatchdog(w *bootreport.Watchdog) {
	var was *bootreport.Watchdog
	n.Look(func(r *bootreport.Report) { was = r.Watchdog })
	if reflect.DeepEqual(was, w) {
		return
	}
	n.Change(func(r *bootreport.Report) { r.Watchdog = w })
	if w != nil && w.Fault != "" {
		n.Log.Warnf("watchdog %s: %s", w.Device, w.Fault)
	}
}

// Package current is the machine configuration that a machine uses: the one that STATE has, or else one that came with the
// image, or else one that is found elsewhere. Later ones replace it, and STATE gets what is used.
package current

import (
	"context"
	"errors"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/documents/seek"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/configarea"
)

// Log is where the configuration and its faults are said.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Replacing
}

// Deps are what a Config needs.
type Deps struct {
	M     Machine
	Log   Log
	Value *watch.Value[*config.Config] // is set to the configuration; nil is none
	Use   func(main *v1alpha1.Config)  // takes the main document of each that there is one in

	Who      func() configarea.Machine                           // what the machine is called by
	State    func() (dir string, changed <-chan struct{})        // where STATE is mounted; "" is not
	Hostname func(name string)                                   // takes that of the platform
	Run      func(name string, task func(context.Context) error) // starts a task
	Change   func(func(*bootreport.Report))                      // changes the boot report
	Fault    func(err error)                                     // takes what is wrong with one that was found
}

// Config is the configuration and its sources.
type Config struct {
	Deps
	carried []documents.Source // in the initramfs
	there   bool               // whether STATE or the image had one, good or not
	booted  *v1alpha1.Config   // the main document of the first, or nil
	again   chan struct{}      // holds one when somebody has asked to look again
}

// New has no configuration yet.
func New(d Deps) *Config { return &Config{Deps: d, again: make(chan struct{}, 1)} }

// Collect keeps the configurations that the initramfs holds: it is gone when the machine has its root, and a machine knows
// all that it is called by only when its drivers are loaded.
func (c *Config) Collect() (err error) {
	c.carried, err = documents.Collect(c.M)
	return err
}

// Load uses the configuration that the machine has kept, or else the one for it that came with the image. With a bad one the
// machine goes on without.
func (c *Config) Load() error {
	found, said, fault := c.kept()
	if found == nil {
		var err error
		found, said, err = documents.Load(c.carried, c.Who())
		fault = errors.Join(fault, err)
	}
	c.carried, c.there = nil, said.Source != bootreport.SourceNone
	c.use(found, said)
	return fault
}

// use reports a configuration, and hands it to the tasks if it is good.
func (c *Config) use(found *config.Config, said bootreport.Config) {
	if found != nil && found.Main() != nil {
		if c.booted == nil {
			c.booted = found.Main()
		}
		said.Pending = seek.Pending(c.booted, found.Main())
	}
	c.Change(func(r *bootreport.Report) { r.Config = said })
	for _, f := range said.Findings {
		c.Log.Warnf("machine configuration: %s", f)
	}
	if found == nil {
		return
	}
	from := said.Source
	if said.Match != "" {
		from += ", for " + said.Match
	}
	c.Log.Infof("machine configuration: %d documents, %s", len(said.Documents), from)
	c.Value.Set(found)
	if main := found.Main(); main != nil {
		c.Use(main)
	}
}

// Outside is where a configuration is looked for that did not come with the image.
type Outside struct {
	Find   func(context.Context) (documents.Given, error) // looks once, as documents.Finder.Find
	Online func(context.Context)                          // waits for the network; nil where it is not needed
}

// patience is how long a boot waits for the configuration. Then it is ready, and still asks.
const patience = 30 * time.Second

// Find looks for a configuration outside if there was none, and again whenever it is told to. It tells whether one came in
// time, be it good or not.
func (c *Config) Find(o Outside) bool {
	if c.there {
		c.Run("documents", func(ctx context.Context) error {
			nowhere := func(context.Context) (documents.Given, error) { return documents.Given{}, nil }
			seek.Follow(ctx, c.seeker(Outside{Find: nowhere}))
			return nil
		})
		return false
	}
	found := make(chan struct{})
	c.Run("documents", func(ctx context.Context) error {
		d := c.seeker(o)
		seek.First(ctx, d)
		close(found)
		seek.Follow(ctx, d)
		return nil
	})
	select {
	case <-found:
		return true
	case <-time.After(patience):
		c.Log.Warnf("there is no machine configuration after %s; the machine goes on asking", patience)
		return false
	}
}

// seeker is what it takes to look outside.
func (c *Config) seeker(o Outside) seek.Deps {
	return seek.Deps{
		Log: c.Log, Find: o.Find, Online: o.Online, Use: c.use, Again: c.again, Hostname: c.Hostname, Fault: c.Fault,
		Change: func(f func(*bootreport.Config)) { c.Change(func(r *bootreport.Report) { f(&r.Config) }) },
	}
}

// Again asks to look again.
func (c *Config) Again() {
	select {
	case c.again <- struct{}{}:
	default: // somebody has asked already
	}
}

// Package current is the machine configuration that a machine uses: the one that STATE has, or else one that came with the
// image, or else one that is found elsewhere. Later ones replace it, and STATE gets what is used.
//
// STATE may open late, as when its key is with a service in the network. What it has counts then as it would have before: it
// replaces what the machine has used meanwhile, which would otherwise be written over it.
package current

import (
	"context"
	"errors"
	"sync"
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
	again   chan struct{}      // holds one when somebody has asked to look again
	saved   watch.Value[bool]  // STATE has the one that is used

	mu     sync.Mutex
	loaded bool             // Load has been called
	looked bool             // STATE was there and was looked into
	there  bool             // whether STATE or the image had one, good or not
	booted *v1alpha1.Config // the main document of the first, or nil
	stop   func()           // ends the search outside; nil before it
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
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded = true
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

// Late uses the configuration of a STATE that was not there when the machine looked for one, and is now. It tells whether
// there is one.
func (c *Config) Late() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.loaded || c.looked {
		return false
	}
	found, said, err := c.kept()
	if err != nil {
		c.Fault(err)
	}
	if found == nil {
		return false
	}
	c.there = true
	if c.stop != nil {
		c.stop()
	}
	c.use(found, said)
	return true
}

// use reports a configuration, and hands it to the tasks if it is good. The caller has c.mu.
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
// time, from there or of a late STATE, be it good or not.
func (c *Config) Find(o Outside) bool {
	late := c.Late()
	c.mu.Lock()
	there := c.there
	c.mu.Unlock()
	if there {
		c.Run("documents", func(ctx context.Context) error {
			nowhere := func(context.Context) (documents.Given, error) { return documents.Given{}, nil }
			seek.Follow(ctx, c.seeker(Outside{Find: nowhere}, c.replace))
			return nil
		})
		return late
	}
	found := make(chan struct{})
	c.Run("documents", func(ctx context.Context) error {
		c.first(ctx, o)
		close(found)
		seek.Follow(ctx, c.seeker(o, c.replace))
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

// first looks outside until there is a configuration, there or in STATE.
func (c *Config) first(ctx context.Context, o Outside) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.mu.Lock()
	c.stop = stop
	if c.there {
		stop()
	}
	c.mu.Unlock()
	seek.First(ctx, c.seeker(o, func(found *config.Config, said bootreport.Config) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if ctx.Err() == nil {
			c.use(found, said)
		}
	}))
}

// replace uses a configuration that somebody has asked for: it counts more than what a STATE has that opens later.
func (c *Config) replace(found *config.Config, said bootreport.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = true
	c.use(found, said)
}

// seeker is what it takes to look outside.
func (c *Config) seeker(o Outside, use func(*config.Config, bootreport.Config)) seek.Deps {
	return seek.Deps{
		Log: c.Log, Find: o.Find, Online: o.Online, Use: use, Again: c.again, Hostname: c.Hostname, Fault: c.Fault,
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

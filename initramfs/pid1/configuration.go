package pid1

import (
	"context"
	"errors"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/documents/seek"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/network"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/configarea"
)

// collectConfigs keeps the machine configurations that the initramfs holds: it is gone after the next step, and a machine
// knows all that it is called by only when its drivers are loaded.
func (b *boot) collectConfigs() (err error) {
	b.configs, err = documents.Collect(b.m)
	return err
}

// loadConfig reads the configuration that the machine has kept, or else the one for it that came with the image. With a bad
// one the machine goes on without.
func (b *boot) loadConfig() error {
	kept, about, fault := b.keptConfig()
	if kept != nil {
		b.configs = nil
		b.useConfig(kept, about)
		return nil
	}
	known := hardware.Machine(b.m)
	c, said, err := documents.Load(b.configs, configarea.Machine{UUID: known.UUID, Serial: known.Serial, MACs: documents.MACs(b.m)})
	b.configs = nil
	b.useConfig(c, said)
	return errors.Join(fault, err)
}

// useConfig reports a configuration, and hands it to the tasks if it is good.
func (b *boot) useConfig(c *config.Config, said bootreport.Config) {
	if c != nil && c.Main() != nil {
		if b.booted == nil {
			b.booted = c.Main()
		}
		said.Pending = seek.Pending(b.booted, c.Main())
	}
	b.change(func(r *bootreport.Report) { r.Config = said })
	for _, f := range said.Findings {
		b.say().Warnf("machine configuration: %s", f)
	}
	if c == nil {
		return
	}
	from := said.Source
	if said.Match != "" {
		from += ", for " + said.Match
	}
	b.say().Infof("machine configuration: %d documents, %s", len(said.Documents), from)
	b.config.Set(c)
	if main := c.Main(); main != nil {
		b.network.config.Set(&main.Machine.Network)
		b.clock.use(main.Machine.Time)
	}
}

// patience is how long a boot waits for the configuration. Then it is ready, and still asks.
const patience = 30 * time.Second

// findConfig looks for a configuration elsewhere if none came with the image, and again when it is told to.
func (b *boot) findConfig() error {
	if b.source() != bootreport.SourceNone {
		b.group.Run("documents", func(ctx context.Context) error {
			seek.Follow(ctx, b.seeker(func(context.Context) (documents.Given, error) { return documents.Given{}, nil }))
			return nil
		})
		return nil
	}
	f, err := b.finder()
	d := b.seeker(func(ctx context.Context) (documents.Given, error) { return f.Find(ctx, b.variables()) })
	if f.Online() {
		d.Online = func(ctx context.Context) {
			b.network.status.Wait(ctx, func(s network.Status) bool { return s.Online && s.Settled })
		}
	}
	found := make(chan struct{})
	b.group.Run("documents", func(ctx context.Context) error {
		seek.First(ctx, d)
		close(found)
		seek.Follow(ctx, d)
		return nil
	})
	select {
	case <-found:
		return errors.Join(err, b.awaitNetwork())
	case <-time.After(patience):
		b.say().Warnf("there is no machine configuration after %s; the machine goes on asking", patience)
		return err
	}
}

// source is where the configuration came from.
func (b *boot) source() (s string) {
	b.look(func(r *bootreport.Report) { s = r.Config.Source })
	return s
}

// look lets f read the report, which is not changed by that.
func (r *reporting) look(f func(*bootreport.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.report)
}

// finder looks where the kernel arguments and the firmware say.
func (b *boot) finder() (documents.Finder, error) {
	args, err := readArguments(b.m)
	f := documents.Finder{Files: b.m, Serial: hardware.Machine(b.m).Serial, Download: documents.Downloader{
		Dial: b.m.Dial, Now: b.now, Roots: b.trusted, Proxy: b.node.Proxy,
	}}
	f.Argument, _ = args.Get(cmdline.Config)
	f.Platform, _ = args.Get(cmdline.Platform)
	return f, err
}

// seeker is what it takes to ask for a configuration.
func (b *boot) seeker(find func(context.Context) (documents.Given, error)) seek.Deps {
	return seek.Deps{
		Log: b.say(), Find: find, Use: b.useConfig, Again: b.again,
		Hostname: func(name string) { b.network.platform.Set(plan.Platformed{Hostname: name}) },
		Fault:    func(err error) { b.fault("sources", err, false) },
		Change:   func(f func(*bootreport.Config)) { b.change(func(r *bootreport.Report) { f(&r.Config) }) },
	}
}

// readAgain asks for the configuration to be read again.
func (b *boot) readAgain() {
	select {
	case b.again <- struct{}{}:
	default: // somebody has asked already
	}
}

// variables are what a URL may ask for, as far as it is known.
func (b *boot) variables() documents.Variables {
	known := hardware.Machine(b.m)
	s, _ := b.network.status.Get()
	v := documents.Variables{UUID: known.UUID, Serial: known.Serial, MAC: s.MAC()}
	if name := s.Plan.Hostname; name.Origin != plan.Default {
		v.Hostname = name.Value()
	}
	return v
}

// now is the clock, which is not earlier than the image: where it says otherwise it is wrong.
func (b *boot) now() time.Time {
	var built int64
	b.look(func(r *bootreport.Report) { built = r.Epoch })
	if now := time.Now(); now.Unix() > built {
		return now
	}
	return time.Unix(built, 0)
}

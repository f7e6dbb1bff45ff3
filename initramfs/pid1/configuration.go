package pid1

import (
	"context"
	"errors"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/network"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
	"github.com/bootwright/bootwright/internal/report"
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

// loadConfig reads this machine's configuration if one came with the image. With a bad one the machine goes on without.
func (b *boot) loadConfig() error {
	known := hardware.Machine(b.m)
	c, said, err := documents.Load(b.configs, configarea.Machine{UUID: known.UUID, Serial: known.Serial, MACs: documents.MACs(b.m)})
	b.configs = nil
	b.useConfig(c, said)
	return err
}

// useConfig reports a configuration, and hands it to the tasks if it is good.
func (b *boot) useConfig(c *config.Config, said bootreport.Config) {
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

// The waits of a machine for its configuration: patience is the boot's, after which it is ready and still asks; grace is
// for the network, before the first attempt; then the first and the longest wait between attempts, of a server and of a
// medium that somebody may plug in.
const (
	patience      = 30 * time.Second
	grace         = 10 * time.Second
	firstAgain    = 500 * time.Millisecond
	longestServer = time.Minute
	longestMedium = 5 * time.Second
)

// findConfig looks for a configuration elsewhere if none came with the image.
func (b *boot) findConfig() error {
	if source := b.source(); source != bootreport.SourceNone {
		return nil
	}
	args, err := readArguments(b.m)
	f := documents.Finder{Files: b.m, Serial: hardware.Machine(b.m).Serial, Download: documents.Downloader{
		Dial: b.m.Dial, Now: b.now, Roots: b.trusted, Proxy: b.node.Proxy,
	}}
	f.Argument, _ = args.Get(cmdline.Config)
	f.Platform, _ = args.Get(cmdline.Platform)
	found := make(chan struct{})
	b.group.Run("documents", func(ctx context.Context) error {
		defer close(found)
		b.seekConfig(ctx, f)
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

// seekConfig asks until there is a configuration, or until there is no sense in it. It says what it waits for.
func (b *boot) seekConfig(ctx context.Context, f documents.Finder) {
	longest := longestMedium
	if f.Online() {
		longest = longestServer
		online, cancel := context.WithTimeout(ctx, grace)
		b.network.status.Wait(online, func(s network.Status) bool { return s.Online && s.Settled })
		cancel()
	}
	complaint := ""
	for again := firstAgain; ; again = min(2*again, longest) {
		g, err := f.Find(ctx, b.variables())
		if err == nil || report.KindOf(err) == report.Unsupported {
			b.given(g, err)
			return
		}
		if text := err.Error(); text != complaint {
			complaint = text
			b.say().Warnf("machine configuration: %s", text)
			b.change(func(r *bootreport.Report) {
				r.Config = bootreport.Config{Source: g.Source, Origin: g.Origin, Waiting: text}
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// given uses what was found.
func (b *boot) given(g documents.Given, err error) {
	if g.Hostname != "" {
		b.network.platform.Set(plan.Platformed{Hostname: g.Hostname})
	}
	said := bootreport.Config{Source: bootreport.SourceNone}
	var c *config.Config
	if err == nil && g.Text != nil {
		c, said, err = documents.LoadGiven(g)
	}
	b.useConfig(c, said)
	if err != nil {
		b.say().Warnf("%v", err)
		b.fault("sources", err, false)
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

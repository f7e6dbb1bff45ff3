package pid1

import (
	"context"
	"errors"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/documents/current"
	"github.com/bootwright/bootwright/initramfs/pid1/documents/download"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/network"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/layout"
)

// newConfiguration is the machine configuration, of which nothing is known yet.
func (b *boot) newConfiguration() *current.Config {
	return current.New(current.Deps{
		M: b.m, Log: lateLog{b}, Value: &b.config, Run: b.group.Run, Change: b.report.Change,
		Who: func() configarea.Machine {
			known := hardware.Machine(b.m)
			return configarea.Machine{UUID: known.UUID, Serial: known.Serial, MACs: hardware.MACs(b.m)}
		},
		Use: func(main *v1alpha1.Config) {
			b.network.config.Set(&main.Machine.Network)
			b.clock.use(main.Machine.Time)
		},
		State: func() (dir string, changed <-chan struct{}) {
			s, changed := b.volumes.Status().Watch()
			return s.Mounts[layout.State], changed
		},
		Hostname: func(name string) { b.network.platform.Set(plan.Platformed{Hostname: name}) },
		Fault:    func(err error) { b.report.Fault("sources", err, false) },
	})
}

// findConfig looks for a configuration elsewhere if none came with the image, and again when it is told to.
func (b *boot) findConfig() error {
	if s, _ := b.volumes.Status().Get(); s.Locked[layout.State] { // its key may be with a service in the network
		b.warn(b.awaitVolume(layout.State, stateWait, true))
	}
	f, err := b.finder()
	o := current.Outside{Find: func(ctx context.Context) (documents.Given, error) { return f.Find(ctx, b.variables()) }}
	if f.Online() {
		o.Online = func(ctx context.Context) {
			b.network.status.Wait(ctx, func(s network.Status) bool { return s.Online && s.Settled })
		}
	}
	if b.current.Find(o) {
		err = errors.Join(err, b.awaitNetwork())
	}
	return err
}

// finder looks where the kernel arguments and the firmware say.
func (b *boot) finder() (documents.Finder, error) {
	args, err := readArguments(b.m)
	f := documents.Finder{Files: b.m, Serial: hardware.Machine(b.m).Serial, Download: download.Client{
		Dial: b.m.Dial, Now: b.report.Now, Roots: b.trusted, Proxy: b.node.Proxy,
	}}
	f.Argument, _ = args.Get(cmdline.Config)
	f.Platform, _ = args.Get(cmdline.Platform)
	return f, err
}

// variables are what a URL may ask for, as far as it is known.
func (b *boot) variables() download.Variables {
	known := hardware.Machine(b.m)
	s, _ := b.network.status.Get()
	v := download.Variables{UUID: known.UUID, Serial: known.Serial, MAC: s.MAC()}
	if name := s.Plan.Hostname; name.Origin != plan.Default {
		v.Hostname = name.Value()
	}
	return v
}

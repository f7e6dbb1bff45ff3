package pid1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/layout"
	plan "github.com/bootwright/bootwright/machine/volumes"
)

// How long a boot waits for a volume, which may have to be made, while nothing is done for it; after that it goes on, and so does
// the volume.
const (
	stateWait = 30 * time.Second
	varWait   = time.Minute
)

// startVolumes begins to find and make volumes, and waits for STATE, which may have the machine configuration. With a wrong
// talos.experimental.wipe nothing is wiped.
func (b *boot) startVolumes() error {
	args, err := readArguments(b.m)
	text, _ := args.Get(cmdline.Wipe)
	wipe, wrong := plan.ParseWipe(text)
	b.volumes = volumes.New(volumes.Deps{
		M: b.m, Config: &b.config, Wipe: wipe, Log: b.say(), Open: b.openEncrypted(b.newOpener()),
		Disks:   b.disks,
		Changed: func() <-chan struct{} { _, c := b.disks.Volumes.Watch(); return c },
		Load:    func(filesystem string) error { return b.modules.Load(filesystem) },
		Report: func(c []bootreport.VolumeConfig, v []bootreport.Volume, m []bootreport.Mount) {
			b.report.Change(func(r *bootreport.Report) { r.SetVolumes(c, v, m) })
		},
	})
	b.group.Run("volumes", b.volumes.Run)
	b.group.Run("keep-config", b.current.Keep)
	b.warn(b.awaitVolume(layout.State, stateWait, false))
	return errors.Join(err, wrong)
}

// discover looks at all disks anew.
func (b *boot) discover(ctx context.Context) ([]blockdev.Disk, []blockdev.Volume, error) {
	err := b.disks.Refresh(ctx)
	disks, found := b.disks.Found()
	return disks, found, err
}

// awaitVolume waits until nothing more becomes of a volume by itself, with the configuration that there is. One that is locked
// is waited for where another attempt to open it may fare better. Each step that is done, such as a key derived, gives it the limit
// anew, and one that takes longer is waited for. The error is that the volume is not there.
func (b *boot) awaitVolume(id string, limit time.Duration, locked bool) error {
	is := func(s volumes.Status) bool {
		now, _ := b.config.Get()
		return s.Config == now && s.Settled(id) && !(locked && s.Locked[id])
	}
	for done := 0; ; {
		ctx, cancel := context.WithTimeout(b.group.Context(), limit)
		s, err := b.volumes.Status().Wait(ctx, func(s volumes.Status) bool { return is(s) || s.Done > done })
		cancel()
		if err != nil && s.Slow {
			if s, _ = b.volumes.Status().Wait(b.group.Context(), func(s volumes.Status) bool { return !s.Slow || s.Done > done }); s.Done > done {
				continue
			}
		}
		switch {
		case b.group.Context().Err() != nil || err == nil && is(s):
			return nil
		case err != nil:
			return fmt.Errorf("volume %s is %s, and for %s nothing was done for it; the boot goes on without", id, cmp.Or(s.Volume(id).Phase, plan.Missing), limit)
		}
		done = s.Done
	}
}

func (b *boot) warn(err error) {
	if err != nil {
		b.say().Warnf("%v", err)
	}
}

// awaitVar waits for /var, if there is a configuration that says what is to be in it. Before there is a network that is of no
// use where it is locked, and one that is late may still come in time.
func (b *boot) awaitVar() error {
	if c, _ := b.config.Get(); c != nil {
		b.warn(b.awaitVolume(layout.Ephemeral, varWait, false))
	}
	return nil
}

// awaitLocked waits for /var once more, now that there is a network.
func (b *boot) awaitLocked() error {
	if c, _ := b.config.Get(); c != nil {
		return b.awaitVolume(layout.Ephemeral, varWait, true)
	}
	return nil
}

package pid1

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/layout"
	plan "github.com/bootwright/bootwright/machine/volumes"
)

// What a boot waits for a volume, which may have to be made, at most; after that it goes on, and so does the volume.
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
		Discover: volumes.Discovery(b.disks.Refresh, &b.disks.Disks, &b.disks.Volumes),
		Changed:  func() <-chan struct{} { _, c := b.disks.Volumes.Watch(); return c },
		Report: func(c []bootreport.VolumeConfig, v []bootreport.Volume, m []bootreport.Mount) {
			b.change(func(r *bootreport.Report) { r.SetVolumes(c, v, m) })
		},
	})
	b.group.Run("volumes", b.volumes.Run)
	b.group.Run("keep-config", b.keepConfig)
	return errors.Join(err, wrong, b.awaitVolume(layout.State, stateWait))
}

// awaitVolume waits until nothing more becomes of a volume by itself, with the configuration that there is.
func (b *boot) awaitVolume(id string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(b.group.Context(), limit)
	defer cancel()
	s, err := b.volumes.Status().Wait(ctx, func(s volumes.Status) bool {
		now, _ := b.config.Get()
		return s.Config == now && s.Settled(id)
	})
	if v := s.Volume(id); err != nil && b.group.Context().Err() == nil {
		b.say().Warnf("volume %s is %s after %s; the boot goes on", id, v.Phase, limit)
	}
	return nil
}

// awaitVar waits for /var, if there is a configuration that says what is to be in it.
func (b *boot) awaitVar() error {
	if c, _ := b.config.Get(); c == nil {
		return nil
	}
	return b.awaitVolume(layout.Ephemeral, varWait)
}

// configFile is the machine configuration in STATE.
const configFile = "config.yaml"

// keptConfig reads the configuration that STATE has. Where it has none there is nothing to say; one that is not good is a fault,
// and gives way to the next that the machine finds.
func (b *boot) keptConfig() (c *config.Config, said bootreport.Config, err error) {
	s, _ := b.volumes.Status().Get()
	dir := s.Mounts[layout.State]
	if dir == "" {
		return nil, bootreport.Config{Source: bootreport.SourceNone}, nil
	}
	file := path.Join(dir, configFile)
	text, err := b.m.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, bootreport.Config{Source: bootreport.SourceNone}, nil
	}
	if err != nil {
		return nil, said, err
	}
	return documents.LoadGiven(documents.Given{Source: bootreport.SourceState, Origin: file, Text: text})
}

// keepConfig writes the configuration that the machine uses into STATE, whenever it is another.
func (b *boot) keepConfig(ctx context.Context) error {
	for {
		c, configured := b.config.Watch()
		s, changed := b.volumes.Status().Watch()
		if dir := s.Mounts[layout.State]; dir != "" && c != nil {
			saved, err := saveConfig(b.m, dir, c.Bytes())
			if err != nil {
				return err
			}
			if saved {
				b.say().Infof("the machine configuration is kept in %s", layout.State)
			}
		}
		select {
		case <-configured:
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// saveConfig is false where the configuration is there already.
func saveConfig(m kernel.Kernel, dir string, text []byte) (bool, error) {
	if kept, err := m.ReadFile(path.Join(dir, configFile)); err == nil && bytes.Equal(kept, text) {
		return false, nil
	}
	return true, m.ReplaceFile(dir, configFile, text, 0o600)
}

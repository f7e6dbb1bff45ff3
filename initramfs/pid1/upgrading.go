package pid1

import (
	"context"
	"errors"
	"runtime"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/upgrading"
	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/machine/layout"
	plan "github.com/bootwright/bootwright/machine/volumes"
)

// startTrial finds out which of the systems on the disk this is. One on trial has to become ready; a staged upgrade waits until it has.
func (b *boot) startTrial() error {
	err := b.mountFirmwareVariables()
	args, fault := readArguments(b.m)
	s := upgrading.New(upgrading.Deps{
		M: b.m, Args: args, Log: b.say(), Meta: b.volumes.ChangeMeta, Report: b.report.Change, Ready: b.ready,
		Kept:    b.keptEncrypted,
		Volumes: &b.disks.Volumes,
		Restart: func() { b.group.Go("restart", func() { b.shutdown(kernel.Restart) }) },
	})
	b.group.Run("trial", s.Run)
	b.group.Run("forget-copies", s.Forget)
	b.group.Run("staged-upgrade", func(ctx context.Context) error {
		return s.Staged(ctx, upgrading.Staging{
			Arch: runtime.GOARCH, Config: &b.config, Network: b.waitNetwork("addresses"), Time: b.waitTime(),
			Env: b.serviceEnvironment, Add: b.services.Add, Processes: b.m,
		})
	})
	return errors.Join(err, fault)
}

// keptEncrypted waits until STATE is encrypted and has the machine configuration.
func (b *boot) keptEncrypted(ctx context.Context) error {
	_, err := b.volumes.Status().Wait(ctx, func(s volumes.Status) bool {
		v := s.Volume(layout.State)
		return v.Encryption != nil && v.Phase == plan.Ready && s.Mounts[layout.State] != ""
	})
	if err != nil {
		return err
	}
	return b.current.Kept(ctx)
}

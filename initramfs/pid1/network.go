package pid1

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/identity"
	"github.com/bootwright/bootwright/initramfs/pid1/network"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// networking is what the network's task shares with others.
type networking struct {
	config   watch.Value[*v1alpha1.Network]
	platform watch.Value[plan.Platformed]
	status   watch.Value[network.Status]
	shown    bootreport.Network // in the boot report; guarded by boot.mu
}

// networkLimit is how long the boot waits until the network is what the configuration says, DHCP aside. It takes milliseconds, and
// seconds where a slow machine loads modules for it.
const networkLimit = 15 * time.Second

// startNetwork starts the task that keeps the network. With the configuration that came with the image the network is as it
// should be, DHCP aside, when this returns.
func (b *boot) startNetwork() error {
	args, _ := readArguments(b.m)
	said, err := args.Network()
	task := network.New(network.Deps{
		Machine: b.m, Log: b.say(), Args: said, Hostname: identity.Hostname(hardware.ID(b.m)),
		Config: &b.network.config, Platform: &b.network.platform, Status: &b.network.status,
		Spawn: func(f func()) { b.group.Go("network", f) },
	})
	b.group.Run("network", task.Run)
	err = errors.Join(err, b.awaitNetwork())
	b.group.Run("network-report", func(ctx context.Context) error { return b.network.status.Each(ctx, b.showNetwork) })
	return err
}

// awaitNetwork waits until the network follows the configuration, and reports it.
func (b *boot) awaitNetwork() error {
	config, _ := b.network.config.Get()
	ctx, cancel := context.WithTimeout(context.Background(), networkLimit)
	defer cancel()
	s, err := b.network.status.Wait(ctx, func(s network.Status) bool { return s.Made && s.Config == config })
	if err != nil {
		return fmt.Errorf("the network is not up after %s", networkLimit)
	}
	b.showNetwork(s)
	return nil
}

// showNetwork keeps the network's part of the boot report.
func (b *boot) showNetwork(s network.Status) {
	b.mu.Lock()
	same := reflect.DeepEqual(b.network.shown, s.Report)
	b.network.shown = s.Report
	b.mu.Unlock()
	if !same {
		b.report.Change(func(r *bootreport.Report) { r.Network, r.Hostname = s.Report, s.Plan.Hostname.Value() })
	}
}

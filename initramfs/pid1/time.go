package pid1

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock"
	"github.com/bootwright/bootwright/initramfs/pid1/network"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// timekeeping is what the clock's task shares with others.
type timekeeping struct {
	config  watch.Value[clock.Config]
	network watch.Value[clock.Network]
	status  watch.Value[clock.Status]
}

// use hands the task a machine's configuration.
func (t *timekeeping) use(c v1alpha1.Time) {
	t.config.Set(clock.Config{
		Disabled: c.Disabled != nil && *c.Disabled, Servers: c.Servers, BootTimeout: time.Duration(c.BootTimeout),
	})
}

// clockLimit is how long setting the clock to the image's build time may take, which is a system call.
const clockLimit = time.Second

// startTime starts the task that keeps the clock. When it returns, the clock is not earlier than the image.
func (b *boot) startTime() error {
	b.group.Run("time-network", func(ctx context.Context) error {
		return b.network.status.Each(ctx, func(s network.Status) {
			b.clock.network.Set(clock.Network{Online: s.Online, Servers: s.Plan.NTP.Values})
		})
	})
	d := clock.Deps{
		Machine: b.m, Log: b.say(), Built: b.report.Built(),
		Config: &b.clock.config, Network: &b.clock.network, Status: &b.clock.status,
	}
	b.group.Run("time", func(ctx context.Context) error { return clock.Run(ctx, d) })
	ctx, cancel := context.WithTimeout(context.Background(), clockLimit)
	defer cancel()
	_, err := b.clock.status.Wait(ctx, func(s clock.Status) bool { return s.Servers != nil })
	if err != nil {
		err = fmt.Errorf("the clock is not under control after %s", clockLimit)
	}
	b.group.Run("time-report", b.reportTime)
	return err
}

// reportTime keeps the clock's part of the boot report, for other news than figures.
func (b *boot) reportTime(ctx context.Context) error {
	var shown clock.Status
	return b.clock.status.Each(ctx, func(s clock.Status) {
		s.Offset, s.Jitter, s.PollInterval = 0, 0, 0
		if !reflect.DeepEqual(s, shown) {
			shown = s
			b.report.Change(b.showClock)
		}
	})
}

// showClock puts the clock into the report.
func (b *boot) showClock(r *bootreport.Report) {
	s, _ := b.clock.status.Get()
	r.Clock = s.Report(b.m.Now(), time.Unix(r.Epoch, 0))
}

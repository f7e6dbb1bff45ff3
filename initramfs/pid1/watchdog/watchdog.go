// Package watchdog keeps a hardware watchdog fed as long as init lives, by the WatchdogTimerConfig of the machine
// configuration (Documentation/watchdog/watchdog-api.rst).
package watchdog

import (
	"context"
	"fmt"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/kinds"
)

// Deps are what Run needs.
type Deps struct {
	M      kernel.Watchdogs
	Config *watch.Value[*config.Config]
	Report func(*bootreport.Watchdog) // is called with each change; nil is that there is none
}

const (
	defaultTimeout = time.Minute
	again          = time.Second // after a device could not be opened; its driver may come later
	perTimeout     = 3           // pings
)

// Run is a task: it runs the watchdog that the configuration asks for until ctx ends, and then stops it.
func Run(ctx context.Context, d Deps) error {
	for ctx.Err() == nil {
		c, changed := d.Config.Watch()
		want := wanted(c)
		if want == nil {
			d.Report(nil)
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if err := d.feed(ctx, *want); err != nil {
			d.Report(&bootreport.Watchdog{Device: want.Device, Fault: err.Error()})
			select {
			case <-time.After(again):
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func wanted(c *config.Config) *kinds.WatchdogTimerConfig {
	if c == nil {
		return nil
	}
	for _, w := range config.All[*kinds.WatchdogTimerConfig](c) {
		return w
	}
	return nil
}

// feed pings a watchdog until the configuration asks for another, or ctx ends, and stops it.
func (d Deps) feed(ctx context.Context, want kinds.WatchdogTimerConfig) error {
	w, err := d.M.OpenWatchdog(want.Device)
	if err != nil {
		return err
	}
	timeout := time.Duration(want.Timeout)
	if timeout == 0 {
		timeout = defaultTimeout
	}
	is, err := w.SetTimeout(timeout)
	if err != nil {
		w.Disarm()
		return err
	}
	d.Report(&bootreport.Watchdog{Device: want.Device, TimeoutS: int(is.Seconds())})
	tick := time.NewTicker(max(is/perTimeout, time.Second))
	defer tick.Stop()
	for {
		if err := w.Ping(); err != nil {
			w.Disarm()
			return fmt.Errorf("ping %s: %w", want.Device, err)
		}
		c, changed := d.Config.Watch()
		if now := wanted(c); now == nil || now.Device != want.Device || now.Timeout != want.Timeout {
			return w.Disarm()
		}
		select {
		case <-tick.C:
		case <-changed:
		case <-ctx.Done():
			return w.Disarm()
		}
	}
}

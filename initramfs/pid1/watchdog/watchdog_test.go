package watchdog

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
)

// TestRun: a watchdog is opened, pinged in time, set anew when the configuration changes, and
// stopped in the end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, nil)
		w := &fake.Watchdog{Longest: 45 * time.Second}
		m.Watchdogs = map[string]*fake.Watchdog{"/dev/watchdog0": w}
		var c watch.Value[*config.Config]
		var said *bootreport.Watchdog
		set := func(timeout string) {
			d, err := config.Load("test", []byte("apiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /dev/watchdog0\ntimeout: "+timeout+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			c.Set(d)
		}
		set("30s")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- Run(ctx, Deps{M: m, Config: &c, Report: func(r *bootreport.Watchdog) { said = r }})
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if timeout, pings, armed := w.State(); timeout != 30*time.Second || pings < 5 || !armed || said.TimeoutS != 30 || said.Fault != "" {
			t.Errorf("%s, %d pings, %t, %+v", timeout, pings, armed, said)
		}
		set("2m")
		synctest.Wait()
		if timeout, _, armed := w.State(); timeout != 45*time.Second || !armed || said.TimeoutS != 45 {
			t.Errorf("%s, %t, %+v", timeout, armed, said)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, _, armed := w.State(); armed {
			t.Error("it still runs")
		}
	})
}

// TestMissing: a machine without the device says so, and asks again.
func TestMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c watch.Value[*config.Config]
		d, err := config.Load("test", []byte("apiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /dev/watchdog0\n"))
		if err != nil {
			t.Fatal(err)
		}
		c.Set(d)
		var said *bootreport.Watchdog
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- Run(ctx, Deps{M: fake.New(t, nil), Config: &c, Report: func(r *bootreport.Watchdog) { said = r }})
		}()
		synctest.Wait()
		if said == nil || said.Fault == "" {
			t.Errorf("%+v", said)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

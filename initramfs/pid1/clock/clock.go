// Package clock keeps the machine's clock right: by NTP servers or a hardware clock, stepping what is far off and slewing
// the rest away. docs/time.md has the rules.
//
// Sub-packages ask a server (sntp) and tell spoiled measurements (spike). Left out: choosing among servers by the
// intersection algorithm of RFC 5905, a drift file, NTS, PTP over the network.
package clock

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/spike"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
)

// DefaultServer is asked where neither the configuration nor the network names one.
const DefaultServer = "time.cloudflare.com"

// Config is machine.time of the machine configuration.
type Config struct {
	Disabled    bool          // the clock is left alone and taken as right
	Servers     []string      // host names, addresses, or devices such as /dev/ptp0
	BootTimeout time.Duration // after the start, when the clock is taken as right whatever it is; zero is never
}

// Log is where the task says what it does. Debug lines come with every measurement.
type Log interface {
	Debugf(format string, args ...any)
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Machine is what the task needs of it.
type Machine interface {
	kernel.Clock
	kernel.Files
	kernel.Names
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Network is what the task needs to know of the network.
type Network struct {
	Online  bool     // others can be reached; only devices are asked before
	Servers []string // that the network names, used where Config names none
}

// Deps is what the task works with.
type Deps struct {
	Machine Machine
	Log     Log
	Built   time.Time // when the image was made: it cannot be earlier
	Config  *watch.Value[Config]
	Network *watch.Value[Network]
	Status  *watch.Value[Status] // set by the task
}

// task is a clock being kept.
type task struct {
	Deps
	started time.Time

	servers   servers
	source    string // the server of the last measurement that was acted upon
	spikes    spike.Detector
	interval  time.Duration // between polls; zero before the first
	burst     int           // questions that are left in this poll, with that under way; noBurst for never
	free      bool          // the clock has run freely since a burst
	claim     claim
	complaint string // the last warning, without figures; "" when all is well
	followed  bool   // a server, ever

	mu      sync.Mutex
	status  Status
	expired bool // BootTimeout
}

// Run keeps the clock until ctx ends.
func Run(ctx context.Context, d Deps) error {
	t := &task{Deps: d, started: time.Now()}
	t.raiseToFloor()
	for ctx.Err() == nil {
		s, _, _ := t.settings()
		t.use(ctx, s)
	}
	return nil
}

// raiseToFloor makes the clock at least the time when the image was made, so that nothing trusts what has long expired.
func (t *task) raiseToFloor() {
	now := t.Machine.Now()
	ahead := t.Built.Sub(now)
	if ahead <= 0 {
		return
	}
	if _, err := t.Machine.AdjustClock(kernel.Adjustment{Offset: ahead, Step: true, MaxError: maxError, EstError: maxError}); err != nil {
		t.fail(err)
		return
	}
	t.Log.Warnf("the clock said %s; it is set to when the image was built, %s", stamp(now), stamp(t.Built))
	t.changed(ahead)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// use follows settings until they change.
func (t *task) use(ctx context.Context, s settings) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go t.cancelOnChange(ctx, s, cancel)
	if s.BootTimeout > 0 {
		timer := time.AfterFunc(time.Until(t.started.Add(s.BootTimeout)), func() { t.expire(s.BootTimeout) })
		defer timer.Stop()
	}
	t.complaint = ""
	t.update(func(st *Status) { st.Disabled, st.Servers, st.Faults = s.Disabled, s.Servers, nil })
	if s.Disabled {
		t.Log.Infof("time synchronisation is disabled")
		<-ctx.Done()
		return
	}
	if !t.servers.are(s.Servers) {
		t.servers = servers{names: s.Servers}
		t.interval, t.burst, t.claim = 0, 0, claim{}
		for _, name := range s.Servers {
			if isDevice(name) {
				t.Log.Infof("PTP device %s: %s", name, t.clockName(name))
			}
		}
	}
	if !s.askable() {
		<-ctx.Done()
	}
	for ctx.Err() == nil {
		wait := t.poll(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// expire takes the clock as right.
func (t *task) expire(after time.Duration) {
	t.mu.Lock()
	late := !t.status.Synced
	t.expired = true
	t.mu.Unlock()
	if late {
		t.Log.Warnf("time is not synchronised after %s; it is taken as it is", after)
	}
	t.update(func(*Status) {})
}

package logs

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ship"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/kinds"
)

// Config is where logs are sent. The zero Config sends nothing.
type Config struct {
	Services []Destination // the logs of all services
	Kernel   []Destination // the kernel's
}

// Destination is one place.
type Destination struct {
	URL  string            // tcp:// or udp://, host and port
	Tags map[string]string // additional fields, which replace others of the same name
}

// Configure is what a machine configuration, which may be nil, and the kernel's arguments say.
func Configure(c *config.Config, args cmdline.Args) Config {
	var out Config
	for _, url := range args.All(cmdline.KernelLog) {
		out.Kernel = append(out.Kernel, Destination{URL: url})
	}
	if c == nil {
		return out
	}
	for _, doc := range config.All[*kinds.KmsgLogConfig](c) {
		out.Kernel = append(out.Kernel, Destination{URL: doc.URL})
	}
	if main := c.Main(); main != nil {
		for _, d := range main.Machine.Logging.Destinations {
			out.Services = append(out.Services, Destination{d.Endpoint, d.ExtraTags})
		}
	}
	return out
}

// ReadKernel is the task that follows the kernel log, until ctx ends.
func (l *Logs) ReadKernel(ctx context.Context, k kernel.Kmsg) error { return l.kernel.Run(ctx, k) }

// Deps are what Run needs.
type Deps struct {
	Config *watch.Value[Config]
	Log    ship.Log
	Dial   func(ctx context.Context, network, address string) (net.Conn, error) // nil is a net.Dialer's
	Go     func(name string, f func())                                          // starts a goroutine; nil is a plain one
}

// key tells destinations apart: one that gets other tags stays the same and goes on where it was.
type key struct{ url, logs string }

// The logs of a key.
const (
	ofServices = "services"
	ofKernel   = "kernel"
)

// running is a destination with its goroutine.
type running struct {
	*ship.Destination
	stop  context.CancelFunc
	ended chan struct{}
}

// Run is the task that sends logs to where the configuration says, and follows its changes, until ctx ends. What there is
// to say then has a second to go.
func (l *Logs) Run(ctx context.Context, deps Deps) error {
	if deps.Dial == nil {
		deps.Dial = new(net.Dialer).DialContext
	}
	if deps.Go == nil {
		deps.Go = func(_ string, f func()) { go f() }
	}
	for {
		now, changed := deps.Config.Watch()
		l.follow(ctx, now, deps)
		select {
		case <-changed:
		case <-ctx.Done():
			l.follow(ctx, Config{}, deps)
			return nil
		}
	}
}

// follow starts and stops destinations so that they are those of c.
func (l *Logs) follow(ctx context.Context, c Config, deps Deps) {
	wanted := map[key]map[string]string{}
	for _, d := range c.Services {
		wanted[key{d.URL, ofServices}] = d.Tags
	}
	for _, d := range c.Kernel {
		wanted[key{d.URL, ofKernel}] = d.Tags
	}
	l.stop(wanted)
	for k, tags := range wanted {
		if endpoint, err := ship.ParseEndpoint(k.url); err != nil {
			l.refuse(k, err)
			deps.Log.Warnf("%v", err)
		} else {
			l.start(ctx, k, endpoint, tags, deps)
		}
	}
}

// stop ends the destinations that are not wanted, and waits for them.
func (l *Logs) stop(wanted map[key]map[string]string) {
	var ending sync.WaitGroup
	l.mu.Lock()
	l.refused = nil
	maps.DeleteFunc(l.running, func(k key, d *running) bool {
		if _, ok := wanted[k]; ok {
			return false
		}
		d.stop()
		ending.Go(func() { <-d.ended })
		return true
	})
	l.mu.Unlock()
	ending.Wait()
}

func (l *Logs) refuse(k key, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = append(l.refused, bootreport.LogDestination{URL: k.url, Logs: k.logs, State: "refused", Error: err.Error()})
}

// start begins a destination, or gives the one that runs its tags.
func (l *Logs) start(ctx context.Context, k key, endpoint ship.Endpoint, tags map[string]string, deps Deps) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.running[k]
	if d != nil {
		d.SetTags(tags)
		return
	}
	d = &running{ended: make(chan struct{})}
	d.Destination = ship.New(k.url, endpoint, ship.Deps{Streams: l.streams(k), Changed: &l.changed, Dial: deps.Dial, Log: deps.Log})
	d.SetTags(tags)
	ctx, d.stop = context.WithCancel(ctx)
	l.running[k] = d
	deps.Go("logs to "+k.url, func() {
		defer close(d.ended)
		d.Run(ctx)
	})
}

// streams are what a destination gets.
func (l *Logs) streams(k key) func() []ship.Stream {
	if k.logs == ofKernel {
		kernel := []ship.Stream{{Ring: l.kernel.Ring, Fields: l.kernelFields}}
		return func() []ship.Stream { return kernel }
	}
	return func() []ship.Stream {
		l.mu.Lock()
		defer l.mu.Unlock()
		all := make([]ship.Stream, len(l.services))
		for i, s := range l.services {
			all[i] = s.Stream
		}
		return slices.Clip(all)
	}
}

// statePause is the time between looks at what has become of the destinations.
const statePause = 5 * time.Second

// WatchStates is the task that calls changed when a destination has come or gone, until ctx ends.
func (l *Logs) WatchStates(ctx context.Context, changed func()) error {
	var shown []string
	for {
		var now []string
		for _, d := range l.Report().Destinations {
			now = append(now, d.URL+" "+d.State)
		}
		if !slices.Equal(now, shown) {
			shown = now
			changed()
		}
		select {
		case <-time.After(statePause):
		case <-ctx.Done():
			return nil
		}
	}
}

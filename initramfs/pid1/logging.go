package pid1

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/logs"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// logging is what the machine keeps of what is said, and where it goes.
type logging struct {
	*logs.Logs
	config watch.Value[logs.Config]
}

// startLogs begins to keep the kernel's log, and to send logs to where the configuration and the kernel arguments say.
func (b *boot) startLogs() error {
	args, err := readArguments(b.m)
	b.logs.config.Set(logs.Configure(nil, args))
	b.group.Run("kernel-log", func(ctx context.Context) error { return b.logs.ReadKernel(ctx, b.m) })
	b.group.Run("logs", func(ctx context.Context) error {
		return b.logs.Run(ctx, logs.Deps{Config: &b.logs.config, Log: b.say(), Dial: b.m.Dial, Go: b.group.Go})
	})
	b.group.Run("logs-config", func(ctx context.Context) error {
		for {
			c, changed := b.config.Watch()
			b.logs.config.Set(logs.Configure(c, args))
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
		}
	})
	b.group.Run("logs-report", b.reportLogs)
	return err
}

// logsPause is the time between looks at what has become of the destinations.
const logsPause = 5 * time.Second

// reportLogs reports when a destination has come or gone; how much was sent is in the report whenever that is printed.
func (b *boot) reportLogs(ctx context.Context) error {
	shown := logStates(bootreport.Logs{})
	for {
		if now := logStates(b.logs.Report()); !slices.Equal(now, shown) {
			shown = now
			b.change(func(*bootreport.Report) {}) // announce has the figures
		}
		select {
		case <-time.After(logsPause):
		case <-ctx.Done():
			return nil
		}
	}
}

func logStates(l bootreport.Logs) []string {
	var out []string
	for _, d := range l.Destinations {
		out = append(out, d.URL+" "+d.State)
	}
	return out
}

// serviceLog takes what a service prints.
func (b *boot) serviceLog(name string) io.WriteCloser { return b.logs.Service(name) }

package pid1

import (
	"context"
	"io"

	"github.com/bootwright/bootwright/initramfs/pid1/logs"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
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
		return b.config.Each(ctx, func(c *config.Config) { b.logs.config.Set(logs.Configure(c, args)) })
	})
	b.group.Run("logs-report", func(ctx context.Context) error {
		// How much was sent is in the report whenever that is printed.
		return b.logs.WatchStates(ctx, func() { b.report.Change(func(*bootreport.Report) {}) })
	})
	return err
}

// serviceLog takes what a service prints.
func (b *boot) serviceLog(name string) io.WriteCloser { return b.logs.Service(name) }

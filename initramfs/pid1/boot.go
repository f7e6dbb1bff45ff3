package pid1

import (
	"context"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/console"
	"github.com/bootwright/bootwright/initramfs/pid1/disks"
	"github.com/bootwright/bootwright/initramfs/pid1/documents/current"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/logs"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/initramfs/pid1/node"
	"github.com/bootwright/bootwright/initramfs/pid1/reporting"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/supervise"
	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
)

// boot is a boot that is going on.
type boot struct {
	m       kernel.Kernel
	root    rootfs.Root
	group   *supervise.Group
	modules *modules.Loader
	disks   *disks.Watcher
	volumes *volumes.Runner

	report  *reporting.Report
	config  watch.Value[*config.Config] // the machine configuration; nil is none
	current *current.Config             // finds and keeps it

	network  networking
	clock    timekeeping
	node     *node.Node
	logs     logging
	services *services.Runner

	mu  sync.Mutex
	log *console.Log

	ready chan struct{} // closed when the machine is ready
	end   sync.Once
	ended chan struct{}
}

// step is one thing that a boot does. Where must is set, the boot ends with its failure.
type step struct {
	name string
	must bool
	do   func() error
}

// steps are the boot, in order.
func (b *boot) steps() []step {
	return []step{
		{"mounts", true, b.mountKernelFileSystems},
		{"submounts", false, b.mountSub},
		{"settings", false, b.setKernel},
		{"console", false, b.openConsole},
		{"arguments", false, b.readArguments},
		{"logs", false, b.startLogs},
		{"release", false, b.readRelease},
		{"configs", false, b.current.Collect},
		{"root-modules", false, b.loadRootModules},
		{"extensions", false, b.readExtensions},
		{"root", true, b.mountRoot},
		{"writable", false, b.root.MountWritable},
		{"switch", true, b.root.Switch},
		{"modules", false, b.loadDeviceModules},
		{"disks", false, b.watchDisks},
		{"state", false, b.startVolumes},
		{"trial", false, b.startTrial},
		{"installation", false, b.startInstallation},
		{"documents", false, b.current.Load},
		{"var", false, b.awaitVar},
		{"identity", false, b.identify},
		{"node", false, b.startNode},
		{"network", false, b.startNetwork},
		{"time", false, b.startTime},
		{"sources", false, b.findConfig},
		{"hardware", false, b.inspectHardware},
		{"volumes", false, b.awaitLocked},
		{"applied", false, b.awaitNode},
		{"services", false, b.startServices},
	}
}

// Run boots m and keeps it running. On a real machine it does not return.
func Run(m kernel.Kernel) {
	b := &boot{m: m, report: reporting.New(), ready: make(chan struct{}), ended: make(chan struct{})}
	b.logs.Logs = logs.New(m.SinceBoot)
	b.root = b.newRoot()
	b.group = supervise.New(b.panicked, b.taskFailed)
	b.current = b.newConfiguration()
	b.services = b.newServices()
	b.group.Go("signals", b.obeySignals)
	b.group.Go("boot", b.boot)
	<-b.ended
}

// boot does the steps and says how they went.
func (b *boot) boot() {
	b.report.Phase("kernel", 0, b.m.SinceBoot())
	for _, s := range b.steps() {
		start := b.m.SinceBoot()
		err := s.do()
		b.report.Phase(s.name, start, b.m.SinceBoot())
		if b.group.Context().Err() != nil { // the machine shuts down
			return
		}
		if err == nil {
			continue
		}
		b.report.Fault(s.name, err, s.must)
		if s.must {
			b.inspect()
			b.announce("error: the boot failed: " + s.name + ": " + err.Error())
			b.giveUp()
			return
		}
		b.say().Warnf("%s: %v", s.name, err)
	}
	b.report.Change(func(r *bootreport.Report) { r.ReadyMS = b.m.SinceBoot().Milliseconds() })
	b.announce("machine is ready")
	close(b.ready)
	b.group.Run("report", func(ctx context.Context) error { return b.report.Keep(ctx, func() { b.announce("") }) })
}

// say is the log, which a failure may need before its step.
func (b *boot) say() *console.Log {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.log == nil {
		args, _ := readArguments(b.m)
		b.log = console.Open(b.m, func(f func()) { b.group.Go("console", f) }, console.IsVerbose(args))
		b.log.Tee(b.logs.Say)
	}
	return b.log
}

// taskFailed and panicked are what the group calls.
func (b *boot) taskFailed(name string, err error, again time.Duration) {
	b.say().Warnf("%s: %v; again in %s", name, err, again)
}

func (b *boot) panicked(name string, value any, stack []byte) {
	b.say().Errorf("panic in %s: %v\n%s", name, value, stack)
	b.giveUp()
}

package pid1

import (
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/console"
	"github.com/bootwright/bootwright/initramfs/pid1/disks"
	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/logs"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/initramfs/pid1/node"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/supervise"
	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// boot is a boot that is going on.
type boot struct {
	m       kernel.Kernel
	root    rootfs.Root
	group   *supervise.Group
	modules *modules.Loader
	disks   *disks.Watcher
	volumes *volumes.Runner

	*reporting                    // the boot report
	configs    []documents.Source // machine configurations in the initramfs
	network    networking
	clock      timekeeping
	node       *node.Node
	logs       logging

	config   watch.Value[*config.Config] // the machine configuration; nil is none
	booted   *v1alpha1.Config            // the main document of the first, or nil
	again    chan struct{}               // holds one when somebody has asked to read the configuration again
	services *services.Runner

	mu  sync.Mutex
	log *console.Log

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
		{"configs", false, b.collectConfigs},
		{"root-modules", false, b.loadRootModules},
		{"extensions", false, b.readExtensions},
		{"root", true, b.mountRoot},
		{"writable", false, b.root.MountWritable},
		{"switch", true, b.root.Switch},
		{"modules", false, b.loadDeviceModules},
		{"disks", false, b.watchDisks},
		{"state", false, b.startVolumes},
		{"documents", false, b.loadConfig},
		{"var", false, b.awaitVar},
		{"identity", false, b.identify},
		{"node", false, b.startNode},
		{"network", false, b.startNetwork},
		{"time", false, b.startTime},
		{"sources", false, b.findConfig},
		{"hardware", false, b.inspectHardware},
		{"volumes", false, b.awaitVar},
		{"applied", false, b.awaitNode},
		{"services", false, b.startServices},
	}
}

// Run boots m and keeps it running. On a real machine it does not return.
func Run(m kernel.Kernel) {
	b := &boot{m: m, reporting: newReporting(), again: make(chan struct{}, 1), ended: make(chan struct{})}
	b.logs.Logs = logs.New(m.SinceBoot)
	b.root = b.newRoot()
	b.group = supervise.New(b.panicked, b.taskFailed)
	b.services = b.newServices()
	b.group.Go("signals", b.obeySignals)
	b.group.Go("boot", b.boot)
	<-b.ended
}

// boot does the steps and says how they went.
func (b *boot) boot() {
	b.phase("kernel", 0)
	for _, s := range b.steps() {
		start := b.m.SinceBoot()
		err := s.do()
		b.phase(s.name, start)
		if b.group.Context().Err() != nil { // the machine shuts down
			return
		}
		if err == nil {
			continue
		}
		b.fault(s.name, err, s.must)
		if s.must {
			b.inspect()
			b.announce("error: the boot failed: " + s.name + ": " + err.Error())
			b.giveUp()
			return
		}
		b.say().Warnf("%s: %v", s.name, err)
	}
	b.change(func(r *bootreport.Report) { r.ReadyMS = b.m.SinceBoot().Milliseconds() })
	b.announce("machine is ready")
	b.group.Run("report", b.keepReporting)
}

// phase notes that the step called name has ended, which began at start.
func (b *boot) phase(name string, start time.Duration) {
	took := b.m.SinceBoot() - start
	b.change(func(r *bootreport.Report) {
		r.Phases = append(r.Phases, bootreport.Phase{Name: name, StartMS: start.Milliseconds(), DurationMS: took.Milliseconds()})
	})
}

// say is the log, which a failure may need before its step.
func (b *boot) say() *console.Log {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.log == nil {
		args, _ := readArguments(b.m)
		b.log = console.Open(b.m, func(f func()) { b.group.Go("console", f) }, isVerbose(args))
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

package pid1

import (
	"path"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/console"
	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/initramfs/pid1/supervise"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// boot is a boot that is going on.
type boot struct {
	m       kernel.Kernel
	images  []string // that the root is made of, the base first
	group   *supervise.Group
	modules *modules.Loader
	report  bootreport.Report
	configs []documents.Source // machine configurations in the initramfs

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
		{"release", false, b.readRelease},
		{"configs", false, b.collectConfigs},
		{"root-modules", false, b.loadRootModules},
		{"root", true, b.mountRoot},
		{"writable", false, b.mountWritable},
		{"switch", true, b.switchRoot},
		{"modules", false, b.loadDeviceModules},
		{"documents", false, b.loadConfig},
		{"hardware", false, b.inspectHardware},
	}
}

// Run boots m and keeps it running. On a real machine it does not return.
func Run(m kernel.Kernel) { run(m, "/rootfs.sqsh") }

func run(m kernel.Kernel, images ...string) {
	b := &boot{m: m, images: images, ended: make(chan struct{})}
	b.group = supervise.New(b.panicked, b.taskFailed)
	b.group.Go("signals", b.obeySignals)
	b.group.Go("boot", b.boot)
	<-b.ended
}

// boot does the steps and says how they went.
func (b *boot) boot() {
	b.report.Phases = []bootreport.Phase{{Name: "kernel", DurationMS: b.m.SinceBoot().Milliseconds()}}
	for _, s := range b.steps() {
		start := b.m.SinceBoot()
		err := s.do()
		b.report.Phases = append(b.report.Phases, bootreport.Phase{
			Name: s.name, StartMS: start.Milliseconds(), DurationMS: (b.m.SinceBoot() - start).Milliseconds(),
		})
		if err == nil {
			continue
		}
		b.report.Errors = append(b.report.Errors, bootreport.Error{Step: s.name, Error: err.Error(), Fatal: s.must})
		if s.must {
			b.inspect()
			b.announce("error: the boot failed: " + s.name + ": " + err.Error())
			b.giveUp()
			return
		}
		b.say().Warnf("%s: %v", s.name, err)
	}
	b.report.ReadyMS = b.m.SinceBoot().Milliseconds()
	b.announce("machine is ready")
}

// announce keeps the report, and prints it and then text.
func (b *boot) announce(text string) {
	if b.modules != nil {
		b.report.Modules = b.modules.Report()
	}
	line := b.report.Line()
	err := b.m.MkdirAll(path.Dir(bootreport.Path), 0o755)
	if err == nil {
		err = b.m.WriteFile(bootreport.Path, line[len(bootreport.Prefix):], 0o644)
	}
	if err != nil {
		b.say().Warnf("keep the boot report: %v", err)
	}
	b.say().Announce(line, text)
}

// say is the log, which a failure may need before its step.
func (b *boot) say() *console.Log {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.log == nil {
		args, _ := readArguments(b.m)
		b.log = console.Open(b.m, func(f func()) { b.group.Go("console", f) }, isVerbose(args))
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

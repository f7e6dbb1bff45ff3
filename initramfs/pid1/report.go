package pid1

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// reporting is the boot report while tasks add to it.
type reporting struct {
	mu      sync.Mutex
	report  bootreport.Report
	changed chan struct{} // holds one when the report has changed since it was last kept
}

func newReporting() *reporting { return &reporting{changed: make(chan struct{}, 1)} }

// change lets f change the report. Tasks call it when something has become different that a person would want to know, and
// not for every figure that moves: once the machine is ready, a changed report is printed again.
func (r *reporting) change(f func(*bootreport.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.report)
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// fault notes what went wrong in a step.
func (r *reporting) fault(step string, err error, fatal bool) {
	r.change(func(r *bootreport.Report) {
		r.Errors = append(r.Errors, bootreport.Error{Step: step, Error: err.Error(), Fatal: fatal})
	})
}

// line is the report as it is printed.
func (r *reporting) line() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.changed:
	default:
	}
	return r.report.Line()
}

// Changes that come within settle of each other are printed as one.
const settle = time.Second

// keepReporting keeps and prints the report whenever it has changed.
func (b *boot) keepReporting(ctx context.Context) error {
	for {
		select {
		case <-b.reporting.changed:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return nil
		}
		b.announce("")
	}
}

// announce keeps the report, and prints it and then text, where there is one.
func (b *boot) announce(text string) {
	if b.modules != nil {
		loaded := b.modules.Report()
		loaded.Kernel = b.kernelModules()
		b.reporting.change(func(r *bootreport.Report) { r.Modules = loaded })
	}
	kept, own := b.logs.Report(), hardware.Init(b.m)
	b.reporting.change(func(r *bootreport.Report) { r.Logs, r.Init = kept, own })
	line := b.reporting.line()
	err := b.m.MkdirAll(path.Dir(bootreport.Path), 0o755)
	if err == nil {
		err = b.m.WriteFile(bootreport.Path, line[len(bootreport.Prefix):], 0o644)
	}
	if err != nil {
		b.say().Warnf("keep the boot report: %v", err)
	}
	b.say().Announce(line, text)
}

// kernelModules are the names in /proc/modules.
func (b *boot) kernelModules() (names []string) {
	text, err := b.m.ReadFile("/proc/modules")
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without modules has no such file
		b.say().Warnf("%v", err)
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names
}

// Package reporting keeps the boot report while the tasks of a boot add to it.
package reporting

import (
	"bytes"
	"context"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/bootwright/bootwright/machine/bootreport"
)

// Report is the boot report. Its methods may be called from several goroutines.
type Report struct {
	mu      sync.Mutex
	report  bootreport.Report
	changed chan struct{} // holds one when the report may have changed since it was last printed
	printed []byte        // the line as it was last printed
}

// New is an empty report.
func New() *Report { return &Report{changed: make(chan struct{}, 1)} }

// Change lets f change the report. Tasks call it when something has become different that a person would want to know, and
// not for every figure that moves: once the machine is ready, a changed report is printed again.
func (r *Report) Change(f func(*bootreport.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.report)
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Look lets f read the report, which is not changed by that.
func (r *Report) Look(f func(*bootreport.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.report)
}

// Fault notes what went wrong in a step.
func (r *Report) Fault(step string, err error, fatal bool) {
	r.Change(func(r *bootreport.Report) {
		r.Errors = append(r.Errors, bootreport.Error{Step: step, Error: err.Error(), Fatal: fatal})
	})
}

// Phase notes that a step has ended; the times are since the kernel started.
func (r *Report) Phase(name string, start, end time.Duration) {
	r.Change(func(r *bootreport.Report) {
		r.Phases = append(r.Phases, bootreport.Phase{Name: name, StartMS: start.Milliseconds(), DurationMS: (end - start).Milliseconds()})
	})
}

// Built is when the image was made.
func (r *Report) Built() (t time.Time) {
	r.Look(func(r *bootreport.Report) { t = time.Unix(r.Epoch, 0) })
	return t
}

// Now is the machine's clock, which is not earlier than the image: where it says otherwise it is wrong.
func (r *Report) Now() time.Time {
	now, built := time.Now(), r.Built()
	if now.Before(built) {
		return built
	}
	return now
}

// Files is where a report is kept.
type Files interface {
	MkdirAll(name string, perm fs.FileMode) error
	WriteFile(name string, data []byte, perm fs.FileMode) error
}

// Save writes the report to bootreport.Path and returns it as it is printed, also where it cannot be written.
func (r *Report) Save(f Files) ([]byte, error) {
	line := r.line()
	err := f.MkdirAll(path.Dir(bootreport.Path), 0o755)
	if err == nil {
		err = f.WriteFile(bootreport.Path, line[len(bootreport.Prefix):], 0o644)
	}
	return line, err
}

// line is the report as it is printed.
func (r *Report) line() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.changed:
	default:
	}
	r.printed = r.report.Line()
	return r.printed
}

// same is whether the report is as it was last printed: tasks also say again what they have said.
func (r *Report) same() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Equal(r.report.Line(), r.printed)
}

// Changes that come within settle of each other are printed as one.
const settle = time.Second

// Keep is the task that calls print whenever the report has changed. Print is to call Save.
func (r *Report) Keep(ctx context.Context, print func()) error {
	for {
		select {
		case <-r.changed:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return nil
		}
		if !r.same() {
			print()
		}
	}
}

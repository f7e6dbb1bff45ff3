// Package modules loads kernel modules: those that init asks for by name, those that devices ask for by their alias, at
// boot and when they are plugged in, and those that the kernel asks for through modprobe(8).
package modules

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Modules
	kernel.Events
	SinceBoot() time.Duration
}

// atOnce is how many modules are loaded side by side. Most of the time of each is waiting for hardware.
const atOnce = 8

// Loader loads each module once. Its methods may be called from several goroutines.
type Loader struct {
	m     Machine
	args  cmdline.Args
	spawn func(func())
	slots chan struct{} // one for each module being loaded

	mu       sync.Mutex
	index    *kmod.Index
	dir      string
	modules  map[string]*attempt // by name
	ended    []*attempt          // in order
	asked    map[string]bool     // aliases
	options  map[string]string   // by module, besides those of the command line
	pending  int                 // aliases being seen to, and the first look at all devices
	looked   bool                // that look is over
	activity time.Duration       // when a device or module last moved
	seen     watch.Value[uint64]
}

// Seen is how much the kernel has said of devices so far.
func (l *Loader) Seen() *watch.Value[uint64] { return &l.seen }

// attempt is one module, being loaded until done is closed.
type attempt struct {
	name       string
	options    string // besides those of the command line
	start, end time.Duration
	err        error
	done       chan struct{}
}

// NewLoader is a loader for the kernel's command line args, without modules until Use. Its goroutines are started by
// spawn.
func NewLoader(m Machine, args cmdline.Args, spawn func(func())) *Loader {
	return &Loader{
		m: m, args: args, spawn: spawn, slots: make(chan struct{}, atOnce), index: kmod.NewIndex(nil, kmod.KernelFiles{}),
		modules: map[string]*attempt{}, asked: map[string]bool{}, options: map[string]string{}, pending: 1,
	}
}

// Dir is where the modules of a kernel release are.
func Dir(release string) string { return "/usr/lib/modules/" + release }

// Use reads the index in dir; from now on modules come from there. What was loaded already stays loaded.
func (l *Loader) Use(dir string) error {
	index, err := kmod.ReadIndex(kernel.FS(l.m, dir))
	if err != nil {
		return fmt.Errorf("read the index of kernel modules in %s: %w (there are modules for %s)", dir, err, l.releases(path.Dir(dir)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index, l.dir = index, dir
	return nil
}

// releases are the kernels that dir has modules for.
func (l *Loader) releases(dir string) string {
	entries, err := l.m.ReadDir(dir)
	if err != nil {
		return "none that can be listed: " + err.Error()
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if names == nil {
		return "no kernel"
	}
	return strings.Join(names, ", ")
}

func (l *Loader) current() *kmod.Index {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index
}

// Load loads what each of the names stands for, and all that it needs. It is enough if of several modules with an alias
// one loads.
func (l *Loader) Load(names ...string) error {
	var faults []error
	for _, name := range names {
		faults = append(faults, l.loadName(name))
	}
	return errors.Join(faults...)
}

func (l *Loader) loadName(name string) error {
	modules, known := l.candidates(name)
	if !known {
		return fmt.Errorf("no kernel module is called %s", name)
	}
	var faults []error
	for _, m := range modules {
		if err := l.loadAll(m); err != nil {
			faults = append(faults, fmt.Errorf("kernel module %s: %s", m.Name, reason(err)))
		}
	}
	if len(faults) < len(modules) {
		return nil
	}
	return errors.Join(faults...)
}

// candidates are the modules that name stands for. One that the command line blocks must be asked for by its own name.
func (l *Loader) candidates(name string) (modules []*kmod.Module, known bool) {
	modules, known = l.current().Lookup(name)
	blocked := l.args.Blocked()
	return slices.DeleteFunc(slices.Clone(modules), func(m *kmod.Module) bool {
		return slices.Contains(blocked, m.Name) && m.Name != kmod.Name(name)
	}), known
}

// loadAll loads m and all that it needs and wishes for; the error is that of m.
func (l *Loader) loadAll(m *kmod.Module) error {
	order, err := l.current().Load(m.Name)
	if err != nil {
		l.record(m.Name, err)
		return err
	}
	for _, o := range order {
		if e := l.loadOne(o); o.Name == m.Name {
			err = e
		}
	}
	return err
}

// Request loads, in the background, what a device with that alias needs. Each alias is seen to once.
func (l *Loader) Request(alias string) {
	if !l.isNew(alias) {
		return
	}
	l.spawn(func() {
		l.slots <- struct{}{}
		modules, _ := l.candidates(alias)
		for _, m := range modules { // which of them suits the device is the kernel's to find
			l.loadAll(m)
		}
		<-l.slots
		l.finish()
	})
}

func (l *Loader) isNew(alias string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked[alias] {
		return false
	}
	l.asked[alias] = true
	l.pending++
	return true
}

func (l *Loader) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending--
	l.activity = l.m.SinceBoot()
}

// loadOne loads m, or waits for whoever does.
func (l *Loader) loadOne(m *kmod.Module) error {
	l.mu.Lock()
	a, found := l.modules[m.Name]
	if !found {
		a = &attempt{name: m.Name, options: l.options[m.Name], start: l.m.SinceBoot(), done: make(chan struct{})}
		l.modules[m.Name] = a
	}
	dir, options := l.dir, strings.TrimSpace(l.args.ModuleOptions(m.Name)+" "+a.options)
	l.mu.Unlock()
	if found {
		<-a.done
		return a.err
	}
	err := l.failedDependency(m)
	if err == nil && !l.isThere(m) {
		err = l.m.LoadModule(path.Join(dir, m.Path), options)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a.err, a.end = err, l.m.SinceBoot()
	l.ended, l.activity = append(l.ended, a), a.end
	close(a.done)
	return err
}

// isThere tells whether the kernel has m, or is starting it. The latter must not be waited for: a module that starts may
// itself be waiting for a modprobe.
func (l *Loader) isThere(m *kmod.Module) bool {
	state, err := l.m.ReadFile("/sys/module/" + m.Name + "/initstate")
	return err == nil && string(state) != "going\n"
}

// failedDependency is why m cannot be loaded; what it depends on has been tried before it.
func (l *Loader) failedDependency(m *kmod.Module) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range m.Needs() {
		if a := l.modules[name]; a != nil && a.err != nil {
			return fmt.Errorf("needs %s: %w", name, a.err)
		}
	}
	return nil
}

// record notes a failure before any attempt.
func (l *Loader) record(name string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.modules[name] == nil {
		now := l.m.SinceBoot()
		a := &attempt{name: name, start: now, end: now, err: err, done: make(chan struct{})}
		close(a.done)
		l.modules[name] = a
		l.ended = append(l.ended, a)
	}
}

// Settle waits until the devices there are have been seen to: nothing is being loaded and the kernel has said nothing of
// devices for quiet. After limit it gives up and returns false.
func (l *Loader) Settle(quiet, limit time.Duration) bool {
	for end := l.m.SinceBoot() + limit; l.m.SinceBoot() < end; time.Sleep(quiet / 10) {
		l.mu.Lock()
		settled := l.pending == 0 && l.m.SinceBoot()-l.activity >= quiet
		l.mu.Unlock()
		if settled {
			return true
		}
	}
	return false
}

// Report is what was loaded so far.
func (l *Loader) Report() bootreport.Modules {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := bootreport.Modules{Loaded: []bootreport.Module{}}
	for _, a := range l.ended {
		switch {
		case a.err == nil:
			ms := float64((a.end-a.start)/(100*time.Microsecond)) / 10
			r.Loaded = append(r.Loaded, bootreport.Module{Name: a.name, MS: ms})
		case errors.Is(a.err, syscall.ENODEV):
			r.NoDevice = append(r.NoDevice, a.name)
		default:
			r.Failed = append(r.Failed, bootreport.Failed{Name: a.name, Reason: reason(a.err)})
		}
	}
	r.TookMS = busy(l.ended).Milliseconds()
	return r
}

// busy is the time during which something was being loaded.
func busy(attempts []*attempt) time.Duration {
	byStart := slices.SortedFunc(slices.Values(attempts), func(a, b *attempt) int { return cmp.Compare(a.start, b.start) })
	var sum, until time.Duration
	for _, a := range byStart {
		if start := max(a.start, until); a.end > start {
			sum += a.end - start
			until = a.end
		}
	}
	return sum
}

// reason is err with what the kernel means by its number in answer to finit_module(2).
func reason(err error) string {
	for _, r := range []struct {
		errno syscall.Errno
		text  string
	}{
		{syscall.ENODEV, "no device for it"},
		{syscall.ENOEXEC, "not a module for this kernel, or damaged"},
		{syscall.ENOENT, "a symbol or file that it needs is missing"},
		{syscall.EINVAL, "its parameters or symbol versions do not fit"},
		{syscall.ENOKEY, "no key here trusts its signature"},
		{syscall.EKEYREJECTED, "its signature is refused"},
		{syscall.EPERM, "forbidden by the kernel's settings"},
	} {
		if errors.Is(err, r.errno) {
			return strings.Replace(err.Error(), r.errno.Error(), r.text+" ("+r.errno.Error()+")", 1)
		}
	}
	return err.Error()
}

// Package fake is a machine for tests: its files are a folder, its mounts are copies into it, and what it has been made to
// do is kept. Use it inside a testing/synctest bubble; its clock is the bubble's.
package fake

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/disktest"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/linktest"
)

// running is how long the kernel has run when a test begins.
const running = 1500 * time.Millisecond

// Machine is a kernel.Kernel. The first fields are set before the boot, the second are what it did, to be read when it has
// ended.
type Machine struct {
	*linktest.Network
	*disktest.Disks

	Clock
	Names
	Contents     map[string]map[string]string // files that appear with a mount of a type ("proc") or image ("/rootfs.sqsh")
	MountErrors  map[string]error             // by target
	ModuleErrors map[string]error             // by module
	ModuleTimes  map[string]time.Duration     // by module, else 1 ms
	ModulePanic  string                       // the module whose loading is a defect of init
	Hung         string                       // a console that takes nothing
	UeventsError error                        // of the first call
	Programs     map[string]Program           // by path
	Watchdogs    map[string]*Watchdog         // by device

	Mounts  []kernel.Mount
	Mounted map[string]string // what of Contents is where
	Reaped  int
	Owners  map[string][2]int // user and group of files whose owner was changed
	Kmsg    []string
	Console map[string]*bytes.Buffer

	mu      sync.Mutex
	ended   kernel.Action
	loaded  []string
	started []kernel.Command
	root    string
	begin   time.Time
	loops   []string // files behind /dev/loop0 …
	signals chan os.Signal
	uevents uevents
	release chan struct{} // lets hung consoles go
	kmsg    kmsg
	below   map[string][]byte // what files hold that something is mounted over
}

// New is a machine whose initramfs holds files.
func New(t testing.TB, files map[string]string) *Machine {
	m := &Machine{
		Network: &linktest.Network{}, Names: Names{},
		Contents: map[string]map[string]string{}, MountErrors: map[string]error{}, ModuleErrors: map[string]error{},
		ModuleTimes: map[string]time.Duration{}, Programs: map[string]Program{}, Console: map[string]*bytes.Buffer{}, Mounted: map[string]string{},
		root: t.TempDir(), begin: time.Now(), signals: make(chan os.Signal, 16), release: make(chan struct{}),
	}
	m.Disks = disktest.New(host{m})
	m.fill("/", files)
	return m
}

// fill writes files below dir; a content that begins with "-> " makes a symbolic link.
func (m *Machine) fill(dir string, files map[string]string) {
	for name, content := range files {
		p := m.path(path.Join(dir, name))
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = errors.Join(err, os.Symlink(target, p))
		} else if strings.HasSuffix(name, "/") {
			err = errors.Join(err, os.MkdirAll(p, 0o755))
		} else {
			err = errors.Join(err, os.WriteFile(p, []byte(content), 0o755))
		}
		if err != nil {
			panic(err)
		}
	}
}

func (m *Machine) path(name string) string { return filepath.Join(m.root, name) }

// clean takes the folder of the test out of an error.
func (m *Machine) clean(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		pe.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(pe.Path, m.root), "/")
	}
	return err
}

// Open follows kernel.Files, and so on.
func (m *Machine) Open(name string) (*os.File, error) {
	f, err := os.Open(m.path(name))
	return f, m.clean(err)
}

func (m *Machine) ReadFile(name string) ([]byte, error) {
	p, err := os.ReadFile(m.path(name))
	return p, m.clean(err)
}

func (m *Machine) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(m.path(name))
	return entries, m.clean(err)
}

func (m *Machine) ReadLink(name string) (string, error) {
	target, err := os.Readlink(m.path(name))
	return target, m.clean(err)
}

func (m *Machine) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if name == "/dev/kmsg" {
		m.log(string(data))
		return nil
	}
	return m.clean(os.WriteFile(m.path(name), data, perm))
}

// log is the kernel's log: it prints what is below the console level.
func (m *Machine) log(text string) {
	printk, _ := m.ReadFile("/proc/sys/kernel/printk")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Kmsg = append(m.Kmsg, text)
	m.kmsgRecord(text)
	var level, priority int
	fmt.Sscan(string(printk), &level)
	fmt.Sscanf(text, "<%d>", &priority)
	if _, line, _ := strings.Cut(text, ">"); priority&7 < level {
		for _, b := range m.Console {
			b.WriteString("[    1.234567] " + line)
		}
	}
}

func (m *Machine) MkdirAll(name string, perm fs.FileMode) error {
	return m.clean(os.MkdirAll(m.path(name), perm))
}

func (m *Machine) Symlink(target, name string) error {
	return m.clean(os.Symlink(target, m.path(name)))
}

// SinceBoot follows kernel.Kernel.
func (m *Machine) SinceBoot() time.Duration { return running + time.Since(m.begin) }

// Mount follows kernel.Mounts.
func (m *Machine) Mount(mt kernel.Mount) error {
	if err := m.MountErrors[mt.Target]; err != nil {
		return fmt.Errorf("mount on %s: %w", mt.Target, err)
	}
	m.Mounts = append(m.Mounts, mt)
	if mt.Type == "" {
		content, err := m.ReadFile(mt.Source)
		if err != nil {
			return err
		}
		m.cover(mt.Target)
		return m.WriteFile(mt.Target, content, 0o755)
	}
	what := mt.Type
	if n, ok := strings.CutPrefix(mt.Source, "/dev/loop"); ok {
		i, err := strconv.Atoi(n)
		if err != nil {
			return err
		}
		what = m.loops[i]
	}
	if mt.Type != "overlay" {
		os.RemoveAll(m.path(mt.Target))
	}
	if err := m.MkdirAll(mt.Target, 0o755); err != nil {
		return err
	}
	if m.Mounted[mt.Target] = what; what == "overlay" {
		lower, _, _ := strings.Cut(strings.TrimPrefix(mt.Data, "lowerdir="), ",")
		for _, dir := range slices.Backward(strings.Split(lower, ":")) {
			m.fill(mt.Target, m.Contents[m.Mounted[dir]])
		}
	}
	m.fill(mt.Target, m.Contents[what])
	return nil
}

// MoveMount follows kernel.Mounts.
func (m *Machine) MoveMount(from, to string) error {
	err := errors.Join(os.RemoveAll(m.path(to)), os.Rename(m.path(from), m.path(to)))
	return errors.Join(err, os.MkdirAll(m.path(from), 0o755))
}

// AttachLoop follows kernel.Mounts.
func (m *Machine) AttachLoop(file string) (string, error) {
	m.loops = append(m.loops, file)
	return fmt.Sprintf("/dev/loop%d", len(m.loops)-1), nil
}

// SwitchRoot follows kernel.Mounts.
func (m *Machine) SwitchRoot(dir string) error {
	m.root = m.path(dir)
	return nil
}

// LoadModule follows kernel.Modules.
func (m *Machine) LoadModule(name, options string) error {
	if _, err := os.Stat(m.path(name)); err != nil {
		return m.clean(err)
	}
	module := strings.TrimSuffix(path.Base(name), ".ko")
	if module == m.ModulePanic {
		panic("a defect")
	}
	time.Sleep(max(m.ModuleTimes[module], time.Millisecond))
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ModuleErrors[module]; err != nil {
		return err
	}
	m.loaded = append(m.loaded, strings.TrimSpace(module+" "+options))
	return nil
}

// OpenConsole follows kernel.Consoles.
func (m *Machine) OpenConsole(name string) (kernel.Console, error) {
	if name == m.Hung {
		return hung{m.release}, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Console[name] = &bytes.Buffer{}
	return screen{m, m.Console[name]}, nil
}

type screen struct {
	m *Machine
	b *bytes.Buffer
}

func (s screen) Write(p []byte) (int, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.b.Write(p)
}

func (screen) Drain() error { return nil }
func (screen) Close() error { return nil }

type hung struct{ release chan struct{} }

func (h hung) Write(p []byte) (int, error) { <-h.release; return len(p), nil }
func (h hung) Drain() error                { <-h.release; return nil }
func (h hung) Close() error                { return nil }

// Shown is what a console has shown; "" stands for all of them.
func (m *Machine) Shown(console string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all strings.Builder
	for name, b := range m.Console {
		if console == "" || console == name {
			all.Write(b.Bytes())
		}
	}
	return all.String()
}

// Loaded are the modules that were loaded, each with its options, in order.
func (m *Machine) Loaded() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.loaded)
}

// Ended is how the machine was made to end; "" while it runs.
func (m *Machine) Ended() kernel.Action {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended
}

// Remove takes a file away.
func (m *Machine) Remove(name string) error { return m.clean(os.Remove(m.path(name))) }

// Signals follows kernel.Power.
func (m *Machine) Signals() <-chan os.Signal { return m.signals }

// Signal sends init a signal.
func (m *Machine) Signal(sig os.Signal) { m.signals <- sig }

// Reap follows kernel.Power.
func (m *Machine) Reap() int { m.Reaped++; return 1 }

// Reboot follows kernel.Power: it ends the test's machine.
func (m *Machine) Reboot(a kernel.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = a
	close(m.signals)
	close(m.release)
	return nil
}

package fake

import (
	"io/fs"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Watchdog is a kernel.Watchdog that only counts.
type Watchdog struct {
	Longest time.Duration // that it can be set to; 0 is any

	mu      sync.Mutex
	timeout time.Duration
	pings   int
	armed   bool
}

// State is what it has been set to, how often it was pinged, and whether it runs.
func (w *Watchdog) State() (timeout time.Duration, pings int, armed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.timeout, w.pings, w.armed
}

// SetTimeout follows kernel.Watchdog, and so on.
func (w *Watchdog) SetTimeout(d time.Duration) (time.Duration, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.Longest > 0 {
		d = min(d, w.Longest)
	}
	w.timeout = d
	return d, nil
}

func (w *Watchdog) Ping() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pings++
	return nil
}

func (w *Watchdog) Disarm() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	return nil
}

// OpenWatchdog follows kernel.Watchdogs: of the machine's Watchdogs.
func (m *Machine) OpenWatchdog(device string) (kernel.Watchdog, error) {
	w := m.Watchdogs[device]
	if w == nil {
		return nil, &fs.PathError{Op: "open", Path: device, Err: fs.ErrNotExist}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
	return w, nil
}

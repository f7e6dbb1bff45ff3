package modules

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Watch asks for the modules of all devices there are, then for those of each that appears, until ctx ends. It is a
// task to be started again: it then looks at all devices anew.
func (l *Loader) Watch(ctx context.Context) error {
	events, err := l.m.Uevents()
	l.coldplug() // behind Uevents, so that no device is missed between the two
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer func() {
		if stop() {
			events.Close()
		}
	}()
	for {
		e, err := events.Read()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, kernel.ErrLost):
			l.coldplug()
		case err != nil:
			return err
		default:
			l.see(e)
		}
	}
}

func (l *Loader) see(e kernel.Uevent) {
	l.mu.Lock()
	l.activity = l.m.SinceBoot()
	l.mu.Unlock()
	n, _ := l.seen.Get()
	l.seen.Set(n + 1)
	if alias := e["MODALIAS"]; alias != "" && e["ACTION"] != "remove" {
		l.Request(alias)
	}
}

// coldplug asks for the modules of all devices there are. Those with an alias are on a bus or of a class.
func (l *Loader) coldplug() {
	for _, devices := range append(l.list("/sys/bus", "devices"), l.list("/sys/class", "")...) {
		for _, device := range l.list(devices, "modalias") {
			if alias, err := l.m.ReadFile(device); err == nil {
				if alias := strings.TrimSpace(string(alias)); alias != "" {
					l.Request(alias)
				}
			}
		}
	}
	l.mu.Lock()
	first := !l.looked
	l.looked = true
	l.mu.Unlock()
	if first {
		l.finish()
	}
}

// list is dir/*/name.
func (l *Loader) list(dir, name string) []string {
	entries, _ := l.m.ReadDir(dir)
	var found []string
	for _, e := range entries {
		found = append(found, path.Join(dir, e.Name(), name))
	}
	return found
}

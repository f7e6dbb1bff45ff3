// Package disks knows the block devices of the machine and what is on them, from the first look on and as they come and
// go, and keeps their names in /dev/disk as udev's rules have them (60-persistent-storage.rules).
//
// Left out: names by diskseq and of floppy disks, and /dev/mapper, which is cryptsetup's.
package disks

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/blockdev"
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Events
	kernel.Disks
}

// Log takes what a person wants to know.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

const (
	patience = 15 * time.Second      // how long a disk may take before the others are told of without it
	together = 50 * time.Millisecond // events that come within it of each other are seen to by one look
)

// Watcher looks at block devices. Both values are sorted by name, and set when they have changed.
type Watcher struct {
	Disks   watch.Value[[]blockdev.Disk]
	Volumes watch.Value[[]blockdev.Volume]

	m    Machine
	log  Log
	turn chan struct{} // holds one while nobody looks
	late chan string   // names of disks that have answered after all

	// What follows belongs to whoever has the turn.
	families map[string]*family // by the whole disk
	links    map[string]string  // those in /dev/disk, by path
	said     map[string]string  // what was last said of a device
}

// New is a Watcher that has not looked yet.
func New(m Machine, log Log) *Watcher {
	w := &Watcher{
		m: m, log: log, turn: make(chan struct{}, 1), late: make(chan string, 64),
		families: map[string]*family{}, links: map[string]string{}, said: map[string]string{},
	}
	w.turn <- struct{}{}
	return w
}

// Refresh looks at everything anew and returns when what was found is in the values. Whoever has changed a disk calls it,
// and whoever must be sure that nothing is missing: after devices have settled, and before something is made. A disk that
// cannot be read is no error; its volume says so.
func (w *Watcher) Refresh(ctx context.Context) error {
	return w.look(ctx, func(string) bool { return true })
}

// Run is the task: it looks again at each device that the kernel says something of, until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	events, err := w.m.Uevents()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(ctx, func() { events.Close() })
	changed := make(chan string)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel(nil)
	reading.Go(func() { cancel(listen(ctx, events, changed)) })
	err = w.Refresh(ctx)
	for err == nil {
		names := gather(ctx, changed, w.late)
		err = w.look(ctx, func(name string) bool { return names[name] || names[everything] })
	}
	if errors.Is(err, context.Canceled) {
		return nil // from outside
	}
	return err
}

// everything stands for all names.
const everything = ""

// listen tells changed of each block device that has changed, and returns why it cannot any more.
func listen(ctx context.Context, events kernel.UeventReader, changed chan<- string) error {
	for {
		e, err := events.Read()
		name := e["DEVNAME"]
		switch {
		case errors.Is(err, kernel.ErrLost):
			name = everything
		case err != nil:
			return err
		case e["SUBSYSTEM"] != "block":
			continue
		case e["DEVTYPE"] == "partition":
			name = parentOf(e["DEVPATH"])
		}
		select {
		case changed <- name:
		case <-ctx.Done():
			return nil
		}
	}
}

// gather waits for a name and for those that come close behind it, or for the end of ctx.
func gather(ctx context.Context, changed, late <-chan string) map[string]bool {
	names := map[string]bool{}
	var quiet <-chan time.Time
	for {
		select {
		case name := <-changed:
			names[name] = true
		case name := <-late:
			names[name] = true
		case <-quiet:
			return names
		case <-ctx.Done():
			return nil
		}
		quiet = time.After(together)
	}
}

// look looks at the families whose disk is dirty or new, forgets those that have gone, and publishes all.
func (w *Watcher) look(ctx context.Context, dirty func(name string) bool) error {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { w.turn <- struct{}{} }()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	there := devices(w.m)
	maps.DeleteFunc(w.families, func(name string, _ *family) bool { _, ok := there[name]; return !ok })
	limit := time.Now().Add(patience)
	for name, members := range there {
		f := w.families[name]
		if f == nil || !slices.Equal(f.members, members) {
			f = &family{members: members}
			w.families[name] = f
		} else if !dirty(name) {
			continue
		}
		f.ask(w.m)
	}
	for _, f := range w.families {
		if err := f.fetch(ctx, limit, w.late); err != nil {
			return err
		}
	}
	w.publish()
	return nil
}

// sorted are the families by name.
func (w *Watcher) sorted() []*family {
	var all []*family
	for _, name := range slices.Sorted(maps.Keys(w.families)) {
		all = append(all, w.families[name])
	}
	return all
}

// publish sets the values and the links that follow from the families.
func (w *Watcher) publish() {
	disks, volumes := []blockdev.Disk{}, []blockdev.Volume{}
	for _, f := range w.sorted() {
		if f.members[0].isDisk() {
			disks = append(disks, f.members[0].disk())
		}
		volumes = append(volumes, f.volumes...)
	}
	w.name(disks, volumes)
	w.say(disks, volumes)
	set(&w.Disks, disks)
	set(&w.Volumes, volumes)
}

// set wakes who waits for v only if now is something else.
func set[T any](v *watch.Value[[]T], now []T) {
	if before, ok := v.Get(); !ok || !reflect.DeepEqual(before, now) {
		v.Set(now)
	}
}

// say logs what is new: disks, and what is wrong with them.
func (w *Watcher) say(disks []blockdev.Disk, volumes []blockdev.Volume) {
	said := map[string]string{}
	for _, d := range disks {
		text := d.PrettySize
		for _, s := range []string{d.Transport, d.Model} {
			if s != "" {
				text += " " + s
			}
		}
		if said[d.Name] = text; w.said[d.Name] != text {
			w.log.Infof("disk %s: %s", d.Name, text)
		}
	}
	for _, v := range volumes {
		if v.Error == "" {
			continue
		}
		if said["!"+v.ID] = v.Error; w.said["!"+v.ID] != v.Error {
			w.log.Warnf("%s: %s", v.DevPath, v.Error)
		}
	}
	w.said = said
}

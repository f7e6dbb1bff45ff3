// Package disks knows the block devices of the machine and what is on them, from the first look on and as they come and
// go, and keeps their names in /dev/disk as udev's rules have them (60-persistent-storage.rules).
//
// Left out: names by diskseq and of floppy disks, and /dev/mapper, which is cryptsetup's.
package disks

import (
	"context"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
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

// Refresh looks at everything anew and returns when what was found is in the values. Whoever must be sure that nothing is
// missing calls it. A disk that cannot be read is no error; its volume says so.
func (w *Watcher) Refresh(ctx context.Context) error {
	return w.look(ctx, func(*family, device) bool { return true })
}

// Look is Refresh, except that of what was there at the last look only the disks and partitions of these names are read, the
// partition tables that they are in, and what is made of them. Who has changed a partition calls it.
func (w *Watcher) Look(ctx context.Context, names ...string) error {
	return w.look(ctx, func(f *family, d device) bool {
		return slices.Contains(names, d.name) || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(f.disk.SecondaryDisks, n) })
	})
}

// Found is what is in the values.
func (w *Watcher) Found() ([]blockdev.Disk, []blockdev.Volume) {
	disks, _ := w.Disks.Get()
	volumes, _ := w.Volumes.Get()
	return disks, volumes
}

// Run is the task: it looks at each device that is new, and at those that the kernel says something of, until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	events, err := w.m.Uevents()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(ctx, func() { events.Close() })
	changed := make(chan change)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel(nil)
	reading.Go(func() { cancel(listen(ctx, events, changed)) })
	now := w.lastEvent()
	err = w.look(ctx, func(f *family, d device) bool { return now == 0 || f.seen[d.name] < now })
	for err == nil {
		changes := gather(ctx, changed, w.late)
		err = w.look(ctx, func(f *family, d device) bool {
			return max(changes[d.name], changes[f.members[0].name], changes[everything]) > f.seen[d.name]
		})
	}
	if errors.Is(err, context.Canceled) {
		return nil // from outside
	}
	return err
}

// change is that of a disk or partition.
type change struct {
	name   string
	number uint64 // of its uevent; a look that began later has seen it
}

const (
	everything = ""             // stands for all names
	unseen     = math.MaxUint64 // as its number, nothing has seen a change
)

// listen tells changed of each block device that has changed, and returns why it cannot any more.
func listen(ctx context.Context, events kernel.UeventReader, changed chan<- change) error {
	for {
		e, err := events.Read()
		c := change{strings.ReplaceAll(e["DEVNAME"], "/", "!"), unseen} // as /sys has it
		switch {
		case errors.Is(err, kernel.ErrLost):
			c.name = everything
		case err != nil:
			return err
		case e["SUBSYSTEM"] != "block":
			continue
		}
		if n, err := strconv.ParseUint(e["SEQNUM"], 10, 64); err == nil {
			c.number = n
		}
		select {
		case changed <- c:
		case <-ctx.Done():
			return nil
		}
	}
}

// gather waits for a change and for those that come close behind it, or for the end of ctx. It returns the last of each name.
func gather(ctx context.Context, changed <-chan change, late <-chan string) map[string]uint64 {
	last := map[string]uint64{}
	var quiet <-chan time.Time
	for {
		select {
		case c := <-changed:
			last[c.name] = max(last[c.name], c.number)
		case name := <-late:
			last[name] = unseen
		case <-quiet:
			return last
		case <-ctx.Done():
			return nil
		}
		quiet = time.After(together)
	}
}

// look looks at what is dirty or new, forgets what has gone, and publishes all.
func (w *Watcher) look(ctx context.Context, dirty func(*family, device) bool) error {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { w.turn <- struct{}{} }()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	number := w.lastEvent()
	there := devices(w.m)
	maps.DeleteFunc(w.families, func(name string, _ *family) bool { _, ok := there[name]; return !ok })
	limit := time.Now().Add(patience)
	for name, members := range there {
		f := w.families[name]
		again := members
		if f != nil {
			again = slices.DeleteFunc(slices.Clone(members), func(d device) bool { return slices.Contains(f.members, d) && !dirty(f, d) })
		}
		switch {
		case f == nil:
			f = &family{members: members, seen: map[string]uint64{}}
		case !slices.Equal(f.members, members):
			f = &family{members: members, seen: f.seen, volumes: f.volumes}
		case len(again) == 0:
			continue
		}
		w.families[name] = f
		f.ask(w.m, again, number)
	}
	for _, f := range w.families {
		if err := f.fetch(ctx, limit, w.late); err != nil {
			return err
		}
	}
	w.publish()
	return nil
}

// lastEvent is the number of the last uevent, and 0 where the kernel does not say it.
func (w *Watcher) lastEvent() uint64 { return device{m: w.m, path: "kernel"}.number("uevent_seqnum") }

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
			disks = append(disks, f.disk)
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

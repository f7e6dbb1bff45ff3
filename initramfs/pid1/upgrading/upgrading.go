// Package upgrading is the part of an upgrade that the machine does while it runs: a new system on trial says that it has begun and that it
// is good, or gives way to the one before; and an upgrade that META asks for is done at the next boot (docs/install.md). What is on the disk is
// package machine/install's.
//
// A system knows which one it is from its boot loader: by the variables of systemd-boot (Boot Loader Interface, LoaderBootCountPath,
// LoaderEntrySelected, LoaderDevicePartUUID), or by the kernel argument BOOT_IMAGE of GRUB. One that was started from anything else than its
// disk is neither on trial nor upgraded.
//
// Left out: a kernel that hangs before its init runs, which only a watchdog of the firmware could end.
package upgrading

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/install"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Mounts
	kernel.Folders
	Unmount(target string) error
	SinceBoot() time.Duration
}

// Log takes what a person wants to know.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Deps are what a System works with.
type Deps struct {
	M       Machine
	Args    cmdline.Args
	Log     Log
	Volumes *watch.Value[[]blockdev.Volume] // what is on the disks
	// Meta lets change look at the values of META, and keeps them where it says that it has changed them.
	Meta   func(ctx context.Context, change func(meta.Values) bool) error
	Report func(func(*bootreport.Report))
	Ready  <-chan struct{} // closed when the machine is ready
	// Kept waits until an encrypted STATE has the machine configuration.
	Kept    func(context.Context) error
	Restart func() // ends the tasks, and the machine starts anew
}

// Patience is how long a system on trial has to become good, since its kernel started.
const Patience = 10 * time.Minute

// System is the system that runs.
type System struct {
	Deps
	id    string // of machine/bootentry
	disk  disk
	entry bootreport.Entry
	good  chan struct{} // closed when it is no longer on trial
	boot  sync.Mutex    // held while the boot partitions are mounted, here or by an installer: each for itself, read-only or not

	armed  bool   // Run has begun to wait for it to become good
	disarm func() // ends that
}

// New is a System of which nothing is known yet.
func New(d Deps) *System { return &System{Deps: d, good: make(chan struct{}), disarm: func() {}} }

// Run is the task that ends the trial of a new system: with what is good, or by a restart. For a system that is not on trial it only says what
// there is.
func (s *System) Run(ctx context.Context) error {
	by, found, err := s.byFirmware()
	if err != nil || !found {
		return err
	}
	s.id, s.entry = by.id, bootreport.Entry{Name: bootentry.Name(by.id), State: bootreport.EntryGood}
	if by.counted {
		s.entry.State, s.entry.Tries = bootreport.EntryTrial, by.left
		s.arm(ctx) // also where its disk is never found, or cannot be read
	}
	if s.disk, found = s.find(ctx, by); !found {
		s.disarm()
		return nil
	}
	if err = s.look(ctx); err != nil {
		s.entry.Error = err.Error()
	}
	s.tell()
	switch {
	case err != nil:
		return err
	case s.entry.State != bootreport.EntryTrial:
		s.finish()
		return nil
	}
	s.arm(ctx)
	s.Log.Infof("the system %s is on trial; after this start it has %d tries", s.entry.Name, s.entry.Tries)
	select {
	case <-s.Ready:
		return s.pass(ctx)
	case <-ctx.Done():
		return nil
	}
}

func (s *System) tell() {
	e := s.entry
	s.Report(func(r *bootreport.Report) { r.Entry = &e })
}

// finish lets a staged upgrade begin.
func (s *System) finish() {
	select {
	case <-s.good:
	default:
		close(s.good)
	}
}

// look finds out what is beside this system, and lets GRUB know that it has begun.
func (s *System) look(ctx context.Context) error {
	if err := s.disk.with(s.M, kernel.ReadOnly, s.beside); err != nil {
		return err
	}
	switch s.entry.State {
	case bootreport.EntryTrial:
		return s.tried(ctx)
	case bootreport.EntryGood:
		s.note(ctx, func(v meta.Values) bool { // where GRUB cannot count, this alone says so
			if s.entry.Other != "" && string(v[meta.Upgrade]) == s.entry.Name {
				s.entry.State = bootreport.EntryFallback
			}
			return false
		})
	}
	if s.entry.State == bootreport.EntryFallback {
		s.Log.Warnf("the system %s did not become ready; this is %s, the one before", s.entry.Other, s.entry.Name)
	}
	return nil
}

// note is Meta where the machine can do without.
func (s *System) note(ctx context.Context, change func(meta.Values) bool) {
	if err := s.Meta(ctx, change); err != nil && ctx.Err() == nil {
		s.Log.Warnf("META: %v", err)
	}
}

// beside fills in what a boot partition says of the systems.
func (s *System) beside(on install.System) error {
	t, err := on.Trial(s.id)
	if err != nil {
		return err
	}
	s.entry.Other = ""
	if t.HasOther {
		s.entry.Other = bootentry.Name(t.Other)
	}
	switch {
	case t.Counted && s.disk.label == layout.Boot:
		s.entry.State, s.entry.Tries = bootreport.EntryTrial, t.Left
	case t.OtherBad && s.entry.State == bootreport.EntryGood:
		s.entry.State = bootreport.EntryFallback
	}
	return nil
}

// tried is for GRUB alone, and changes nothing where GRUB counts.
func (s *System) tried(ctx context.Context) error {
	if s.disk.label != layout.Boot {
		return nil
	}
	return s.disk.with(s.M, 0, func(on install.System) error { return on.Tried(ctx, s.id) })
}

// arm lets giveWay begin, once.
func (s *System) arm(ctx context.Context) {
	if !s.armed {
		s.armed = true
		ctx, s.disarm = context.WithCancel(ctx)
		go s.giveWay(ctx, s.entry.Name)
	}
}

// giveWay starts the machine anew when the patience with a system ends that is not good until then, unless panic=0 asks to leave what has failed
// as it is.
func (s *System) giveWay(ctx context.Context, name string) {
	if v, _ := s.Args.Get("panic"); v == "0" {
		return
	}
	select {
	case <-s.good:
	case <-ctx.Done():
	case <-time.After(Patience - s.M.SinceBoot()):
		s.Log.Warnf("the system %s is not good after %s; the machine restarts", name, Patience)
		s.Restart()
	}
}

// pass says that the system is good, in all partitions by which the machine could start.
func (s *System) pass(ctx context.Context) error {
	if err := s.disk.both(s.M, 0, func(on install.System) error { return on.Good(ctx, s.id) }); err != nil {
		s.entry.Error = fmt.Sprintf("say that it is good: %v", err)
		s.tell()
		return err
	}
	s.entry.State, s.entry.Tries, s.entry.Error = bootreport.EntryGood, 0, ""
	s.tell()
	s.Log.Infof("the system %s is good", s.entry.Name)
	s.note(ctx, forgetUpgrade)
	s.finish()
	return nil
}

// Forget is the task that clears the machine configurations beside the systems of the disk, which anybody can read who has it, when the machine
// has its own in an encrypted STATE. What cannot be cleared is tried again with the next boot.
func (s *System) Forget(ctx context.Context) error {
	for _, done := range []<-chan struct{}{s.good, s.Ready} {
		select {
		case <-done:
		case <-ctx.Done():
			return nil
		}
	}
	if s.Kept(ctx) != nil {
		return nil
	}
	s.boot.Lock()
	defer s.boot.Unlock()
	var found install.Copies
	err := s.disk.both(s.M, kernel.ReadOnly, func(on install.System) (err error) {
		found, err = on.Copies()
		return err
	})
	if err == nil && !found.None() {
		err = s.disk.both(s.M, 0, func(on install.System) error { return on.Forget(ctx, found) })
	}
	switch {
	case err != nil && ctx.Err() == nil:
		s.Log.Warnf("clear the machine configurations beside the system: %v", err)
	case err == nil && !found.None():
		s.Log.Infof("the machine configurations beside the system are cleared: %s, which is encrypted, has the machine's", layout.State)
	}
	return nil
}

// forgetUpgrade takes the note of what to fall back to out of META.
func forgetUpgrade(v meta.Values) bool {
	_, there := v[meta.Upgrade]
	delete(v, meta.Upgrade)
	return there
}

package install

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/grub"
)

func (s System) upgradeBoot(ctx context.Context, a *bootassets.Assets, r *Result, running string) error {
	menu, env, err := s.menu()
	if err != nil {
		return err
	}
	have := menu.Index(bootentry.Kernel(r.ID))
	if have >= 0 && (menu.Len() == 1 || env != grub.Environment{Trial: r.ID}) {
		return s.start(ctx, menu, env, have)
	}
	r.Changed = true
	menu.Default = keep(menu, env, running, have)
	r.Previous, _ = bootentry.ParseKernel(menu.Kernel(menu.Default))
	// The old menu may name what goes: it says first what stays.
	if menu.Len() > 1 {
		if err := s.setMenu(ctx, menu.Only()); err != nil {
			return err
		}
	}
	next, err := s.addBoot(ctx, a, *r, menu.Only())
	if err != nil {
		return err
	}
	if err := s.setEnvironment(ctx, grub.Environment{Trial: r.ID, Tries: grub.Tries}); err != nil {
		return err
	}
	return s.setMenu(ctx, next)
}

// keep is the entry to fall back to, and not newest.
func keep(menu *grub.Menu, env grub.Environment, running string, newest int) int {
	runs, trial := -1, -1
	if running != "" {
		runs = menu.Index(bootentry.Kernel(running))
	}
	if env.Trial != "" {
		trial = menu.Index(bootentry.Kernel(env.Trial))
	}
	for _, fits := range []func(i int) bool{
		func(i int) bool { return i == runs && (i != trial || env.Tries > 0) },
		func(i int) bool { return i == menu.Default && i != trial },
		func(i int) bool { return i != trial },
	} {
		for i := range menu.Len() {
			if i != newest && fits(i) {
				return i
			}
		}
	}
	return menu.Default
}

// start makes an entry that is there the default.
func (s System) start(ctx context.Context, menu *grub.Menu, env grub.Environment, entry int) error {
	if menu.Default == entry {
		return nil
	}
	menu.Default, menu.Trial = entry, ""
	if id, _ := bootentry.ParseKernel(menu.Kernel(entry)); id == env.Trial {
		menu.Trial = id
	}
	return s.setMenu(ctx, menu)
}

// addBoot puts the files of the new system beside those that only has, and removes all others. It returns the menu of both.
func (s System) addBoot(ctx context.Context, a *bootassets.Assets, r Result, only *grub.Menu) (*grub.Menu, error) {
	var config []byte
	if old := only.Initrds(0); len(old) > 1 {
		var err error
		if config, err = s.Boot.Read(old[1]); err != nil {
			return nil, err
		}
	}
	e := bootentry.Menu(r.ID, a.Version, r.Cmdline, len(config) > 0)
	next := only.Add(e, r.ID)
	kept := []string{"grub"}
	files, err := s.Boot.List(bootentry.Boot)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if only.Holds(path.Join(bootentry.Boot, f.Name)) {
			kept = append(kept, f.Name)
		}
	}
	contents := []blob.Blob{a.File(bootassets.Kernel), a.Initramfs(), blob.Bytes(config)}
	var size int64
	for _, c := range contents {
		size += c.Size()
	}
	if err := clean(s.Boot, bootentry.Boot, size, kept); err != nil {
		return nil, err
	}
	for i, name := range append([]string{e.Kernel}, e.Initrds...) {
		if err := s.Boot.Write(ctx, name, contents[i]); err != nil { // no menu has them yet
			return nil, err
		}
	}
	return next, nil
}

// menu is GRUB's menu and what it counts. Without a sound file to count in, it counts nothing.
func (s System) menu() (*grub.Menu, grub.Environment, error) {
	var env grub.Environment
	text, err := s.Boot.Read(bootentry.GRUBConfig)
	if err != nil {
		return nil, env, err
	}
	counted, err := s.Boot.Read(bootentry.GRUBEnv)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, env, err
	}
	if e, err := grub.ParseEnvironment(string(counted)); err == nil {
		env = e
	}
	menu, err := grub.ParseMenu(string(text))
	return menu, env, err
}

func (s System) setMenu(ctx context.Context, m *grub.Menu) error {
	return place(ctx, s.Boot, bootentry.GRUBConfig, blob.String(m.String()))
}

func (s System) setEnvironment(ctx context.Context, e grub.Environment) error {
	if _, err := s.Boot.Read(bootentry.GRUBEnv); errors.Is(err, fs.ErrNotExist) { // and no menu counts in it
		return s.Boot.Write(ctx, bootentry.GRUBEnv, blob.String(e.String()))
	}
	return place(ctx, s.Boot, bootentry.GRUBEnv, blob.String(e.String()))
}

// Tried is for a system on trial to call as soon as it can, on a BIOS. A GRUB of an older base cannot count, and so from then on the one
// before starts, until Good; there, a system that dies before that starts again and again.
func (s System) Tried(ctx context.Context, id string) error {
	if s.Boot == nil {
		return nil
	}
	menu, env, err := s.menu()
	if err != nil || id == "" || menu.Trial != id || env != (grub.Environment{Trial: id, Tries: grub.Tries}) {
		return err
	}
	menu.Default = 1
	return s.setMenu(ctx, menu)
}

// goodBoot ends the trial of a system: it gets the place back that Tried may have taken from it, and then nothing is counted any more.
func (s System) goodBoot(ctx context.Context, id string) error {
	menu, env, err := s.menu()
	if err != nil {
		return err
	}
	entry := menu.Index(bootentry.Kernel(id))
	if entry < 0 || env.Trial != id || id == "" {
		return nil
	}
	if err := s.start(ctx, menu, env, entry); err != nil {
		return err
	}
	return s.setEnvironment(ctx, grub.Environment{})
}

func (s System) trialBoot(id string) (t Trial, err error) {
	menu, env, err := s.menu()
	if err != nil {
		return t, err
	}
	for i := range menu.Len() {
		if other, ok := bootentry.ParseKernel(menu.Kernel(i)); ok && other != id {
			t.Other, t.HasOther, t.OtherBad = other, true, env == grub.Environment{Trial: other}
		}
	}
	t.Counted = id != "" && env.Trial == id
	t.Left = env.Tries
	return t, nil
}

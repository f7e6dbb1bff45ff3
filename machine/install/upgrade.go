package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/grub"
)

// System is an installed system by its boot partitions: those that its disk has, mounted.
type System struct {
	EFI  Folder // nil for none
	Boot Folder // nil for none; GRUB's
}

// partial is behind the name of a file that is being written; no boot loader reads it.
const partial = ".partial"

// slack is what is left free beside the files of a new system, for folders and menus, in bytes.
const slack = 1 << 20

// Result says what an upgrade did.
type Result struct {
	ID       string `json:"id"`       // of the system that boots next
	Previous string `json:"previous"` // of the one that is kept; empty for one that came with an image
	Cmdline  string `json:"cmdline"`
	Changed  bool   `json:"changed"` // false where this very system was there already
}

// Upgrade puts a beside the system that runs, of which running is the ID, or empty where the menu's default is the one to keep. The
// new one starts next; it has bootentry.Tries to call Good on UEFI, see Tried for a BIOS. Nothing is written before there is room for
// all of it; the error is Invalid where there is not.
func (s System) Upgrade(ctx context.Context, a *bootassets.Assets, b Boot, running string) (Result, error) {
	line, err := b.Cmdline(&a.Description)
	if err != nil {
		return Result{}, err
	}
	r := Result{ID: a.ID(line), Cmdline: line}
	if s.Boot != nil {
		if err := s.upgradeBoot(ctx, a, &r, running); err != nil {
			return r, fmt.Errorf("BOOT: %w", err)
		}
	}
	if s.EFI != nil {
		if err := s.upgradeEFI(ctx, a, &r, running); err != nil {
			return r, fmt.Errorf("EFI: %w", err)
		}
	}
	return r, nil
}

// entries are the UKIs on the EFI system partition, and the one to keep.
func (s System) entries(running, newest string) (all []bootentry.Entry, keep *bootentry.Entry, err error) {
	files, err := s.EFI.List(bootentry.Linux)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		if e, ok := bootentry.Parse(f.Name); ok {
			all = append(all, e)
		}
	}
	if running == "" {
		conf, err := s.EFI.Read(bootentry.LoaderConf)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		running = bootentry.Default(string(conf))
	}
	// The one that runs, else one that was found good, else any: there is always one to fall back to.
	for _, fits := range []func(bootentry.Entry) bool{
		func(e bootentry.Entry) bool { return e.ID == running && e.Left != 0 && e.ID != newest },
		func(e bootentry.Entry) bool { return e.Left < 0 && e.ID != newest },
		func(e bootentry.Entry) bool { return e.ID != newest },
	} {
		if i := slices.IndexFunc(all, fits); i >= 0 {
			return all, &all[i], nil
		}
	}
	return all, nil, nil
}

func (s System) upgradeEFI(ctx context.Context, a *bootassets.Assets, r *Result, running string) error {
	all, keep, err := s.entries(running, r.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(e bootentry.Entry) bool { return e.ID == r.ID && e.Left != 0 }) {
		return s.setLoader(ctx, r.ID) // there already; perhaps the power failed before the menu said so
	}
	r.Changed = true
	uki, err := a.UKI(r.Cmdline)
	if err != nil {
		return err
	}
	kept := []string{}
	if keep != nil {
		r.Previous = keep.ID
		kept = append(kept, keep.File, keep.File+".extra.d")
	}
	if err := clean(s.EFI, bootentry.Linux, uki.Size(), kept); err != nil {
		return err
	}
	if err := place(ctx, s.EFI, bootentry.Counted(r.ID), uki); err != nil {
		return err
	}
	return s.setLoader(ctx, r.ID)
}

func (s System) setLoader(ctx context.Context, id string) error {
	want := bootentry.Loader(id)
	if have, err := s.EFI.Read(bootentry.LoaderConf); err == nil && string(have) == want {
		return nil
	}
	return place(ctx, s.EFI, bootentry.LoaderConf, blob.String(want))
}

func (s System) upgradeBoot(ctx context.Context, a *bootassets.Assets, r *Result, running string) error {
	menu, err := s.menu()
	if err != nil {
		return err
	}
	e := bootentry.Menu(r.ID, a.Version, r.Cmdline, false)
	if menu.Index(e.Kernel) >= 0 {
		return nil
	}
	r.Changed = true
	if i := menu.Index(path.Join(bootentry.Folder(running), "vmlinuz")); running != "" && i >= 0 {
		menu.Default = i
	}
	next := menu.Add(e)
	kept := []string{"grub"}
	files, err := s.Boot.List(bootentry.Boot)
	if err != nil {
		return err
	}
	for _, f := range files {
		if next.Holds(path.Join(bootentry.Boot, f.Name)) {
			kept = append(kept, f.Name)
		}
	}
	kernel, initramfs := a.File(bootassets.Kernel), a.Initramfs()
	// The old menu may name what goes: it says first what stays.
	if menu.Len() > 1 {
		if err := s.setMenu(ctx, menu.Only()); err != nil {
			return err
		}
	}
	if err := clean(s.Boot, bootentry.Boot, kernel.Size()+initramfs.Size(), kept); err != nil {
		return err
	}
	if err := place(ctx, s.Boot, e.Kernel, kernel); err != nil {
		return err
	}
	if err := place(ctx, s.Boot, e.Initrds[0], initramfs); err != nil {
		return err
	}
	return s.setMenu(ctx, next)
}

func (s System) menu() (*grub.Menu, error) {
	text, err := s.Boot.Read(bootentry.GRUBConfig)
	if err != nil {
		return nil, err
	}
	return grub.ParseMenu(string(text))
}

func (s System) setMenu(ctx context.Context, m *grub.Menu) error {
	return place(ctx, s.Boot, bootentry.GRUBConfig, blob.String(m.String()))
}

// clean removes what is in dir and not kept, once it is known that there will be room for size bytes.
func clean(f Folder, dir string, size int64, kept []string) error {
	free, err := f.Free()
	if err != nil {
		return err
	}
	files, err := f.List(dir)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(file File) bool { return slices.Contains(kept, file.Name) })
	room := free
	for _, file := range files {
		room += file.Size
	}
	if room < size+slack {
		return report.WithHint(report.Errorf(report.Invalid, "no room for the new system: it takes %d bytes, and there are %d beside the one to keep", size+slack, room),
			"the partition was made for smaller systems; install anew")
	}
	for _, file := range files {
		if err := f.Remove(path.Join(dir, file.Name)); err != nil {
			return err
		}
	}
	return nil
}

// place writes a file beside its name and renames it to it when it is complete.
func place(ctx context.Context, f Folder, name string, content blob.Blob) error {
	if err := f.Write(ctx, name+partial, content); err != nil {
		return err
	}
	return f.Rename(name+partial, name)
}

// Good says that the system called id does what it should: it stays the one that starts.
func (s System) Good(ctx context.Context, id string) error {
	if s.Boot != nil {
		if err := s.choose(ctx, func(i int) int { return i }, id); err != nil {
			return err
		}
	}
	if s.EFI == nil {
		return nil
	}
	all, _, err := s.entries(id, "")
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.ID == id && e.Left >= 0 {
			return s.EFI.Rename(path.Join(bootentry.Linux, e.File), bootentry.UKI(id))
		}
	}
	return nil
}

// Tried is for a new system to call as soon as it can, on a BIOS: GRUB cannot count, so from then on the one before starts, until
// Good. A system that dies before that starts again and again.
func (s System) Tried(ctx context.Context, id string) error {
	if s.Boot == nil {
		return nil
	}
	return s.choose(ctx, func(i int) int { return i + 1 }, id)
}

// choose makes the default of GRUB's menu what which says of the entry of the system called id, where there is such an entry.
func (s System) choose(ctx context.Context, which func(int) int, id string) error {
	menu, err := s.menu()
	if err != nil {
		return err
	}
	i := menu.Index(path.Join(bootentry.Folder(id), "vmlinuz"))
	if i < 0 || which(i) >= menu.Len() || which(i) == menu.Default {
		return nil
	}
	menu.Default = which(i)
	return s.setMenu(ctx, menu)
}

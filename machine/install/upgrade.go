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
	"github.com/bootwright/bootwright/machine/configarea"
)

// System is an installed system by its boot partitions: those that its disk has, mounted.
type System struct {
	EFI  Folder        // nil for none
	Boot Folder        // nil for none; GRUB's
	Meta MetaPartition // where Upgrade notes what to fall back to; nil for nowhere
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

// Upgrade puts a beside the system that runs, of which running is the ID; where that is empty, one that was found good is kept, and of
// those the menu's default. The new one starts next; it has bootentry.Tries to call Good. A machine configuration that lies beside the one
// that is kept is put beside the new one too. Nothing is written before there is room for all of it; the error is Invalid where there is
// not.
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
	return r, s.note(r)
}

// entries are the UKIs on the EFI system partition, and the one to keep.
func (s System) entries(running, newest string) (all []bootentry.Entry, keep *bootentry.Entry, err error) {
	files, err := s.EFI.List(bootentry.Linux)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		if e, ok := bootentry.Parse(f.Name); ok && f.Size > 0 { // without content it is what a power cut left of a rename
			all = append(all, e)
		}
	}
	conf, err := s.EFI.Read(bootentry.LoaderConf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	starts := bootentry.Default(string(conf))
	// There is always one to fall back to, whatever became of the others.
	for _, fits := range []func(bootentry.Entry) bool{
		func(e bootentry.Entry) bool { return running != "" && e.ID == running && e.Left != 0 },
		func(e bootentry.Entry) bool { return e.ID == starts && e.Left < 0 },
		func(e bootentry.Entry) bool { return e.Left < 0 },
		func(bootentry.Entry) bool { return true },
	} {
		if i := slices.IndexFunc(all, func(e bootentry.Entry) bool { return e.ID != newest && fits(e) }); i >= 0 {
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
	if !slices.ContainsFunc(all, func(e bootentry.Entry) bool { return e.ID == r.ID && e.Left != 0 }) {
		if err := s.addUKI(ctx, a, r, all, keep); err != nil {
			return err
		}
	} // else it is there already; perhaps the power failed before the menu said so
	if err := s.setLoader(ctx, r.ID); err != nil {
		return err
	}
	return s.upgradeLoader(ctx, a)
}

// addUKI makes the new system one on trial beside keep, and removes all others.
func (s System) addUKI(ctx context.Context, a *bootassets.Assets, r *Result, all []bootentry.Entry, keep *bootentry.Entry) error {
	r.Changed = true
	uki, err := a.UKI(r.Cmdline)
	if err != nil {
		return err
	}
	var config []byte
	var kept []string
	if keep != nil {
		r.Previous = keep.ID
		kept = append(kept, keep.File+bootentry.Extra, path.Base(bootentry.UKI(keep.ID))+bootentry.Extra)
		// A power cut within a rename may have left it two names; to remove one of them would free the clusters of both.
		kept = append(kept, path.Base(bootentry.Counted(keep.ID))+partial)
		for _, e := range all {
			if e.ID == keep.ID {
				kept = append(kept, e.File)
			}
		}
		if config, err = s.config(*keep); err != nil {
			return err
		}
	}
	var extras []string
	if len(config) > 0 {
		extras = bootentry.Names(r.ID)
	}
	if err := clean(s.EFI, bootentry.Linux, uki.Size()+int64(len(extras)*len(config)), kept); err != nil {
		return err
	}
	for _, name := range extras {
		if err := s.EFI.Write(ctx, bootentry.Credentials(name), blob.Bytes(config)); err != nil { // its UKI is not there yet
			return err
		}
	}
	return place(ctx, s.EFI, bootentry.Counted(r.ID), uki)
}

// config is the area with machine configurations beside a UKI; nil where there is none in it.
func (s System) config(e bootentry.Entry) ([]byte, error) {
	area, err := s.EFI.Read(bootentry.Credentials(path.Join(bootentry.Linux, e.File)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if entries, wrong := configarea.Decode(area); err == nil && wrong == nil && len(entries) == 0 {
		return nil, nil
	}
	return area, err // a damaged one too, which is for the machine to complain of
}

func (s System) setLoader(ctx context.Context, id string) error {
	want := bootentry.Loader(id)
	if have, err := s.EFI.Read(bootentry.LoaderConf); err == nil && string(have) == want {
		return nil
	}
	return place(ctx, s.EFI, bootentry.LoaderConf, blob.String(want))
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
		if err := s.goodBoot(ctx, id); err != nil {
			return fmt.Errorf("BOOT: %w", err)
		}
	}
	if s.EFI != nil {
		if err := s.goodEFI(ctx, id); err != nil {
			return fmt.Errorf("EFI: %w", err)
		}
	}
	return nil
}

// goodEFI takes the count from the name of the UKI.
func (s System) goodEFI(ctx context.Context, id string) error {
	all, _, err := s.entries(id, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(e bootentry.Entry) bool { return e.ID == id && e.Left >= 0 })
	if i < 0 || slices.ContainsFunc(all, func(e bootentry.Entry) bool { return e.ID == id && e.Left < 0 }) {
		return nil // both names are of one file after a power cut, and a rename would free its clusters
	}
	return s.EFI.Rename(path.Join(bootentry.Linux, all[i].File), bootentry.UKI(id))
}

// Trial is how the system called id is doing on the partition that its machine was started from.
type Trial struct {
	Counted  bool // it is on trial, and the boot loader counts
	Left     int  // tries that are left after this one
	Other    string
	HasOther bool // Other is the ID of the system beside it, which is empty for that of an image
	OtherBad bool // it has used up its tries
}

// Trial reads how the system called id is doing.
func (s System) Trial(id string) (t Trial, err error) {
	if s.Boot != nil {
		return s.trialBoot(id)
	}
	all, _, err := s.entries(id, "")
	if err != nil {
		return t, err
	}
	for _, e := range all {
		switch {
		case e.ID != id:
			t.Other, t.HasOther, t.OtherBad = e.ID, true, e.Left == 0
		case e.Left >= 0:
			t.Counted, t.Left = true, e.Left
		}
	}
	return t, nil
}

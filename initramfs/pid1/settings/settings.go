// Package settings makes the settings of the running kernel that a machine configuration asks for: machine.sysctls below
// /proc/sys, machine.sysfs below /sys, and those by which Talos Linux 1.9 has the kernel protect itself (the Kernel Self
// Protection Project's), over which the configuration's go. Package arguments has machine.install.extraKernelArgs.
//
// What a configuration no longer asks for keeps its value until the machine restarts, as it does in Talos Linux.
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/settings/arguments"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// The folders that settings are in.
const (
	sysctls = "/proc/sys"
	sysfs   = "/sys"
)

// Settings remembers what has been set. It is for one goroutine.
type Settings struct {
	m    kernel.Files
	done map[string]string // values by path
	gone map[string]bootreport.Asked
}

// New has set nothing yet.
func New(m kernel.Files) *Settings {
	return &Settings{m: m, done: map[string]string{}, gone: map[string]bootreport.Asked{}}
}

// Apply sets what the main document, which may be nil, asks for and is not set yet, and says what became of all of it in
// the fields Sysctls, Sysfs, Arguments and Protection. To call it again tries again what was refused.
func (s *Settings) Apply(main *v1alpha1.Config) bootreport.Settings {
	if main == nil {
		main = &v1alpha1.Config{}
	}
	asked := main.Machine.Sysctls
	return bootreport.Settings{
		Protection: s.protect(asked),
		Sysctls:    s.all(sysctls, asked),
		Sysfs:      s.all(sysfs, main.Machine.Sysfs),
		Arguments:  arguments.Extra(s.m, main.Machine.Install),
	}
}

// all sets the settings below root, and adds those of before that are no longer asked for.
func (s *Settings) all(root string, asked map[string]string) []bootreport.Asked {
	var out []bootreport.Asked
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		a := bootreport.Asked{Name: name, Value: asked[name], State: bootreport.Applied}
		if err := s.set(root, name, asked[name]); err != nil {
			a.State, a.Reason = bootreport.Refused, err.Error()
		} else {
			s.gone[root+" "+name] = a
		}
		out = append(out, a)
	}
	for _, key := range slices.Sorted(maps.Keys(s.gone)) {
		a := s.gone[key]
		if _, still := asked[a.Name]; !still && key == root+" "+a.Name {
			a.State, a.Reason = bootreport.Pending, "it is no longer asked for, and keeps its value until the machine restarts"
			out = append(out, a)
		}
	}
	return out
}

// set sets what name stands for, unless it was set to value before.
func (s *Settings) set(root, name, value string) error {
	pattern := file(name)
	if !fs.ValidPath(pattern) || pattern == "." {
		return errors.New("it is no name of a setting")
	}
	found := []string{pattern}
	if strings.Contains(pattern, "*") {
		var err error
		if found, err = fs.Glob(kernel.FS(s.m, root), pattern); err != nil || len(found) == 0 {
			return errors.Join(errors.New("the kernel has nothing that matches it"), err)
		}
	}
	var faults []error
	for _, f := range found {
		if err := s.write(path.Join(root, f), value); err != nil {
			if len(found) > 1 {
				err = fmt.Errorf("%s: %w", f, err)
			}
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// file is the path that a name of sysctl.d(5) stands for: where its first separator is a slash, dots are parts of names;
// otherwise the two change places.
func file(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		return strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, name)
	}
	return name
}

// write writes value to the file name. One that is not there, or no longer, loses what it was set to.
func (s *Settings) write(name, value string) error {
	f, err := s.m.Open(name)
	if err == nil {
		f.Close()
	}
	if errors.Is(err, fs.ErrNotExist) { // others may be for writing only
		delete(s.done, name)
		return errors.New("the kernel has no such setting; what brings it may come later")
	}
	if was, set := s.done[name]; set && was == value {
		return nil
	}
	if err := s.m.WriteFile(name, []byte(value), 0); err != nil {
		return reason(err)
	}
	s.done[name] = value
	return nil
}

// reason is err without the path, with what the kernel means by it.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	switch {
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ERANGE):
		return fmt.Errorf("the kernel does not take this value: %w", err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("it cannot be changed on this machine: %w", err)
	}
	return err
}

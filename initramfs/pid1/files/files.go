// Package files writes machine.files as Talos Linux 1.9 does. A file below /var is written there. Any other must be a
// regular file already: its new content goes below /var under the same name and is mounted over it, for reading only.
// /etc/cri/conf.d/20-customization.part is none of them: it is part of containerd's configuration.
//
// Other than there, content that was appended on an earlier boot is not appended again, all that is wrong is said at once,
// and a file outside /var is as it was when the configuration no longer has it.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// customization is what containerd's configuration takes from machine.files.
const customization = "/etc/cri/conf.d/20-customization.part"

// The limits of a file: its size in bytes, and its permissions where nobody says, for content may be secret.
const (
	maxSize     = 16 << 20
	defaultMode = 0o600
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Mounts
	kernel.Replacing
}

// Files remembers what it has written. It is for one goroutine.
type Files struct {
	m       Machine
	before  map[string]state // files outside /var, as they were
	written map[string]state
	mounted map[string]bool
}

// state is a file.
type state struct {
	content string
	mode    fs.FileMode
}

// New has written nothing yet.
func New(m Machine) *Files {
	return &Files{m: m, before: map[string]state{}, written: map[string]state{}, mounted: map[string]bool{}}
}

// Apply writes what is not as list asks, and says what became of each entry. To call it again tries again what was refused.
func (f *Files) Apply(list []v1alpha1.File) []bootreport.Asked {
	out := make([]bootreport.Asked, len(list))
	byPath, order := map[string][]int{}, []string(nil)
	for i, e := range list {
		out[i] = bootreport.Asked{Name: e.Path, Value: e.Op, State: bootreport.Applied}
		name := path.Clean("/" + e.Path)
		if name == customization {
			out[i].Reason = "it is part of containerd's configuration"
			continue
		}
		if byPath[name] == nil {
			order = append(order, name)
		}
		byPath[name] = append(byPath[name], i)
	}
	out = append(out, f.revert(byPath)...)
	for _, name := range order {
		f.one(name, list, byPath[name], out)
	}
	return out
}

// one brings a file to what the entries of list at the indexes which ask for, in their order.
func (f *Files) one(name string, list []v1alpha1.File, which []int, out []bootreport.Asked) {
	refuse := func(i int, err error) { out[i].State, out[i].Reason = bootreport.Refused, err.Error() }
	var now state
	var fault error
	if list[which[0]].Op != "create" {
		now, fault = f.original(name)
	}
	good := []int(nil)
	for _, i := range which {
		next, err := edit(name, now, fault, list[i])
		if err != nil {
			refuse(i, err)
			continue
		}
		now, fault = next, nil
		good = append(good, i)
	}
	if len(good) == 0 || f.written[name] == now {
		return
	}
	if err := f.write(name, now); err != nil {
		for _, i := range good {
			refuse(i, err)
		}
		return
	}
	f.written[name] = now
}

func inVar(name string) bool { return strings.HasPrefix(name, "/var/") }

// edit is what an entry makes of a file; fault is why there is none.
func edit(name string, old state, fault error, e v1alpha1.File) (state, error) {
	mode := fs.FileMode(e.Permissions & 0o777)
	for bit, m := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if e.Permissions&bit != 0 {
			mode |= m
		}
	}
	if mode == 0 && fault == nil && e.Op != "create" {
		mode = old.mode
	} else if mode == 0 {
		mode = defaultMode
	}
	switch e.Op {
	case "create":
		if !inVar(name) {
			return old, fmt.Errorf("create operation not allowed outside of /var: %q", name)
		}
		return state{e.Content, mode}, nil
	case "overwrite":
		return state{e.Content, mode}, fault
	case "append":
		content := old.content
		if !strings.Contains("\n"+content+"\n", "\n"+e.Content+"\n") {
			content += "\n" + e.Content
		}
		return state{content, mode}, fault
	}
	return old, fmt.Errorf("unknown operation for file %q: %q", name, e.Op)
}

// original is what a file was before the configuration had its way; below /var it is what it is.
func (f *Files) original(name string) (state, error) {
	if was, known := f.before[name]; known {
		return was, nil
	}
	was, err := f.read(name)
	if err == nil && !inVar(name) {
		f.before[name] = was
	}
	return was, err
}

// read reads a regular file. It opens nothing else, for a pipe or a device may keep it waiting.
func (f *Files) read(name string) (state, error) {
	if err := f.isRegular(name); err != nil {
		return state{}, err
	}
	file, err := f.m.Open(name)
	if err != nil {
		return state{}, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return state{}, err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err == nil && len(content) > maxSize {
		err = fmt.Errorf("%s: more than %d bytes", name, maxSize)
	}
	return state{string(content), st.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)}, err
}

// maxLinks is how many symbolic links may lead to a file.
const maxLinks = 8

func (f *Files) isRegular(name string) error {
	at := name
	for range maxLinks {
		entries, err := f.m.ReadDir(path.Dir(at))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(at) })
		switch {
		case i < 0:
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		case entries[i].Type().IsRegular():
			return nil
		case entries[i].Type()&fs.ModeSymlink == 0:
			return fmt.Errorf("%s is not a regular file", name)
		}
		target, err := f.m.ReadLink(at)
		if err != nil {
			return err
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(at), target)
		}
		at = path.Clean(target)
	}
	return fmt.Errorf("%s: too many symbolic links", name)
}

// write puts s into the place of a file.
func (f *Files) write(name string, s state) error {
	if inVar(name) {
		return f.m.ReplaceFile("/var", strings.TrimPrefix(name, "/var/"), []byte(s.content), s.mode)
	}
	if err := f.m.ReplaceFile("/var", name, []byte(s.content), s.mode); err != nil {
		return err
	}
	if err := f.unmount(name); err != nil {
		return err
	}
	err := f.m.Mount(kernel.Mount{Source: path.Join("/var", name), Target: name, Flags: kernel.ReadOnly})
	f.mounted[name] = err == nil
	return err
}

func (f *Files) unmount(name string) error {
	if !f.mounted[name] {
		return nil
	}
	err := f.m.Unmount(name)
	if err == nil {
		delete(f.mounted, name)
		delete(f.written, name)
	}
	return err
}

// revert takes away what is mounted over files that the configuration no longer has.
func (f *Files) revert(asked map[string][]int) (out []bootreport.Asked) {
	for _, name := range slices.Sorted(maps.Keys(f.mounted)) {
		if asked[name] != nil {
			continue
		}
		if err := f.unmount(name); err != nil {
			why := errors.Join(errors.New("it is no longer asked for"), err).Error()
			out = append(out, bootreport.Asked{Name: name, State: bootreport.Refused, Reason: why})
		}
	}
	return out
}

// Package udevrules applies the rules of machine.udev.rules that make sense without udevd (udev(7)): those that give the
// node of a device its permissions, its owner, and links. They may match by KERNEL, SUBSYSTEM, DEVPATH and ATTR{file}; ACTION may
// be add or change. Rules that run programs, import variables, tag, look at parent devices or jump are refused.
package udevrules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/udevrules/rule"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Replacing
	Remove(name string) error
}

// device is a device with a node.
type device struct {
	name string            // of the node, below /dev
	keys map[string]string // KERNEL, SUBSYSTEM and DEVPATH
	dir  string            // in /sys
}

// Apply applies rules to the devices there are, in their order, and says what became of each. It is to be called again when
// devices appear.
func Apply(m Machine, rules []string) []bootreport.Asked {
	if len(rules) == 0 {
		return nil
	}
	devices := find(m)
	var out []bootreport.Asked
	for _, text := range rules {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
				continue
			}
			a := bootreport.Asked{Name: line, State: bootreport.Applied}
			if err := applyLine(m, line, devices); err != nil {
				a.State, a.Reason = bootreport.Refused, err.Error()
			}
			out = append(out, a)
		}
	}
	return out
}

func applyLine(m Machine, line string, devices []device) error {
	r, err := rule.Parse(line)
	if err != nil {
		return err
	}
	owner, err := number(m, "/etc/passwd", r.Owner)
	group, err2 := number(m, "/etc/group", r.Group)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	var faults []error
	for _, d := range devices {
		if !d.fits(m, r.Matches) {
			continue
		}
		if err := d.apply(m, r, owner, group); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have gone
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// find are the devices that have nodes.
func find(m Machine) (out []device) {
	for _, kind := range []string{"/sys/dev/block", "/sys/dev/char"} {
		entries, _ := m.ReadDir(kind)
		for _, e := range entries {
			target, err := m.ReadLink(path.Join(kind, e.Name()))
			if err != nil {
				continue
			}
			dir := path.Join(kind, target)
			subsystem, _ := m.ReadLink(dir + "/subsystem")
			text, _ := m.ReadFile(dir + "/uevent")
			name := kernel.ParseUevent([]byte(strings.ReplaceAll(string(text), "\n", "\x00")))["DEVNAME"]
			if !fs.ValidPath(name) || name == "." {
				continue
			}
			out = append(out, device{name, map[string]string{
				"KERNEL": path.Base(dir), "SUBSYSTEM": path.Base(subsystem), "DEVPATH": strings.TrimPrefix(dir, "/sys"),
			}, dir})
		}
	}
	return out
}

func (d device) fits(m Machine, matches []rule.Match) bool {
	for _, c := range matches {
		value := d.keys[c.Key]
		if c.Key == "ATTR" {
			p, err := m.ReadFile(path.Join(d.dir, c.File))
			if err != nil {
				return false
			}
			value = strings.TrimRight(string(p), " \t\n")
		}
		if !c.Fits(value) {
			return false
		}
	}
	return true
}

func (d device) apply(m Machine, r rule.Rule, owner, group int) error {
	node := "/dev/" + d.name
	var faults []error
	if owner >= 0 || group >= 0 {
		faults = append(faults, m.Chown(node, owner, group))
	}
	if r.SetMode {
		faults = append(faults, m.Chmod(node, r.Mode))
	}
	kernelName := d.keys["KERNEL"]
	digits := kernelName[len(strings.TrimRight(kernelName, "0123456789")):]
	expand := strings.NewReplacer("%k", kernelName, "$kernel", kernelName, "%n", digits, "$number", digits, "%%", "%")
	for _, l := range r.Links {
		faults = append(faults, link(m, node, path.Join("/dev", path.Clean("/"+expand.Replace(l)))))
	}
	return errors.Join(faults...)
}

// link makes name a link to a node. What is there and no link stays.
func link(m Machine, node, name string) error {
	switch target, err := m.ReadLink(name); {
	case err == nil && target == node:
		return nil
	case err == nil:
		if err := m.Remove(name); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is there, and no link", name)
	}
	if err := m.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return m.Symlink(node, name)
}

// number is the number of a user or group; -1 where name is "".
func number(m Machine, file, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	text, _ := m.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[0] == name {
			if n, err := strconv.Atoi(strings.TrimSpace(f[2])); err == nil {
				return n, nil
			}
		}
	}
	return -1, fmt.Errorf("%s has no %s", file, name)
}
